"""What training gains by two processes of one thread each over one process with both cores: the same training, taken turns with.

    python bench/several-processes.py --base model.gguf [--processes 2] [--steps 8] [--per-step 8] [--rounds 3]

`base` is a base model in forge's cache (models/NAME/*.gguf). Each run is the train step itself on bench/synthetic_rows.py's samples, in the environment
that src/runners/local.ts gives it; its speed is that of the second half of its steps (the first warms up). Runs take turns, one of each a round, since
other people's load comes and goes; the ratio is the median of the rounds'. Processor time is measured too (Linux), which such load changes little: of the
busiest process, the time that its steps would take on a core of its own. Ends with a JSON line a figure.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parent / "python"
sys.path.insert(0, str(HERE))

from machine import machine  # noqa: E402
from synthetic_rows import samples  # noqa: E402

#: What src/runners/local.ts sets.
ENV = {
    "MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**34), "MALLOC_TOP_PAD_": str(2**26), "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "MALLOC_ARENA_MAX": "2", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "30000", "PYTHONHASHSEED": "0", "PYTHONPATH": str(PYTHON),
}  # fmt: skip


def processor_seconds(process: int) -> list[float]:
    """What a process and each that it started have used so far."""
    found = []
    of = [process, *(int(p) for file in Path(f"/proc/{process}/task").glob("*/children") for p in file.read_text("ascii").split())]
    for pid in of:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
        found.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    return found


def run(base: Path, processes: int, steps: int, per_step: int) -> tuple[float, float, float, float]:
    """Steps a second, processor seconds a step of the busiest process, the last step's loss, and the largest process's peak memory in GB."""
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        (at / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in samples(steps * per_step)), "utf-8")
        spec = {
            "v": 1, "base": {"gguf": str(base)}, "family": "bench", "rows": str(at / "rows.jsonl"), "seed": 1, "processes": processes, "output": str(at / "adapter"),
            "checkpoints": str(at / "checkpoints"), "checkpoint_steps": steps + 1, "curve": str(at / "curve.jsonl"), "gradient_checkpointing": "off",
            "hyper": {
                "rank": 16, "alpha": 32, "dropout": 0, "learning_rate": 1e-3, "epochs": 1, "samples_per_step": per_step, "warmup_steps": 2, "max_tokens": 2048,
                "batching": "shared_prefix", "row_tokens": 2560, "weight_decay": 0,
            },
        }  # fmt: skip
        (at / "spec.json").write_text(json.dumps(spec), "utf-8")
        log = (at / "stderr").open("w+")
        process = subprocess.Popen(
            [sys.executable, "-m", "forge_steps", "train", "--spec", str(at / "spec.json")], env={**os.environ, **ENV}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
        )
        used: dict[int, list[float]] = {}
        last: dict[str, Any] = {}
        assert process.stdout is not None
        for line in process.stdout:
            last = json.loads(line)
            if last.get("name") == "loss" and last["step"] in (steps // 2, steps):
                used[last["step"]] = processor_seconds(process.pid)
        process.wait()
        if last.get("type") != "result":
            log.seek(0)
            raise SystemExit(f"{processes} processes: {last}\n{log.read()[-2000:]}")
        curve = [json.loads(line) for line in (at / "curve.jsonl").read_text("utf-8").splitlines()]
        seconds = [row["seconds"] for row in curve if "seconds" in row]
        half = len(seconds) // 2
        losses = [row["loss"] for row in curve if "loss" in row]
        busiest = max(after - before for before, after in zip(used[steps // 2], used[steps], strict=True)) / (steps - steps // 2)
        return (len(seconds) - half) / (seconds[-1] - seconds[half - 1]), busiest, losses[-1], last["figures"]["peak_memory_bytes"] / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--per-step", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    o = parser.parse_args()
    model = o.base.parent.name.split("-")[0]
    counts = (1, o.processes)
    found: dict[int, list[tuple[float, float, float, float]]] = {n: [] for n in counts}
    for _ in range(o.rounds):
        for n in counts:
            found[n].append(run(o.base, n, o.steps, o.per_step))
            rate, busiest, loss, peak = found[n][-1]
            print(f"{n} process{'es' if n > 1 else ''}: {rate:.3f} steps/s, {busiest:.2f} processor seconds a step, loss {loss:.4f}, {peak:.2f} GB each", file=sys.stderr, flush=True)
    about = {"n": o.rounds, "steps": o.steps, "per_step": o.per_step, "machine": machine()}
    one, several = (found[n] for n in counts)
    for name, which in (("steps/s", 0), ("processor seconds a step, of the busiest process", 1)):
        ratios = [b[which] / a[which] for a, b in zip(one, several, strict=True)]
        ours, peer = (round(statistics.median(r[which] for r in rows), 4) for rows in (several, one))
        print(json.dumps({"name": f"{name}, {o.processes} processes against one, {model}", "ours": ours, "peer": peer, "ratio": round(statistics.median(ratios), 3), **about}))


if __name__ == "__main__":
    main()
