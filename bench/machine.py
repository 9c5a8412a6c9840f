"""The machine that a figure was measured on, as bench/lib.mjs says it."""

import os
import platform
from pathlib import Path


def machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor() or "unknown")
    return f"{os.cpu_count()} x {model}, Python {platform.python_version()}"
