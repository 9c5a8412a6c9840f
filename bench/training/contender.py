"""One contender of `npm run bench -- train-vs-trl`: trains a base model on rendered samples, an optimiser step for each line that it reads.

    python bench/training/contender.py NAME --base model.gguf --rows rows.jsonl --batch 12

Loads, says `{"ready": …}`, and for each line on its input makes one step and says `{"seconds", "cpu_seconds", "samples", "tokens"}`; at the input's end
`{"peak_bytes", "loaded_bytes"}`. So contenders take turns on one machine, and what else it does falls on all of them. All have the same base in the same precision,
the same adapter (rank 16, all linear layers), AdamW, and the same learned tokens; none cuts a sample, none recomputes activations.

| name | what it is |
| --- | --- |
| `forge` | forge's own step, the shared prefix computed once |
| `forge-sdpa`, `forge-bands`, `forge-cpu-flash` | the same with PyTorch's attention, bands or a fused kernel, whichever forge would take |
| `forge-padded` | forge's step, every sample with its whole prompt |
| `trl-padded` | TRL's SFTTrainer, samples side by side, filled up to the longest |
| `trl-padding-free` | the same with `padding_free`: samples in one row, one after the other |
| `trl-packed` | the same with `packing` (best fit, rows of `--row-tokens`) |

Needs the packages of python/requirements.lock; those of TRL also trl==1.13.0 and datasets (1.15 fails on a CPU, as does the default loss, hence
`loss_type="nll"`). Without FlashAttention TRL warns that samples of one row may see each other; it is the speed that counts here.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

RANK, ALPHA, RATE = 16, 32, 1e-3


def say(**words: Any) -> None:
    """One JSON line, where libraries that print cannot reach it."""
    os.write(OUT, (json.dumps(words) + "\n").encode())


def load(base: Path, rows: Path) -> tuple[Any, list[Any], Any]:
    """Model, encoded samples and tokenizer, the same for everybody."""
    import torch

    from forge_steps.gguf_once import read_once
    from forge_steps.model import load_base, load_tokenizer, pick_device, pick_dtype, usable_cores
    from forge_steps.prefix import encode

    torch.set_num_threads(usable_cores())
    torch.manual_seed(0)
    device = pick_device()
    with read_once():
        tokenizer = load_tokenizer(base)
        model = load_base(base, pick_dtype(device))
    model.to(device)
    samples = [json.loads(line) for line in rows.read_text("utf-8").splitlines()]
    return model, [encode(tokenizer, s["id"], s["segments"]) for s in samples], tokenizer


class Turn:
    """One step's time, from the line that asks for it to its end."""

    def begin(self) -> bool:
        """Waits for the next line; False at the end."""
        if not sys.stdin.readline():
            return False
        self._wall, self._cpu = time.monotonic(), time.process_time()
        return True

    def end(self, samples: int, tokens: int) -> None:
        say(seconds=time.monotonic() - self._wall, cpu_seconds=time.process_time() - self._cpu, samples=samples, tokens=tokens)


def batches(samples: list[Any], size: int) -> Iterator[list[Any]]:
    """Batches without end, the samples in turn."""
    at = 0
    while True:
        yield [samples[(at + i) % len(samples)] for i in range(size)]
        at += size


def forge(name: str, model: Any, samples: list[Any], o: argparse.Namespace) -> None:
    """Steps of forge's own. Tokens are those that went through the model."""
    from forge_steps.adapter import Trainee
    from forge_steps.attention import install
    from forge_steps.heap import Heap
    from forge_steps.prefix import shared_prefix, step_backward

    if name == "forge":
        install(model)
    elif name.startswith("forge-"):
        _use(model, name.removeprefix("forge-"))
    trainee = Trainee(model, RANK, ALPHA, 0.0, 0.0, lambda: None)
    # Of all samples, as training has it, and not of those that happen to be in a step.
    prefix = 0 if name == "forge-padded" else shared_prefix(samples)
    say(ready=True, prefix=prefix, mean_tokens=sum(len(s.ids) for s in samples) / len(samples))
    turn, heap = Turn(), Heap()
    for batch in batches(samples, o.batch):
        if not turn.begin():
            return
        step_backward(trainee.model, batch, prefix, o.row_tokens)
        trainee.step(RATE, 1.0)
        heap.after_step()
        turn.end(len(batch), prefix + sum(len(s.ids) - prefix for s in batch))


def _use(model: Any, form: str) -> None:
    """Gives the model an attention by its name: `bands`, a kernel's, or `sdpa` and `padded`, with which it keeps PyTorch's."""
    from forge_steps import attention
    from forge_steps.attention_kernels import KERNELS

    if form == "bands" or form in KERNELS:
        attention.use(model, KERNELS.get(form), attention.Form(form, False, lambda level, words: None))


def trl(name: str, model: Any, samples: list[Any], tokenizer: Any, o: argparse.Namespace) -> None:
    """Steps of TRL's trainer. Tokens are the samples' own, without padding."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Ended(Exception):
        """Nobody asks for another step."""

    turn, counts = Turn(), deque()

    class Turns(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            if not turn.begin():
                raise Ended

        def on_step_end(self, *_: Any, **__: Any) -> None:
            turn.end(*counts.popleft())

    data = Dataset.from_list([{"input_ids": list(s.ids), "completion_mask": [int(x) for x in s.learn]} for s in samples])
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=1 if name == "trl-packed" else o.batch,
            gradient_accumulation_steps=1,
            max_steps=1_000_000,
            learning_rate=RATE,
            loss_type="nll",
            max_length=o.row_tokens if name == "trl-packed" else None,
            completion_only_loss=True,
            packing=name == "trl-packed",
            padding_free=name == "trl-padding-free",
            gradient_checkpointing=False,
            bf16=model.dtype == torch.bfloat16,
            use_cpu=not torch.cuda.is_available(),
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )
        lora = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM")
        trainer = SFTTrainer(model=model, args=config, train_dataset=data, processing_class=tokenizer, peft_config=lora, callbacks=[Turns()])
        collate = trainer.data_collator

        def counted(examples: list[dict[str, Any]]) -> Any:
            """Notes how many samples a batch holds: of a packed row as many as were put into it."""
            counts.append((sum(len(e.get("seq_lengths", [0])) for e in examples), sum(len(e["input_ids"]) for e in examples)))
            return collate(examples)

        trainer.data_collator = counted
        say(ready=True, prefix=0, mean_tokens=sum(len(s.ids) for s in samples) / len(samples))
        try:
            trainer.train()
        except Ended:
            pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=("forge", "forge-sdpa", "forge-bands", "forge-cpu-flash", "forge-padded", "trl-padded", "trl-padding-free", "trl-packed"))
    parser.add_argument("--base", type=Path, required=True, help="the base model's GGUF")
    parser.add_argument("--rows", type=Path, required=True, help="rendered samples, JSON lines {id, segments: [{text, learn}]}")
    parser.add_argument("--batch", type=int, default=12, help="samples of a step; of trl-packed it is a row")
    parser.add_argument("--row-tokens", type=int, default=2560, help="forge: tokens whose activations are alive; trl-packed: tokens of a row")
    o = parser.parse_args()
    from forge_steps.model import peak_memory_bytes

    model, samples, tokenizer = load(o.base, o.rows)
    loaded = peak_memory_bytes()
    if o.name.startswith("trl"):
        trl(o.name, model, samples, tokenizer, o)
    else:
        forge(o.name, model, samples, o)
    say(peak_bytes=peak_memory_bytes(), loaded_bytes=loaded)


if __name__ == "__main__":
    OUT = os.dup(1)
    os.dup2(2, 1)
    main()
