"""The trained model as one: the base with its LoRA adapter merged into the weights, in float32, and as a folder in the
hub's form, which is what llama.cpp's converter reads.

Guarantees: the same base and adapter give the same weights, bit for bit; the folder carries our chat template and
neither a date nor a path. Merging in float32 and rounding once, to f16 in the GGUF, loses less than merging in f16.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from forge_steps.protocol import StepError

#: Weights from here on round to infinity in float16: halfway between its largest number, 65,504, and the one that would follow.
LARGEST_F16 = 65519.0


def merged_model(gguf: Path, adapter: Path | None) -> Any:
    """The base in `gguf` with `adapter` (a PEFT folder) merged in, float32, on the CPU, in evaluation mode. Without an
    adapter the base itself. Raises StepError when the merged weights hold a value that is no finite number."""
    import torch

    from forge_steps.model import load_base

    model = load_base(gguf, torch.float32)
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    for name, weight in model.named_parameters():
        if not bool(torch.isfinite(weight.sum())):
            raise StepError("export/not-finite", f"the trained weights hold values that are no numbers ({name})", "Lower `train.learning_rate`.")
    return model.eval()


def beyond_f16(model: Any) -> list[str]:
    """Names of the matrices with a weight that float16 has no number for (`LARGEST_F16`): rounded to it they would be infinite."""
    return [name for name, weight in model.named_parameters() if weight.ndim > 1 and float(weight.abs().max()) > LARGEST_F16]


def save_folder(model: Any, tokenizer: Any, template: str, folder: Path) -> None:
    """Writes weights, config and tokenizer to `folder`, with `template` (Jinja) as the chat template."""
    model.generation_config.do_sample = False
    for name in ("temperature", "top_p", "top_k", "min_p"):  # A sampler's settings are no part of a tool-calling model.
        setattr(model.generation_config, name, None)
    model.save_pretrained(folder)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
