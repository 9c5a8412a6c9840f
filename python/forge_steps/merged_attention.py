"""Attention of many samples to one shared prefix, by fused kernels: the form for GPUs.

The samples of a pass lie one after the other in a single sequence, as in shared_attention.py, and nothing is filled up. Two calls of a kernel
(kernel.py, gpu_kernels.py) make a layer's attention: all queries meet the prefix's keys and values, which are there once and not copied; and each sample meets
itself. What the two give is one softmax in two parts, and is joined by their log-sum-exps (at inference: Hydragen, arXiv:2402.05099, and cascade
attention). The backward pass of each part is its kernel's own, given the joined values and the joined log-sum-exp, as in ring attention
(arXiv:2310.01889). No scores lie in memory, and time and memory grow with the samples' tokens, times the prefix's.

Layers that look at a sliding window take shared_attention.py's way on every device.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from forge_steps.kernel import WIDTH_MULTIPLE, Found, Kernel, Segments, one_sample
from forge_steps.shared_attention import Prefix

#: The name under which transformers finds `attend`.
NAME = "forge_merged_prefix"


class MergedAttention(torch.autograd.Function):
    """softmax(scale q [pk, k]t) [pv, v], each sample's own part as far as it stands before a token.

    q: [tokens, heads, dim]; k, v: [tokens, key heads, dim]; pk, pv: [prefix, key heads, dim], or None. Returns [tokens, heads, dim].
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, pk: Tensor | None, pv: Tensor | None, segments: Segments, scale: float, kernel: Kernel
    ) -> Tensor:
        own = kernel.forward(q, k, v, segments, scale)
        if pk is None or pv is None:
            out, lse, first = own.out, own.lse, ()
        else:
            prefix = kernel.forward(q, pk, pv, None, scale)
            (out, lse), first = merged(prefix, own), prefix.beside
        ctx.save_for_backward(q, k, v, pk, pv, out, lse, *own.beside, *first)
        ctx.segments, ctx.scale, ctx.kernel, ctx.beside = segments, scale, kernel, len(own.beside)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, pk, pv, out, lse, *beside = ctx.saved_tensors
        given = (out, lse, tuple(beside[: ctx.beside]), ctx.segments, ctx.scale)
        dq, dk, dv = ctx.kernel.backward(grad, q, k, v, *given)
        if pk is None:
            return dq, dk, dv, None, None, None, None, None
        given = (out, lse, tuple(beside[ctx.beside :]), None, ctx.scale)
        more, dpk, dpv = ctx.kernel.backward(grad, q, pk, pv, *given)
        return dq + more, dk, dv, dpk, dpv, None, None, None


def merged(a: Found, b: Found) -> tuple[Tensor, Tensor]:
    """Values and log-sum-exp of two parts of one softmax: each counts by its share of the sum of exponentials. Joined in the log-sum-exp's precision."""
    share = torch.sigmoid(b.lse - a.lse).t().unsqueeze(-1)
    wide = a.lse.dtype
    return torch.lerp(a.out.to(wide), b.out.to(wide), share).to(a.out.dtype), torch.logaddexp(a.lse, b.lse)


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    shared_prefix: Prefix | None = None,
    segments: Segments | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention in the form that transformers asks for, of one sequence; without `segments` all of it is one sample. The layer has its kernel under
    `forge_kernel` (attention.py)."""
    if query.shape[0] != 1:
        raise ValueError("samples come one after the other in one sequence, not side by side")
    if sliding_window is not None:
        raise ValueError("these kernels take no window: attention.py gives such layers the other form")
    if shared_prefix is not None and shared_prefix.length != shared_prefix.layers[0][0].shape[2]:
        raise ValueError("the prefix must not be filled up: its keys are all seen here")
    width = query.shape[-1]
    past = (None, None) if shared_prefix is None else shared_prefix.layers[module.layer_idx]
    given = [None if x is None else _wide(x)[0].transpose(0, 1) for x in (query, key, value, *past)]
    scale = scaling if scaling is not None else width**-0.5
    own = segments if segments is not None else one_sample(query.shape[2], query.device)
    return MergedAttention.apply(*given, own, scale, module.forge_kernel)[None, ..., :width], None


def _wide(x: Tensor) -> Tensor:
    """x with columns of 0, which change no score, up to a width that kernels take; itself where it has one."""
    lacking = -x.shape[-1] % WIDTH_MULTIPLE
    return functional.pad(x, (0, lacking)) if lacking > 0 else x
