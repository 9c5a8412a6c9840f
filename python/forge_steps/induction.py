"""First weights with which a small transformer copies before it has learned anything.

What a tool call needs most is copying: names from the tool list, values from the request. A model with random weights finds
the circuit for it late and suddenly, after millions of tokens in which nothing seems to happen, and smaller models later. The
circuit is known (induction heads, arXiv:2209.11895), so it is laid down here, and training begins where the waiting would have
ended. That weights which begin as trained ones look train better holds beyond this circuit (mimetic initialisation, arXiv:2305.09828).

- Layer 0 looks back: three heads look at the token 1, 2 and 3 places before, by position alone, and write which token it was.
- Layer 1 finds what came next: two heads look where the two tokens before are the two last ones here, two where the one before is
  the last one here; each pair writes the token that it finds as what comes next.
- The heads of other layers begin by looking at tokens like their own.

Nothing is fixed: every weight is trained, and a high rate wears the circuit down before it is used (docs/measurements.md). Contents are compared
only in dimensions that rotary positions hardly turn, so `rope_theta` should be large: 10⁷ leaves half of them still over thousands of tokens.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

#: Rotary pairs, fastest first, that tell a token's distance.
FAST = 8
#: Dimensions of a head, the slowest, that compare contents.
SLOW = 32
#: How sharply heads look back and find: the weights of both norms (a score is at most 8 times their product at a width of 64).
BACK, FIND = 3.0, 2.4
#: Lengths in the stream: of what an embedding says, of what each head that looks back adds, of what both of a pair that find add.
CONTENT, BEFORE, FOUND = 0.32, 0.16, 0.45
#: What is left of random weights: under what is laid down, in projections to scores and to values.
QUIET, HALF_QUIET = 0.05, 0.25
#: Standard deviation of what heads of other layers share between queries and keys.
LIKE = 0.04


def has_room(config: Any) -> bool:
    """Whether a Qwen3 of this shape can hold the circuit: tied embeddings, 256 dimensions or more, four heads with keys of their own
    whose width is a quarter of it, two layers."""
    return bool(
        config.tie_word_embeddings
        and config.hidden_size >= 256
        and config.num_attention_heads == config.num_key_value_heads == 4
        and 4 * config.head_dim == config.hidden_size
        and config.num_hidden_layers >= 2
    )


def lay_down(model: Any, seed: int) -> None:
    """Writes the circuit into a fresh Qwen3 for which `has_room` holds: the embedding and the attention of every layer. Deterministic in `seed`."""
    config = model.config
    hidden, width = config.hidden_size, config.head_dim
    random = torch.Generator().manual_seed(seed)
    half, eighth = hidden // 2, hidden // 8
    # Where in the stream what is said: the token itself, the ones 1, 2 and 3 places before, and a constant.
    content, before = slice(0, half), [slice(half + i * eighth, half + (i + 1) * eighth) for i in range(3)]
    constant = hidden - 1
    name = orthogonal(half, eighth, random).T  # [eighth, half]: a token's shorter name
    layers = model.model.layers
    with torch.no_grad():
        table = torch.randn(config.vocab_size, hidden, generator=random) * (CONTENT / math.sqrt(half))
        table[:, half:] *= 0.1
        table[:, constant] = CONTENT / 2
        model.model.embed_tokens.weight.copy_(table)
        # The norm before a layer makes the stream so many times longer.
        length = math.hypot(CONTENT, CONTENT / 2)
        _look_back(layers[0].self_attn, content, before, name, constant, math.sqrt(hidden) / length, width, config.rope_parameters["rope_theta"])
        length = math.sqrt(length**2 + 3 * BEFORE**2)
        _find(layers[1].self_attn, content, before, name, math.sqrt(hidden) / length, width, random)
        for layer in layers[2:]:
            for head in range(4):
                rows = [head * width + i for i in slowest(width)]
                shared = torch.randn(len(rows), hidden, generator=random) * LIKE
                layer.self_attn.q_proj.weight[rows] += shared
                layer.self_attn.k_proj.weight[rows] += shared


def orthogonal(rows: int, columns: int, random: torch.Generator) -> Tensor:
    """[rows, columns] with orthonormal columns, random."""
    return torch.linalg.qr(torch.randn(rows, columns, generator=random))[0]


def slowest(width: int) -> list[int]:
    """The `SLOW` dimensions of a head that positions turn least; the two of a pair lie half a head apart."""
    half = width // 2
    pairs = range(half - SLOW // 2, half)
    return [*pairs, *(i + half for i in pairs)]


def _look_back(attention: Any, content: slice, before: list[slice], name: Tensor, constant: int, scale: float, width: int, theta: float) -> None:
    half, n = width // 2, name.shape[0]
    turns = torch.tensor([theta ** (-i / half) for i in range(FAST)])
    attention.q_norm.weight.fill_(BACK)
    attention.k_norm.weight.fill_(BACK)
    for head, place in enumerate(before):
        own = slice(head * width, (head + 1) * width)
        q, k = torch.zeros(width), torch.zeros(width)
        q[:FAST] = 1
        # A key that is turned on by so many places meets the query of the token that many places later.
        k[:FAST], k[half : half + FAST] = torch.cos((head + 1) * turns), torch.sin((head + 1) * turns)
        for projection, direction in ((attention.q_proj, q), (attention.k_proj, k)):
            projection.weight[own] *= QUIET
            projection.weight[own, constant] = direction
        attention.v_proj.weight[own] *= HALF_QUIET
        attention.o_proj.weight[:, own] *= HALF_QUIET
        values = slice(own.start, own.start + n)
        attention.v_proj.weight[values, content] = name
        short = CONTENT * scale * math.sqrt(n / (content.stop - content.start))  # length of a short name after the norm
        attention.o_proj.weight[place, values] = torch.eye(n) * (BEFORE / short)


def _find(attention: Any, content: slice, before: list[slice], name: Tensor, scale: float, width: int, random: torch.Generator) -> None:
    attention.q_norm.weight.fill_(FIND)
    attention.k_norm.weight.fill_(FIND)
    n, hidden = name.shape[0], attention.q_proj.weight.shape[1]
    for head in range(4):
        own = slice(head * width, (head + 1) * width)
        rows = [own.start + i for i in slowest(width)]
        q, k = torch.zeros(SLOW, hidden), torch.zeros(SLOW, hidden)
        if head < 2:  # the two tokens before there are the two last ones here
            mix = orthogonal(n, SLOW // 2, random).T
            q[: SLOW // 2, content], k[: SLOW // 2, before[0]] = mix @ name, mix
            q[SLOW // 2 :, before[0]], k[SLOW // 2 :, before[1]] = mix, mix
        else:
            mix = orthogonal(n, SLOW, random).T
            q[:, content], k[:, before[0]] = mix @ name, mix
        for projection, block in ((attention.q_proj, q), (attention.k_proj, k)):
            projection.weight[own] *= QUIET
            projection.weight[rows] = block.to(projection.weight.dtype)
        attention.v_proj.weight[own] *= HALF_QUIET
        attention.o_proj.weight[:, own] *= HALF_QUIET
        part = slice((head % 2) * width, (head % 2 + 1) * width)  # each of a pair carries half of what was found
        attention.v_proj.weight[own, part] = torch.eye(width)
        attention.o_proj.weight[part, own] = torch.eye(width) * (FOUND / (CONTENT * scale))
