"""What merged_attention.py needs of an attention kernel: values with the log-sum-exp of their scores, and a backward pass that takes both from outside.

Two kinds of calls: every query sees every key (the shared prefix), and each sample sees itself up to each token (`Segments`: samples of any lengths one after
the other, nothing filled up).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

#: What the width of a head has to be a multiple of.
WIDTH_MULTIPLE = 8


class Segments:
    """Samples one after the other in a sequence, without a gap."""

    def __init__(self, lengths: Sequence[int], device: torch.device | str) -> None:
        """`lengths`: tokens of each sample, none of them 0."""
        self.lengths = tuple(lengths)
        self.longest = max(self.lengths)
        self.tokens = sum(self.lengths)
        #: [samples + 1], int32: where each begins, and where the last one ends.
        self.starts = torch.tensor([0, *self.lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32).to(device)

    @cached_property
    def _place(self) -> tuple[Tensor, Tensor]:
        """Each token's sample, and where it stands in it."""
        of = torch.cat([torch.full((n,), i) for i, n in enumerate(self.lengths)])
        within = torch.cat([torch.arange(n) for n in self.lengths])
        return of.to(self.starts.device), within.to(self.starts.device)

    def _rows(self, width: int) -> Tensor:
        """[tokens]: where each stands among rows of `width`, one a sample."""
        of, within = self._place
        return of * width + within

    def filled(self, lse: Tensor, width: int) -> Tensor:
        """A log-sum-exp [heads, tokens] with a row of `width` a sample, [samples, heads, width]; what fills up is infinite."""
        rows = lse.new_full((len(self.lengths) * width, len(lse)), float("inf"))
        rows.index_copy_(0, self._rows(width), lse.t())
        return solid(rows.view(-1, width, len(lse)).transpose(1, 2))

    def unfilled(self, rows: Tensor) -> Tensor:
        """The way back."""
        return rows.transpose(1, 2).flatten(0, 1).index_select(0, self._rows(rows.shape[2])).t()


class Found(NamedTuple):
    """What a part of attention gives."""

    #: [tokens, heads, dim]
    out: Tensor
    #: [heads, tokens], float32 (float64 of float64): the natural logarithm of the sum of the exponentials of each query's scores.
    lse: Tensor
    #: What the kernel's own backward pass wants back besides: the state of random numbers that nothing is drawn from.
    beside: tuple[Tensor, ...] = ()


class Kernel:
    """Attention of q [tokens, heads, dim] to k, v [keys, key heads, dim]: to every key, or with `segments` (then there are as many keys as tokens) to those of
    the own sample up to the own place. Heads that share a key head are neighbours. Only the last dimension has to lie together in memory."""

    name: str

    def refuses(self, device: torch.device, dtype: torch.dtype, dim: int) -> str | None:
        """Why it cannot compute so, as far as is known without trying; None where it can. `dim` is a multiple of `WIDTH_MULTIPLE`."""
        raise NotImplementedError

    def forward(self, q: Tensor, k: Tensor, v: Tensor, segments: Segments | None, scale: float) -> Found:
        raise NotImplementedError

    def backward(
        self, grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, beside: tuple[Tensor, ...], segments: Segments | None, scale: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of q, k and v. `out` and `lse` may be those of more keys than `k`: then these are the shares of this part's keys, as ring attention has
        them (arXiv:2310.01889), because a weight is exp(score - lse) and what a score gets back depends on the rest through `out` alone."""
        raise NotImplementedError


@lru_cache(maxsize=8)
def one_sample(tokens: int, device: torch.device) -> Segments:
    """A sequence that is one sample."""
    return Segments([tokens], device)


def solid(x: Tensor) -> Tensor:
    """x, lying together in memory in the order of its dimensions."""
    return x if x.is_contiguous() else x.clone(memory_format=torch.contiguous_format)
