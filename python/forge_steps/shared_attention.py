"""Attention of many samples to one shared prefix, in plain operators: the form for CPUs.

The samples of a pass lie one after the other in a single sequence, so that everything but attention sees one long row of
tokens. It is cut into bands of one width, each with whole samples: all queries meet the prefix's keys and values in one matrix
product, without a copy of the prefix a sample (at inference: Hydragen, arXiv:2402.05099, and cascade attention), and a
band's own keys in another, where a mask lets each token see its sample up to itself. Grouped queries share their key head in
the same product. One softmax over both makes the result that of ordinary attention over prefix and sample.

Nothing of the size of the scores is kept for the backward pass: it computes them once more, as FlashAttention does
(arXiv:2205.14135). Long sequences are taken by chunks of queries, whose keys end where they may look no further. Where the
processor multiplies in bfloat16 PyTorch's own kernel takes several times as long, most of it in the backward pass; where it does not, less (docs/measurements.md).

Layers that look at a sliding window take the same way; what lies outside is hidden in the scores. They do so on a GPU too, and so does every model where
the fused kernels of merged_attention.py do not fit (attention.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

#: The name under which transformers finds `attend`.
NAME = "forge_shared_prefix"

#: Model types of transformers whose attention is plain: causal, no soft cap, no sinks; over everything, but for `WINDOWED`.
PLAIN_TYPES = frozenset({"gemma3_text", "glm4", "llama", "mistral", "phi3", "qwen2", "qwen3"})

#: Those of them some of whose layers look no further back than a window.
WINDOWED = frozenset({"gemma3_text"})

#: Queries of one long sequence that are taken at once.
CHUNK = 256


class Prefix(NamedTuple):
    """What all samples see first."""

    #: Each layer's keys and values, [1, key heads, tokens, dim].
    layers: Sequence[tuple[Tensor, Tensor]]
    #: How many of the tokens there are; those after them fill up and are seen by none.
    length: int
    #: [tokens]: where they stand, for layers that look at a window.
    at: Tensor | None = None


class Window(NamedTuple):
    """How far back a layer looks: a token sees itself and those that stand less than `size` before it, in its sample and in the prefix."""

    size: int
    #: [tokens] of the sequence and [prefix]: where they stand. Samples all begin where the prefix ends, wherever they lie in the sequence.
    at: Tensor
    prefix: Tensor | None


class Bands(NamedTuple):
    """Neighbours of one width in the sequence. Tokens after the last bands see nothing, and none sees them."""

    count: int
    width: int
    #: [count, width, 1, width], added to the scores (see `additive`): minus infinity where a token may not look at one of its
    #: band. None: where that comes after it.
    hidden: Tensor | None = None


class SharedAttention(torch.autograd.Function):
    """softmax(scale q [pk, k]t) [pv, v], the own part as far as `bands` let it be seen, and both as far as the `window` reaches.

    q: [1, heads, tokens, dim]; k, v: [1, key heads, tokens, dim]; pk, pv: [key heads, prefix, dim], the prefix's, or None, of
    which the first `length` are seen. Returns [1, heads, tokens, dim]. Heads of one key head are neighbours, as everywhere in
    transformers.
    """

    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        pk: Tensor | None,
        pv: Tensor | None,
        length: int,
        scale: float,
        bands: Sequence[Bands],
        window: Window | None = None,
    ) -> Tensor:
        out = _like(q, bands)
        for tile in _tiles(bands, q.shape[1] // k.shape[1]):
            rows = tile.rows(q, k.shape[1]).mul_(scale)
            weights = tile.weights(rows, tile.keys(k), pk, length, window)
            found = torch.bmm(tile.each(weights, pk), tile.keys(v))
            if pv is not None:
                for g, mine in enumerate(found.view(rows.shape)):
                    mine.addmm_(weights[g, :, : pv.shape[1]], pv[g])
            tile.put_rows(out, found)
        ctx.save_for_backward(q, k, v, pk, pv)
        ctx.length, ctx.scale, ctx.bands, ctx.window = length, scale, bands, window
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, pk, pv = ctx.saved_tensors
        dq, dk, dv = _like(q, ctx.bands), torch.zeros_like(k), torch.zeros_like(v)
        # Turned, here and with `add_keys`: the matrix library multiplies into [dim, keys] in half the time of [keys, dim]. And a product
        # a head for the prefix, as of a stack of matrices with a gap between their rows it first makes a copy.
        dpk, dpv = (None, None) if pk is None else (torch.zeros_like(x.transpose(1, 2), memory_format=torch.contiguous_format) for x in (pk, pv))
        for tile in _tiles(ctx.bands, q.shape[1] // k.shape[1]):
            rows, towards = tile.rows(q, k.shape[1]).mul_(ctx.scale), tile.rows(grad, k.shape[1])
            keys, values = tile.keys(k), tile.keys(v)
            weights = tile.weights(rows, keys, pk, ctx.length, ctx.window)
            dweights = _room(2, weights.shape, weights)
            torch.bmm(tile.each(towards), values.transpose(1, 2), out=tile.each(dweights, pk))
            tile.add_keys(dv, torch.bmm(tile.each(towards).transpose(1, 2), tile.each(weights, pk)))
            for g in range(len(rows) if pk is not None else 0):
                torch.mm(towards[g], pv[g].t(), out=dweights[g, :, : pv.shape[1]])
                dpv[g].addmm_(towards[g].t(), weights[g, :, : pv.shape[1]])
            dscores = torch.ops.aten._softmax_backward_data.out(dweights, weights, -1, weights.dtype, grad_input=_room(0, weights.shape, weights))
            found = torch.bmm(tile.each(dscores, pk), keys)
            tile.add_keys(dk, torch.bmm(tile.each(rows).transpose(1, 2), tile.each(dscores, pk)))
            for g in range(len(rows) if pk is not None else 0):
                found.view(rows.shape)[g].addmm_(dscores[g, :, : pk.shape[1]], pk[g])
                dpk[g].addmm_(rows[g].t(), dscores[g, :, : pk.shape[1]])
            tile.put_rows(dq, found.mul_(ctx.scale))
        turned = (None, None) if dpk is None else (dpk.transpose(1, 2), dpv.transpose(1, 2))
        return dq, dk, dv, *turned, None, None, None, None


@dataclass(frozen=True)
class _Tile:
    """Queries that are taken at once: `length` tokens of each of `count` bands. Each sees `seen` keys of its band before the first.

    A tile's rows are its queries, each with all the heads of a key head: [key heads, count · length · copies, dim].
    """

    #: Where queries and keys begin in the sequence.
    first: int
    first_key: int
    count: int
    length: int
    seen: int
    copies: int
    hidden: Tensor | None

    def rows(self, x: Tensor, groups: int) -> Tensor:
        """The rows of x [1, heads, tokens, dim], a copy."""
        part = x[0, :, self.first : self.first + self.count * self.length]
        return part.unflatten(0, (groups, -1)).transpose(1, 2).clone(memory_format=torch.contiguous_format).flatten(1, 2)

    def put_rows(self, x: Tensor, rows: Tensor) -> None:
        """The way back into x."""
        part = x[0, :, self.first : self.first + self.count * self.length]
        part = part.unflatten(0, (-1, self.copies)).transpose(1, 2)
        part.copy_(rows.view(part.shape))

    def keys(self, x: Tensor) -> Tensor:
        """[key heads · count, keys, dim] of x [1, key heads, tokens, dim]: what each band's queries see."""
        part = x[0, :, self.first_key : self.first_key + self.count * (self.seen + self.length)]
        return part.reshape(-1, self.seen + self.length, x.shape[3])

    def add_keys(self, x: Tensor, of: Tensor) -> None:
        """Adds what belongs to those keys, [key heads · count, dim, keys], to x."""
        part = x[0, :, self.first_key : self.first_key + self.count * (self.seen + self.length)].unflatten(1, (self.count, -1))
        part.add_(of.view(len(part), self.count, *of.shape[1:]).transpose(2, 3))

    def each(self, rows: Tensor, pk: Tensor | None = None) -> Tensor:
        """[key heads · count, length · copies, columns]: each band's rows, without the columns of the prefix pk."""
        return rows.view(-1, self.length * self.copies, rows.shape[2])[..., 0 if pk is None else pk.shape[1] :]

    def weights(self, rows: Tensor, keys: Tensor, pk: Tensor | None, length: int, window: Window | None) -> Tensor:
        """Attention weights [key heads, rows, prefix + keys] of the rows (scaled), good until the next call."""
        prefix = 0 if pk is None else pk.shape[1]
        scores = _room(0, (*rows.shape[:2], prefix + keys.shape[1]), rows)
        if pk is not None:
            torch.bmm(rows, pk.transpose(1, 2), out=scores[..., :prefix])
            scores[..., length:prefix] = float("-inf")
        own = self.each(scores, pk)
        torch.bmm(self.each(rows), keys.transpose(1, 2), out=own)
        own = own.unflatten(0, (-1, self.count)).unflatten(2, (self.length, self.copies))
        if self.hidden is None:
            own[..., self.seen :].add_(_causal(self.length, own.dtype, own.device))
        else:
            own.add_(self.hidden)
        if window is not None:
            self._hide_far(scores, own, prefix, window)
        return torch.softmax(scores, -1, out=_room(1, scores.shape, scores))

    def _hide_far(self, scores: Tensor, own: Tensor, prefix: int, window: Window) -> None:
        """Hides what stands outside the window, of the prefix by where tokens stand, and of a band by how far apart they lie: other samples of
        it are hidden anyway. `own`: [key heads, count, length, copies, keys], a part of the scores."""
        at = window.at[self.first : self.first + self.count * self.length]
        if window.prefix is not None:
            far = at[:, None] - window.prefix >= window.size  # [count · length, prefix]
            scores.unflatten(1, (-1, self.copies))[..., :prefix].masked_fill_(far[:, None], float("-inf"))
        if self.seen + self.length > window.size:
            apart = torch.arange(self.seen, self.seen + self.length, device=own.device)[:, None] - torch.arange(own.shape[-1], device=own.device)
            own.masked_fill_((apart >= window.size)[:, None], float("-inf"))


