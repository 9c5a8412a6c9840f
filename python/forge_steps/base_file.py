"""What of a base model's GGUF transformers does not read, and what we could not train as llama.cpp will run it.

transformers takes from a GGUF the tensors whose names it knows and drops the others without a word: a bias of a llama's attention, or the factors
by which Llama 3.1 turns its rotary embedding more slowly. The model would train as another one. Here the first are refused, and the second read.
"""

from __future__ import annotations

import math
import re
from typing import Any

from forge_steps.protocol import StepError

#: Tensors of models whose attention is plain (shared_attention.PLAIN_TYPES), in llama.cpp's names.
_TENSORS = re.compile(
    r"(token_embd|output_norm|output|rope_freqs|blk\.\d+\.(attn_norm|attn_q|attn_k|attn_v|attn_output|ffn_norm|ffn_gate|ffn_up|ffn_down))\.weight\Z"
)
#: What some have beside them, by llama.cpp's name of the architecture.
_MORE = {"qwen2": re.compile(r"blk\.\d+\.attn_[qkv]\.bias\Z"), "qwen3": re.compile(r"blk\.\d+\.attn_[qk]_norm\.weight\Z")}

#: How Llama 3.1 and later scale the rotary embedding, beside the factor; all that were published agree.
_LOW, _HIGH, _WINDOW = 1.0, 4.0, 8192
#: What a factor may be off by: it was computed in float32.
_TOLERANCE = 1e-4


def check_tensors(reader: Any) -> None:
    """Raises StepError when the file has weights that training would leave out."""
    architecture = reader.fields["general.architecture"].contents()
    if architecture not in ("llama", "qwen2", "qwen3"):
        return  # transformers knows what it can read of others
    more = _MORE.get(architecture)
    for tensor in reader.tensors:
        if not _TENSORS.match(tensor.name) and not (more and more.match(tensor.name)):
            raise StepError(
                "model/unknown-weights",
                f"the base model has weights that training would leave out ({tensor.name})",
                "It is no plain model of its architecture; use another one.",
            )


def rope_scaling(reader: Any, base: float | None, head: int | None) -> dict[str, Any] | None:
    """transformers' `rope_parameters` of a file whose rotary embedding is scaled; None where it is not. Raises StepError for what we cannot train."""
    architecture = reader.fields["general.architecture"].contents()
    kind = reader.fields.get(f"{architecture}.rope.scaling.type")
    if kind is not None and kind.contents() != "none":
        raise StepError(
            "model/rope", f"the base model scales its rotary embedding in a way that cannot be trained here ({kind.contents()})", "Use another one."
        )
    tensor = next((t for t in reader.tensors if t.name == "rope_freqs.weight"), None)
    if tensor is None:
        return None
    factors = [float(x) for x in tensor.data.reshape(-1)]
    factor = round(max(factors), 4)
    if base is not None and head is not None and len(factors) == head // 2:
        expected = llama3_factors(base, head, factor)
        if all(abs(a - b) <= _TOLERANCE * b for a, b in zip(factors, expected)):
            return {
                "rope_type": "llama3",
                "rope_theta": float(base),
                "factor": factor,
                "low_freq_factor": _LOW,
                "high_freq_factor": _HIGH,
                "original_max_position_embeddings": _WINDOW,
            }
    raise StepError("model/rope", "the base model scales its rotary embedding by factors of its own, which cannot be trained here", "Use another one.")


def llama3_factors(base: float, head: int, factor: float) -> list[float]:
    """By how much each frequency is divided; llama.cpp's conversion/llama.py, `generate_extra_tensors`."""
    factors = []
    for i in range(0, head, 2):
        wavelength = 2 * math.pi * base ** (i / head)
        if wavelength < _WINDOW / _HIGH:
            factors.append(1.0)
        elif wavelength > _WINDOW / _LOW:
            factors.append(factor)
        else:
            smooth = (_WINDOW / wavelength - _LOW) / (_HIGH - _LOW)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return factors
