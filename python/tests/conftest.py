"""Puts the steps and the tests' own helpers on the path, and keeps torch to the cores there are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from export_support import BUNDLE, Tiny, run_step  # noqa: E402  It lies beside this file.

# Before torch is loaded: beside other busy processes, OpenMP's spinning threads make tiny models ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_configure(config: pytest.Config) -> None:
    """`slow`: left out of `npm test`, run by `npm run test:slow`. `gpu`: of those, what needs a CUDA GPU."""
    config.addinivalue_line("markers", "slow: takes long; run by npm run test:slow alone")
    config.addinivalue_line("markers", "gpu: needs a CUDA GPU, and is skipped without one")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A tiny model, its adapter and its rows (`export_support`); made once, as it takes seconds."""
    folder = tmp_path_factory.mktemp("tiny")
    env = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    subprocess.run([sys.executable, str(HERE / "export_support.py"), str(folder)], env=env, check=True, capture_output=True)
    return Tiny(
        folder / "base.gguf", folder / "adapter", folder / "rows.jsonl", folder / "template.jinja", {"bundle": str(BUNDLE), "cache": str(folder / "cache")}
    )


@pytest.fixture(scope="session")
def exported(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The tiny model as f16 GGUF, and the step's figures."""
    folder = tmp_path_factory.mktemp("exported")
    last, log = run_step("export", tiny.export_spec(folder), folder)
    assert last["type"] == "result", (last, log)
    return folder / "model.gguf", last["figures"]
