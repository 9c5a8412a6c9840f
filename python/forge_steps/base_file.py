"""What of a base model's GGUF transformers does not read, and what we could not train as llama.cpp will run it.

transformers takes from a GGUF the tensors whose names it knows and drops the others without a word: a bias of a llama's attention, or the factors
by which Llama 3.1 turns its rotary embedding more slowly. The model would train as another one. Here the first are refused, and the second read; a
file that lacks tensors is refused too.
"""

from __future__ import annotations

import math
from typing import Any

from forge_steps.protocol import StepError

_BIASES = ("attn_q.bias", "attn_k.bias", "attn_v.bias")


def _weights(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}.weight" for name in names)


_PLAIN = _weights("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")
#: Tensors of each block by llama.cpp's name of the architecture, for those that can be trained (shared_attention.PLAIN_TYPES), in llama.cpp's names;
#: src/models/add/gguf.ts has the same. The `ffn_up` of Phi-3 and GLM-4 holds the gate too.
_BLOCK = {
    "llama": _PLAIN,
    "qwen2": _PLAIN + _BIASES,
    "qwen3": _PLAIN + _weights("attn_q_norm", "attn_k_norm"),
    "phi3": _weights("attn_norm", "attn_qkv", "attn_output", "ffn_norm", "ffn_up", "ffn_down"),
    "gemma3": _PLAIN + _weights("attn_q_norm", "attn_k_norm", "post_attention_norm", "post_ffw_norm"),
    "glm4": _weights("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "post_attention_norm", "ffn_norm", "ffn_up", "ffn_down", "post_ffw_norm"),
}
#: What either all blocks have beside them or none.
_ALL_OR_NONE = {"glm4": _BIASES}
_ALWAYS = ("token_embd.weight", "output_norm.weight")
#: `output` is left out where the embedding stands for it.
_SOMETIMES = ("output.weight", "rope_freqs.weight")
#: Llama 3.1 405B has 126.
_MOST_BLOCKS = 1000

#: How Llama 3.1 and later scale the rotary embedding, beside the factor; all that were published agree.
_LOW, _HIGH, _WINDOW = 1.0, 4.0, 8192
#: What a factor may be off by: it was computed in float32.
_TOLERANCE = 1e-4


def check_tensors(reader: Any) -> None:
    """Raises StepError when the file has weights that training would leave out, or lacks some, which transformers would draw at random."""
    parts = reader.fields.get("split.count")
    if parts is not None and int(parts.contents()) > 1:
        raise StepError("model/split", "the base model's file is one of several parts", "Give the model as one file (llama-gguf-split --merge of llama.cpp).")
    architecture = reader.fields["general.architecture"].contents()
    if architecture not in _BLOCK:
        return  # transformers knows what it can read of others
    blocks = reader.fields.get(f"{architecture}.block_count")
    count = 0 if blocks is None else int(blocks.contents())
    if not 1 <= count <= _MOST_BLOCKS:
        raise StepError("model/missing-weights", "the base model does not say how many blocks it has", "Fetch it again, or use another one.")
    names = {tensor.name for tensor in reader.tensors}
    in_block = _BLOCK[architecture]
    if has_biases(reader):
        in_block += _ALL_OR_NONE.get(architecture, ())
    needed = [*_ALWAYS, *(f"blk.{i}.{name}" for i in range(count) for name in in_block)]
    strange = sorted(names.difference(needed, _SOMETIMES))
    if strange:
        raise StepError(
            "model/unknown-weights",
            f"the base model has weights that training would leave out ({strange[0]})",
            "It is no plain model of its architecture; use another one.",
        )
    missing = next((name for name in needed if name not in names), None)
    if missing is not None:
        raise StepError("model/missing-weights", f"the base model is not whole: it lacks {missing}", "Fetch it again, or use another one.")


def has_biases(reader: Any) -> bool:
    """Whether the attention of the file's model has biases on its queries, keys and values."""
    return any(tensor.name == f"blk.0.{_BIASES[0]}" for tensor in reader.tensors)


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
