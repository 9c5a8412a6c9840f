"""What a computation costs, counted and not timed: floating-point operations of its matrix products, and the bytes that are alive at once."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, bmm_flop, sdpa_backward_flop_count, sdpa_flop_count

aten = torch.ops.aten
Shape = tuple[int, ...]


def _added_product(_into: Shape, a: Shape, b: Shape, **_: Any) -> int:
    return int(bmm_flop((1, *a), (1, *b)))


def _forward(q: Shape, k: Shape, v: Shape, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(q, k, v))


def _backward(grad: Shape, q: Shape, k: Shape, v: Shape, *_: Any, **__: Any) -> int:
    return int(sdpa_backward_flop_count(grad, q, k, v))


#: What PyTorch's counter has no formula for, by the shapes of what is given.
_MORE = {
    aten.addmm_: _added_product,
    aten._scaled_dot_product_flash_attention_for_cpu: _forward,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: _backward,
}


class _Alive(TorchDispatchMode):
    """Adds up the memory of what operators return, and takes it off again where the last tensor of it is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {x.untyped_storage()._cdata for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)}
        found = func(*args, **(kwargs or {}))
        for x in tree_leaves(found):
            if isinstance(x, torch.Tensor):
                memory = x.untyped_storage()
                if memory._cdata not in self._known and memory._cdata not in given:
                    self._known.add(memory._cdata)
                    self.now += memory.nbytes()
                    weakref.finalize(memory, self._gone, memory._cdata, memory.nbytes())
        self.most = max(self.most, self.now)
        return found

    def _gone(self, which: int, size: int) -> None:
        self._known.discard(which)
        self.now -= size


def operations(work: Callable[[], object]) -> int:
    """Floating-point operations of matrix products and attention kernels."""
    with FlopCounterMode(display=False, custom_mapping=_MORE) as counter:
        work()
    return counter.get_total_flops()


def most_alive(work: Callable[[], object]) -> int:
    """The most bytes at once of what `work` makes."""
    with _Alive() as alive:
        work()
    return alive.most
