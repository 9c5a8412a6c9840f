"""Gradient checkpointing (Chen et al., arXiv:1604.06174): a layer keeps what it is given, and computes the rest once more in the backward pass.

transformers' own switch drops the caches that the shared prefix lives in, so layers are wrapped here, and the prefix's keys and values stand in
caches that a second forward pass of the same layer leaves as they are. Gradients are the same to the bit where arithmetic is deterministic, dropout
included (the random state is put back); it costs about a third of the time, and the memory of one layer in place of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import DynamicCache


def recompute_layers(model: Any) -> int:
    """Makes every decoder layer keep its input alone, where gradients are computed; returns how many layers there are."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    decoder = base.get_decoder() if hasattr(base, "get_decoder") else base.model
    for layer in decoder.layers:
        layer.forward = _recomputed(layer.forward)
    decoder.forge_recomputes = True
    return len(decoder.layers)


def _recomputed(forward: Any) -> Any:
    def run(*args: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*args, **named)
        return checkpoint(forward, *args, use_reentrant=False, **named)

    return run


class PrefixCache(DynamicCache):
    """Takes the keys and values of one sequence; a layer that comes a second time changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[int, tuple[Tensor, Tensor]] = {}

    def update(self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        made = (key_states.contiguous(), value_states.contiguous())  # As transformers' cache lays them out, whose sums are rounded just so.
        self.found.setdefault(layer_idx, made)
        return made

    def pairs(self) -> list[tuple[Tensor, Tensor]]:
        """Each layer's keys and values, in the layers' order."""
        return [self.found[i] for i in sorted(self.found)]


class PastCache(DynamicCache):
    """Keys and values of a prefix, of which each of `count` samples sees a view; what a sample adds is kept nowhere."""

    def __init__(self, pairs: Sequence[tuple[Tensor, Tensor]], count: int) -> None:
        super().__init__()
        self._pairs, self._count = pairs, count

    def update(self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        k, v = (x.expand(self._count, -1, -1, -1) for x in self._pairs[layer_idx])
        return torch.cat([k, key_states], dim=-2), torch.cat([v, value_states], dim=-2)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return int(self._pairs[0][0].shape[-2])
