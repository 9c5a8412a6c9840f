"""What the backends `transformers` and `qlora` take of memory and time for the same optimiser steps of the same model.

    python bench/backends.py [--base folder or model.gguf] [--rows rendered.jsonl] [--steps 4] [--per-step 8] [--row-tokens 1024]

Without `--base`, a Llama of random weights, 160M parameters; without `--rows`, the tests' small samples. Each backend has a process of its own, with the C library as
training has it (src/runners/local.ts). Ends with one JSON line each: the process's memory (resident) before anything is loaded and at its most while it loads, once it is loaded,
and at its most while it trains; seconds a step over the second half of the steps; first and last loss. Needs bitsandbytes: MCP_FORGE_PYTHON names the interpreter of the environment that
`forge doctor --fix` makes for a recipe with `train.backend: qlora`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "python"), str(HERE.parent / "python" / "tests")]

from machine import machine  # noqa: E402

#: What src/runners/local.ts sets for training.
ALWAYS = {"MALLOC_ARENA_MAX": "2", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "30000"}
KEPT = {"MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**34), "MALLOC_TOP_PAD_": str(2**26), "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
#: qlora's memory is not kept: what its layers write out and free would lie between what stays.
ENVIRONMENTS = {"transformers": {**ALWAYS, **KEPT}, "qlora": ALWAYS}


def random_base(folder: Path) -> Path:
    """A Llama of 160M parameters in the hub's form, in bfloat16, with the tests' tokenizer."""
    import torch
    from tiny import byte_tokenizer
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=320, hidden_size=1024, intermediate_size=2816, num_hidden_layers=14, num_attention_heads=16, num_key_value_heads=4,
        max_position_embeddings=2048, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


def resident() -> int:
    """Bytes of the process that are in memory."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(name: str, base: Path, rows: Path | None, steps: int, per_step: int, row_tokens: int) -> dict[str, object]:
    import torch
    from tiny import rendered

    from forge_steps.adapter import Trainee
    from forge_steps.attention import install
    from forge_steps.backends import Base, backend_of
    from forge_steps.heap import Heap
    from forge_steps.model import load_config, load_tokenizer, peak_memory_bytes, pick_device, pick_dtype, usable_cores
    from forge_steps.prefix import encode, shared_prefix
    from forge_steps.protocol import Spec

    torch.set_num_threads(usable_cores())
    torch.manual_seed(0)
    backend, device = backend_of(Spec({"backend": name})), pick_device()
    backend.check()
    tokenizer = load_tokenizer(base)
    lines = [json.loads(line) for line in rows.read_text("utf-8").splitlines()] if rows is not None else rendered(steps * per_step)
    samples = [encode(tokenizer, s["id"], s["segments"]) for s in lines[: steps * per_step]]
    import peft  # noqa: F401  Not counted to the model.

    empty = resident()
    model = backend.load(Base(base, None, load_config(base), pick_dtype(device), device), max(len(s.ids) for s in samples), False, 0, Path(tempfile.gettempdir()))
    install(model)
    trainee = Trainee(model, 16, 32, 0.0, 0.0, lambda: None, backend=backend)
    loading, loaded = peak_memory_bytes(), resident()
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # The largest size so far is forgotten (proc(5)).
    heap, losses, seconds = Heap(), [], 0.0
    for step in range(steps):
        batch = samples[step * per_step : (step + 1) * per_step]
        started = time.monotonic()
        losses.append(backend.step_backward(trainee.model, batch, shared_prefix(batch), row_tokens)[0])
        trainee.step(1e-3, 1.0)
        heap.after_step()
        seconds += time.monotonic() - started if step >= steps // 2 else 0
    return {
        "parameters": model.num_parameters(), "precision": str(pick_dtype(device)).removeprefix("torch."), "empty_gb": gb(empty), "loading_gb": gb(loading),
        "loaded_gb": gb(loaded), "training_gb": gb(peak_memory_bytes()), "seconds_per_step": round(seconds / (steps - steps // 2), 2),
        "first_loss": round(losses[0], 4), "last_loss": round(losses[-1], 4),
    }  # fmt: skip


def gb(count: int) -> float:
    return round(count / 1e9, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--per-step", type=int, default=8)
    parser.add_argument("--row-tokens", type=int, default=1024)
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.alone:
        print(json.dumps(measure(o.alone, o.base, o.rows, o.steps, o.per_step, o.row_tokens)))
        return
    with tempfile.TemporaryDirectory() as folder:
        base = o.base if o.base is not None else random_base(Path(folder))
        for name, environment in ENVIRONMENTS.items():
            again = [sys.executable, __file__, "--alone", name, "--base", str(base), "--steps", str(o.steps), "--per-step", str(o.per_step), "--row-tokens", str(o.row_tokens)]
            again += ["--rows", str(o.rows)] if o.rows is not None else []
            done = subprocess.run(again, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise SystemExit(f"{name}: {done.stderr[-2000:]}")
            print(json.dumps({"name": f"backends.{name}", **json.loads(done.stdout.splitlines()[-1]), "steps": o.steps, "per_step": o.per_step, "machine": machine()}), flush=True)


if __name__ == "__main__":
    main()
