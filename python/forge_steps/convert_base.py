"""Step `convert_base`: a base model in the hub's form as a GGUF that holds the same bfloat16 (or float16) values.

Spec: `{v: 1, folder, output: gguf, pre_tokenizer: llama.cpp's name, weights?: "bf16" | "f16", metadata: {"general.…": value}, converter: see
convert.find_converter, add?: {tokens: [text], slots: [text]}}`. The folder's files are fetched and checked by forge; only those of names that forge lists are
there, so no code of a repository can run. The pre-tokenizer comes from the family's data file: the converter would
guess it from a test string that newer releases of transformers may cut otherwise. `add` names tokens that the vocabulary lacks and is to have (new_tokens.py).

Guarantees: a weight in the precision that is kept comes out bit for bit, and every one is a finite number; `output` appears only when it is whole.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from forge_steps.protocol import Step, StepError


def run(step: Step) -> dict[str, Any]:
    """Figures: `bytes` and `sha256` of the GGUF."""
    from forge_steps.convert import check_metadata, convert, find_converter, use_converter

    spec = step.spec
    folder, target = spec.path("folder", exists=True), spec.path("output")
    pre_tokenizer, metadata = spec.text("pre_tokenizer"), dict(spec.object("metadata").raw())
    weights = spec.text("weights", choices=("bf16", "f16")) if spec.has("weights") else "bf16"
    check_metadata(metadata)
    use_converter(find_converter(spec.object("converter")))

    from forge_steps.new_tokens import grow, new_tokens
    from forge_steps.model import file_sha256  # before transformers: it keeps that from asking the hub

    step.check()
    part, with_tokens = (target.with_name(f".{target.name}.{os.getpid()}.{what}") for what in ("part", "tokens"))
    try:
        grown = grow(folder, with_tokens, *new_tokens(spec.object("add"))) if spec.has("add") else None
        try:
            convert(folder if grown is None else grown.folder, part, metadata, pre_tokenizer, weights, grown=grown)
        except (OSError, MemoryError, StepError):
            raise
        except Exception as e:  # The converter fails in many ways; all of them mean these files.
            text = (str(e).strip().splitlines() or [""])[0]
            raise StepError("models/unconvertible", f"llama.cpp's converter cannot read the base model: {type(e).__name__}: {text}") from e
        step.check()
        strange = first_not_finite(part)
        if strange is not None:
            raise StepError(
                "models/not-finite",
                f"the base model's weights hold values that are no finite numbers ({strange})",
                "Its files were written that way: fetch it again from its makers, or use another one.",
            )
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
        shutil.rmtree(with_tokens, ignore_errors=True)
    step.artifact("gguf", target)
    return {"bytes": target.stat().st_size, "sha256": file_sha256(target)}


#: Bits of the exponent, all of which are set in what is no finite number, by ggml's type; and the bytes of a weight.
_EXPONENT = {"F16": (0x7C00, 2), "BF16": (0x7F80, 2), "F32": (0x7F800000, 4)}
#: Weights looked at in one go.
_PIECE = 1 << 24


def first_not_finite(gguf: Path) -> str | None:
    """The first tensor of a GGUF, by llama.cpp's name, with an infinite weight or one that is no number; of quantized tensors nothing is said."""
    import numpy as np
    from gguf import GGUFReader

    for tensor in GGUFReader(gguf).tensors:
        if tensor.tensor_type.name not in _EXPONENT:
            continue
        exponent, size = _EXPONENT[tensor.tensor_type.name]
        bits = tensor.data.reshape(-1).view(np.uint16 if size == 2 else np.uint32)
        if any(bool(((bits[at : at + _PIECE] & exponent) == exponent).any()) for at in range(0, len(bits), _PIECE)):
            return str(tensor.name)
    return None
