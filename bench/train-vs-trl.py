"""Training speed and memory beside TRL's SFTTrainer, on the same rendered samples, in one run.

    python bench/train-vs-trl.py --base model.gguf [--rows rendered.jsonl] [--samples 32] [--trl-samples 8]

Needs the packages of python/requirements.lock and trl==1.13.0 (1.15 fails on a CPU; `loss_type="nll"` works). Each
contender runs in a process of its own, so that peak memory is its own; both have the same base in the same precision,
the same adapter, optimiser and learned tokens, and neither cuts a sample. Prints one JSON object a contender.
Synthetic samples of the default recipe's shape are used where no rows are given.
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
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "python")]

from machine import machine  # noqa: E402

#: `forge-sdpa` is forge with PyTorch's attention in place of its own.
CONTENDERS = ("forge", "forge-sdpa", "forge-padded", "trl")


def load(base: Path, rows: Path, count: int) -> tuple[Any, list[Any], Any]:
    """Model, encoded samples and device settings, the same for everybody."""
    import torch

    from forge_steps.gguf_once import read_once
    from forge_steps.model import load_base, load_tokenizer, pick_device, pick_dtype, usable_cores
    from forge_steps.prefix import encode

    torch.set_num_threads(usable_cores())
    torch.manual_seed(0)
    with read_once():
        tokenizer = load_tokenizer(base)
        model = load_base(base, pick_dtype(pick_device()))
    samples = [json.loads(line) for line in rows.read_text("utf-8").splitlines()[:count]]
    return model, [encode(tokenizer, s["id"], s["segments"]) for s in samples], tokenizer


def forge(model: Any, samples: list[Any], shared: bool, own_attention: bool) -> float:
    """One optimiser step over the samples; seconds."""
    from forge_steps.adapter import Trainee
    from forge_steps.prefix import shared_prefix, step_backward
    from forge_steps.shared_attention import install

    if own_attention:
        install(model)
    trainee = Trainee(model, 16, 32, 0.0, 0.0, lambda: None)
    prefix = shared_prefix(samples) if shared else 0
    started = time.monotonic()
    step_backward(trainee.model, samples, prefix, 2560)
    trainee.step(1e-3, 1.0)
    return time.monotonic() - started


def trl(model: Any, samples: list[Any], tokenizer: Any) -> float:
    """The same with SFTTrainer: rows of four, gradients gathered over the rest; no gradient checkpointing, which would only slow it."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    data = Dataset.from_list([{"input_ids": list(s.ids), "completion_mask": [int(x) for x in s.learn]} for s in samples])
    batch = min(4, len(samples))
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=len(samples) // batch,
            num_train_epochs=1,
            learning_rate=1e-3,
            loss_type="nll",
            max_length=None,
            completion_only_loss=True,
            packing=False,
            gradient_checkpointing=False,
            bf16=model.dtype == torch.bfloat16,
            use_cpu=not torch.cuda.is_available(),
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
        )
        lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
        trainer = SFTTrainer(model=model, args=config, train_dataset=data, processing_class=tokenizer, peft_config=lora)
        started = time.monotonic()
        trainer.train()
        return time.monotonic() - started


def contend(o: argparse.Namespace) -> None:
    from forge_steps.model import peak_memory_bytes

    count = o.samples if o.only in ("forge", "forge-sdpa") else o.trl_samples
    model, samples, tokenizer = load(o.base, o.rows, count)
    loaded, cpu = peak_memory_bytes(), os.times()
    seconds = trl(model, samples, tokenizer) if o.only == "trl" else forge(model, samples, o.only != "forge-padded", o.only == "forge")
    spent = os.times()
    print(
        json.dumps(
            {
                "contender": o.only,
                "samples": len(samples),
                "seconds": round(seconds, 1),
                "samples_per_second": round(len(samples) / seconds, 3),
                # Free of what else the machine does: processor time of all cores.
                "cpu_seconds_per_sample": round((spent.user + spent.system - cpu.user - cpu.system) / len(samples), 2),
                "peak_memory_gb": round(peak_memory_bytes() / 1e9, 2),
                "loaded_gb": round(loaded / 1e9, 2),
            }
        ),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="the base model's GGUF")
    parser.add_argument("--rows", type=Path, help="rendered.jsonl of a training run")
    parser.add_argument("--samples", type=int, default=32, help="samples of our optimiser step")
    parser.add_argument("--trl-samples", type=int, default=8, help="samples for the contenders that repeat the prompt")
    parser.add_argument("--only", choices=CONTENDERS)
    o = parser.parse_args()
    if o.only:
        contend(o)
        return
    with tempfile.TemporaryDirectory() as folder:
        if o.rows is None:
            from synthetic_rows import samples

            o.rows = Path(folder) / "rendered.jsonl"
            o.rows.write_text("".join(json.dumps(s) + "\n" for s in samples(o.samples)), "utf-8")
        found = {}
        for name in CONTENDERS:
            flags = ["--base", o.base, "--rows", o.rows, "--samples", o.samples, "--trl-samples", o.trl_samples, "--only", name]
            env = {**os.environ, "MALLOC_ARENA_MAX": "2", "OMP_WAIT_POLICY": "PASSIVE"}
            done = subprocess.run([sys.executable, __file__, *map(str, flags)], check=True, env=env, stdout=subprocess.PIPE, text=True)
            print(done.stdout, end="", flush=True)
            found[name] = json.loads(done.stdout.splitlines()[-1])
    ours, peer = found["forge"], found["trl"]
    for figure in ("samples_per_second", "cpu_seconds_per_sample", "peak_memory_gb"):
        line = {"name": f"training {figure}, against TRL", "ours": ours[figure], "peer": peer[figure], "ratio": round(ours[figure] / peer[figure], 3)}
        print(json.dumps({**line, "n": ours["samples"], "peer_n": peer["samples"], "machine": machine()}), flush=True)


if __name__ == "__main__":
    main()
