"""The trained model as one: the base with its LoRA adapter merged into the weights, in float32, as a folder in the hub's form, which is what llama.cpp's
converter reads.

It is written one weight after the other: each is read from the base, gets what the adapter adds, is looked at and goes into a file of bounded size
(`SHARD_BYTES`). So the host's memory holds the largest weight and one such file, whatever the size of the model: about 3 GB for an 8B, of its 32. The model that is
then compared with its export lies in those files and is mapped (`Merged.model`): what memory has room for stays there, the rest is read again.

Guarantees: the same base and adapter give the same weights, bit for bit, those of PEFT's `merge_and_unload` in float32; the folder carries our chat template
and neither a date nor a path. Merging in float32 and rounding once, to f16 in the GGUF, loses less than merging in f16.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forge_steps.lora import Lora
from forge_steps.model import raise_not_finite
from forge_steps.protocol import StepError
from forge_steps.weights import BaseWeights

if TYPE_CHECKING:
    from torch import Tensor

#: Weights from here on round to infinity in float16: halfway between its largest number, 65,504, and the one that would follow.
LARGEST_F16 = 65519.0
#: A file of weights is written when it holds so much; a larger weight has one of its own.
SHARD_BYTES = 1 << 28
#: Of a float32.
_EACH = 4


@dataclass(frozen=True)
class Merged:
    """A merged model on the disk."""

    folder: Path
    weights: BaseWeights
    #: Names of the matrices with a weight that float16 has no number for (`LARGEST_F16`): rounded to it they would be infinite.
    beyond_f16: list[str]

    def model(self) -> Any:
        """It as transformers' model, float32, on the CPU, in evaluation mode. Its weights are mapped from the folder, which has to stay as long."""
        import torch

        skeleton = self.weights.skeleton
        return type(skeleton).from_pretrained(self.folder, config=self.weights.config, dtype=torch.float32, attn_implementation="sdpa", local_files_only=True).eval()


def merge(weights: BaseWeights, lora: Lora | None, folder: Path, check: Callable[[], None] = lambda: None) -> Merged:
    """Writes the base with `lora` merged in to `folder` (made where it is not there): weights and configuration. Without an adapter the base itself. `check` is
    called before each weight. Raises StepError when the base, or what comes of it, holds a value that is no finite number."""
    if lora is not None:
        lora.check_names(weights.shapes)
    folder.mkdir(parents=True, exist_ok=True)
    large: list[str] = []

    def read(name: str) -> Tensor:
        check()
        weight = weights.read(name)
        if lora is not None:
            lora.add(name, weight)
        low, high = map(float, weight.aminmax())  # One pass says it all: what is no number is neither.
        if not (math.isfinite(low) and math.isfinite(high)):
            raise_not_finite(name, weights.read(name))  # of the base, before anything was added
            raise StepError("export/not-finite", f"the trained weights hold values that are no numbers ({name})", "Lower `train.learning_rate`.")
        if weight.ndim > 1 and max(-low, high) > LARGEST_F16:
            large.append(name)
        return weight

    _save_weights(weights, read, folder)
    _save_config(weights.skeleton, folder)
    return Merged(folder, weights, large)


def merged_model(base: Path, adapter: Path | None, folder: Path) -> Any:
    """The base (a GGUF) with `adapter` (a PEFT folder) merged in, as `Merged.model`, by way of `folder`."""
    from forge_steps.gguf_once import read_once

    with read_once():
        return merge(BaseWeights(base), None if adapter is None else Lora.read(adapter), folder).model()


def merging_bytes(weights: BaseWeights, lora: Lora | None) -> int:
    """Bytes that `merge` holds at most, beside what the process takes: a file of weights and the next weight, or the largest weight with what is added to it."""
    largest = _EACH * weights.largest
    changed = 0 if lora is None else max((_EACH * b.shape[0] * a.shape[1] for a, b in lora.pairs.values()), default=0)
    shard = max(largest, min(SHARD_BYTES, _EACH * weights.parameters))
    return shard + max(largest if largest < shard else 0, 2 * changed) + (0 if lora is None else lora.bytes)


def save_tokenizer(tokenizer: Any, template: str, folder: Path) -> None:
    """Writes the tokenizer to `folder`, with `template` (Jinja) as the chat template."""
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)


def _save_config(model: Any, folder: Path) -> None:
    """As transformers' `save_pretrained` writes it of a model in float32."""
    generation = model.generation_config
    generation.do_sample = False
    for name in ("temperature", "top_p", "top_k", "min_p"):  # A sampler's settings are no part of a tool-calling model.
        setattr(generation, name, None)
    model.config.architectures, model.config.dtype = [type(model).__name__], "float32"
    model.config.save_pretrained(folder)
    generation.save_pretrained(folder)


def _save_weights(weights: BaseWeights, read: Callable[[str], Tensor], folder: Path) -> None:
    """In the order of their names over all files, which is that of a single file: llama.cpp's converter takes them as they come."""
    from safetensors.torch import save_file

    shards = list(_shards(weights))
    files = ["model.safetensors"] if len(shards) == 1 else [f"model-{i:05d}-of-{len(shards):05d}.safetensors" for i in range(1, len(shards) + 1)]
    for file, names in zip(files, shards, strict=True):
        save_file({name: read(name).contiguous() for name in names}, folder / file, metadata={"format": "pt"})
    if len(files) > 1:
        where = {name: file for file, names in zip(files, shards, strict=True) for name in names}
        index = {"metadata": {"total_size": _EACH * weights.parameters}, "weight_map": where}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", "utf-8")


def _shards(weights: BaseWeights) -> Iterator[list[str]]:
    """Which weights go into each file."""
    names: list[str] = []
    size = 0
    for name, shape in weights.shapes.items():
        bytes_of = _EACH
        for n in shape:
            bytes_of *= n
        if names and size + bytes_of > SHARD_BYTES:
            yield names
            names, size = [], 0
        names.append(name)
        size += bytes_of
    yield names
