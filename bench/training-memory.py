"""What training gains by keeping its memory between steps, and what it takes: the same optimiser steps under three settings of the C library.

    python bench/training-memory.py --base model.gguf --rows rendered.jsonl [--steps 12] [--per-step 12]

`rows` is a run's output of that name (train's, in the store), or bench/synthetic_rows.py's. Each setting has a process of its own: `returned`
(glibc's defaults), `kept` (what src/runners/local.ts sets, without large pages) and `kept-large` (all of it). The first half of the steps warms up, for
the matrix library prepares a kernel for each new shape. Ends with one JSON line a setting: tokens a second (prompt included), peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "python")]

from machine import machine  # noqa: E402

KEPT = {"MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**34), "MALLOC_TOP_PAD_": str(2**26)}
SETTINGS: dict[str, dict[str, str]] = {"returned": {}, "kept": KEPT, "kept-large": {**KEPT, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}}
#: What src/runners/local.ts sets for every step.
ALWAYS = {"MALLOC_ARENA_MAX": "2", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "30000"}


def measure(base: Path, rows: Path, steps: int, per_step: int) -> dict[str, float]:
    """Trains; tokens a second over the second half of the steps."""
    import torch

    from forge_steps.adapter import Trainee
    from forge_steps.attention import install
    from forge_steps.gguf_once import read_once
    from forge_steps.heap import Heap
    from forge_steps.model import load_base, load_tokenizer, peak_memory_bytes, pick_device, pick_dtype, usable_cores
    from forge_steps.prefix import encode, shared_prefix, step_backward

    torch.set_num_threads(usable_cores())
    torch.manual_seed(0)
    with read_once():
        tokenizer = load_tokenizer(base)
        model = load_base(base, pick_dtype(pick_device()))
    install(model)
    trainee = Trainee(model, 16, 32, 0.0, 0.0, lambda: None)
    lines = rows.read_text("utf-8").splitlines()[: steps * per_step]
    samples = [encode(tokenizer, s["id"], s["segments"]) for s in map(json.loads, lines)]
    heap, returns = Heap(), 0
    seconds = tokens = 0.0
    for step in range(steps):
        batch = samples[step * per_step : (step + 1) * per_step]
        if not batch:
            raise SystemExit(f"{rows} has {len(samples)} samples; {steps} steps of {per_step} need more")
        prefix = shared_prefix(batch)
        started = time.monotonic()
        step_backward(trainee.model, batch, prefix, 2560)
        trainee.step(1e-4, 1.0)
        returns += heap.after_step()
        if step >= steps // 2:
            seconds += time.monotonic() - started
            tokens += prefix + sum(len(s.ids) - prefix for s in batch)
    return {"tokens_per_second": round(tokens / seconds, 1), "seconds_per_step": round(seconds / (steps - steps // 2), 2), "peak_gb": round(peak_memory_bytes() / 1e9, 2), "returns": returns}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--per-step", type=int, default=12)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.alone:
        print(json.dumps(measure(o.base, o.rows, o.steps, o.per_step)))
        return
    again = [sys.executable, __file__, "--alone", "--base", o.base, "--rows", o.rows, "--steps", str(o.steps), "--per-step", str(o.per_step)]
    for name, env in SETTINGS.items():
        done = subprocess.run(again, env={**os.environ, **ALWAYS, **env}, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{name}: {done.stderr[-2000:]}")
        print(json.dumps({"name": f"training-memory.{name}", **json.loads(done.stdout.splitlines()[-1]), "steps": o.steps, "per_step": o.per_step, "machine": machine()}), flush=True)


if __name__ == "__main__":
    main()