def _tiles(bands: Sequence[Bands], copies: int) -> Iterator[_Tile]:
    """Bands side by side; those that are one long sequence in chunks."""
    at = 0
    for count, width, hidden in bands:
        if width <= CHUNK or hidden is not None:
            yield _Tile(at, at, count, width, 0, copies, hidden)
        else:
            for band in range(at, at + count * width, width):
                for start in range(0, width, CHUNK):
                    yield _Tile(band + start, band, 1, min(CHUNK, width - start), start, copies, None)
        at += count * width


#: Memory for scores and weights, by what it is for: made anew in every layer it costs more than what is computed in it.
_ROOMS: dict[tuple[int, torch.dtype, torch.device], Tensor] = {}


def _room(which: int, shape: Sequence[int], like: Tensor) -> Tensor:
    """Scratch of a shape, shared by all calls."""
    size = math.prod(shape)
    room = _ROOMS.get((which, like.dtype, like.device))
    if room is None or len(room) < size:
        room = _ROOMS[which, like.dtype, like.device] = torch.empty(size, dtype=like.dtype, device=like.device)
    return room[:size].view(shape)


def forget_scratch() -> None:
    """Gives the scratch back, where memory ran out: it has the size of the largest pass so far."""
    _ROOMS.clear()


def additive(hidden: Tensor, dtype: torch.dtype) -> Tensor:
    """What to add to scores: minus infinity where something is hidden. [..., queries, keys] → [..., queries, 1, keys]."""
    return torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill_(hidden, float("-inf")).unsqueeze(-2)


