"""Puts the steps and the tests' own helpers on the path, and keeps torch to the cores there are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

# Before torch is loaded: beside other busy processes, OpenMP's spinning threads make tiny models ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
