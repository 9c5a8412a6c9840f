"""Memory between optimiser steps: kept, so that a step does not ask the system for it page by page, and given back when it has grown.

By its defaults glibc returns every large block at once, and each tensor of the next layer then costs its first touch of each page:
a quarter of a training step on a CPU. Told to keep what it was given, in large pages (the environment that src/runners/local.ts
sets), it grows instead, since blocks of ever new sizes fit nowhere. So it keeps, and what lies unused is returned here whenever
the process has become much larger than it was (docs/measurements.md).
"""

from __future__ import annotations

import ctypes
from pathlib import Path

#: So much larger than after the first step since the last return: time to give back. One return costs a step's first touches.
GROWTH = 1.3


class Heap:
    """Watches the process's size, a look after each optimiser step. Where it cannot be seen or nothing returned, it does nothing."""

    def __init__(self) -> None:
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if Path("/proc/self/statm").exists() else None
        self._usual: int | None = None

    def after_step(self) -> bool:
        """Gives unused memory back if the process has grown; says whether it did."""
        if self._trim is None:
            return False
        now = resident_pages()
        if self._usual is None:
            self._usual = now
        if now <= self._usual * GROWTH:
            return False
        self._trim(0)
        self._usual = None
        return True


def give_back() -> None:
    """Gives all unused memory back to the system, where the C library can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if Path("/proc/self/statm").exists() else None
    if trim is not None:
        trim(0)


def resident_pages() -> int:
    """Pages of the process that are in memory."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1])