@lru_cache(maxsize=64)
def _causal(length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """[length, 1, length]: what to add so that a token sees nothing after itself."""
    return additive(torch.ones((length, length), dtype=torch.bool, device=device).triu(1), dtype)


def _like(x: Tensor, bands: Sequence[Bands]) -> Tensor:
    """Room for [1, heads, tokens, dim], zero where no bands are; in memory the tokens come first, as the next layer wants them."""
    _, heads, tokens, dim = x.shape
    room = x.new_empty((1, tokens, heads, dim))
    room[:, sum(b.count * b.width for b in bands) :] = 0
    return room.transpose(1, 2)


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    shared_prefix: Prefix | None = None,
    bands: Sequence[Bands] | None = None,
    sliding_window: int | None = None,
    position_ids: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention in the form that transformers asks for, of one sequence; without `bands` all of it is one. `position_ids`: [1, tokens], of a layer with
    a sliding window."""
    if query.shape[0] != 1:
        raise ValueError("samples come one after the other in one sequence, not side by side")
    pk, pv = (None, None) if shared_prefix is None else (x[0] for x in shared_prefix.layers[module.layer_idx])
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    length = 0 if shared_prefix is None else shared_prefix.length
    window = None
    if sliding_window is not None:
        if position_ids is None or (shared_prefix is not None and shared_prefix.at is None):
            raise ValueError("a layer with a sliding window has to know where tokens stand")
        window = Window(sliding_window, position_ids[0], None if shared_prefix is None else shared_prefix.at)
    out = SharedAttention.apply(query, key, value, pk, pv, length, scale, bands or [Bands(1, query.shape[2])], window)
    return out.transpose(1, 2), None
