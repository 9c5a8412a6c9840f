"""Attention of many samples to one shared prefix, on a CPU.

The prefix's keys and values are the same for every sample of a row, so the queries of all samples meet them in one
matrix product a head, without a copy of the prefix a sample (at inference: Hydragen, arXiv:2402.05099, and cascade
attention). Grouped queries share their key head in the same product. Each sample's own tokens are added to the scores
before one softmax over both, so the result is that of ordinary attention over prefix and sample.

Nothing of the size of the scores is kept for the backward pass: it computes them once more, as FlashAttention does
(arXiv:2205.14135). PyTorch's own kernel for CPUs takes two to three times as long where samples are short and the prefix is
long (docs/measurements.md), most of it in the backward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

#: The name under which transformers finds `attend`.
NAME = "forge_shared_prefix"

#: Model types of transformers whose attention is plain: causal over everything, no soft cap, no sinks.
PLAIN_TYPES = frozenset({"llama", "mistral", "qwen2", "qwen3"})

#: Without a prefix, from this width on PyTorch's kernel is the faster one: it skips what the causal mask hides.
WIDE = 512


class SharedAttention(torch.autograd.Function):
    """softmax(scale q [pk, k]t) [pv, v], causal in the own part.

    q: [batch, heads, width, dim]; k, v: [batch, key heads, width, dim]; pk, pv: [key heads, prefix, dim], the prefix's,
    or None. Returns [batch, heads, width, dim]. Heads of one key head are neighbours, as everywhere in transformers.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, pk: Tensor | None, pv: Tensor | None, scale: float) -> Tensor:
        batch, heads, width, dim = q.shape
        groups = k.shape[1]
        queries = _by_key_head(q, groups)
        k, v = k.contiguous(), v.contiguous()
        prefix = 0 if pk is None else pk.shape[1]
        scores = torch.empty((queries.shape[1], prefix + width), dtype=q.dtype, device=q.device)
        weights = torch.empty_like(scores)
        out = torch.empty_like(queries)
        hidden = _hidden(width, q.device)
        for g in range(groups):
            _weigh(queries[g], k[:, g], None if pk is None else pk[g], scale, hidden, scores, weights)
            _mix(weights, v[:, g], None if pv is None else pv[g], out[g])
        ctx.save_for_backward(queries, k, v, pk, pv)
        ctx.scale, ctx.shape = scale, q.shape
        return _by_sample(out, q.shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        queries, k, v, pk, pv = ctx.saved_tensors
        batch, _, width, _ = ctx.shape
        groups = k.shape[1]
        prefix = 0 if pk is None else pk.shape[1]
        grads = _by_key_head(grad, groups)
        dq, dk, dv = torch.empty_like(queries), torch.empty_like(k), torch.empty_like(v)
        dpk, dpv = (None, None) if pk is None else (torch.empty_like(pk), torch.empty_like(pv))
        scores = torch.empty((queries.shape[1], prefix + width), dtype=queries.dtype, device=queries.device)
        weights, dweights = torch.empty_like(scores), torch.empty_like(scores)
        hidden = _hidden(width, queries.device)
        rows = queries.shape[1] // batch
        for g in range(groups):
            _weigh(queries[g], k[:, g], None if pk is None else pk[g], ctx.scale, hidden, scores, weights)
            if pk is not None:
                torch.mm(grads[g], pv[g].t(), out=dweights[:, :prefix])
                dpv[g] = torch.mm(grads[g].t(), weights[:, :prefix]).t()
            for b in range(batch):
                own = slice(b * rows, (b + 1) * rows)
                torch.mm(grads[g, own], v[b, g].t(), out=dweights[own, prefix:])
                torch.mm(weights[own, prefix:].t(), grads[g, own], out=dv[b, g])
            dscores = torch.ops.aten._softmax_backward_data.out(dweights, weights, -1, weights.dtype, grad_input=scores)
            if pk is not None:
                torch.addmm(dq[g], dscores[:, :prefix], pk[g], beta=0, alpha=ctx.scale, out=dq[g])
                dpk[g] = torch.mm(queries[g].t(), dscores[:, :prefix]).t().mul(ctx.scale)
            for b in range(batch):
                own = slice(b * rows, (b + 1) * rows)
                torch.addmm(dq[g, own], dscores[own, prefix:], k[b, g], beta=0 if pk is None else 1, alpha=ctx.scale, out=dq[g, own])
                torch.addmm(dk[b, g], dscores[own, prefix:].t(), queries[g, own], beta=0, alpha=ctx.scale, out=dk[b, g])
        return _by_sample(dq, ctx.shape), dk, dv, dpk, dpv, None


def _by_key_head(x: Tensor, groups: int) -> Tensor:
    """[batch, heads, width, dim] → [key heads, batch · heads of one · width, dim]."""
    batch, heads, width, dim = x.shape
    return x.reshape(batch, groups, heads // groups, width, dim).transpose(0, 1).reshape(groups, -1, dim)


def _by_sample(x: Tensor, shape: torch.Size) -> Tensor:
    """The way back."""
    batch, heads, width, dim = shape
    groups = x.shape[0]
    return x.view(groups, batch, heads // groups, width, dim).transpose(0, 1).reshape(shape)


def _hidden(width: int, device: torch.device) -> Tensor:
    """[width, width], true where a token may not look: at what comes after it."""
    return torch.ones((width, width), dtype=torch.bool, device=device).triu(1)


def _weigh(q: Tensor, k: Tensor, pk: Tensor | None, scale: float, hidden: Tensor, scores: Tensor, weights: Tensor) -> None:
    """Attention weights of one key head's queries [rows, dim] into `weights` [rows, prefix + width]; `scores` is scratch."""
    batch, width, _ = k.shape
    rows = q.shape[0] // batch
    prefix = scores.shape[1] - width
    if pk is not None:
        torch.addmm(scores[:, :prefix], q, pk.t(), beta=0, alpha=scale, out=scores[:, :prefix])
    for b in range(batch):
        own = scores[b * rows : (b + 1) * rows, prefix:]
        torch.addmm(own, q[b * rows : (b + 1) * rows], k[b].t(), beta=0, alpha=scale, out=own)
    scores.view(-1, width, prefix + width)[..., prefix:].masked_fill_(hidden, float("-inf"))
    torch.softmax(scores, -1, out=weights)


def _mix(weights: Tensor, v: Tensor, pv: Tensor | None, out: Tensor) -> None:
    """Values of one key head by their weights, into `out` [rows, dim]."""
    batch, width, _ = v.shape
    rows = out.shape[0] // batch
    prefix = weights.shape[1] - width
    if pv is not None:
        torch.mm(weights[:, :prefix], pv, out=out)
    for b in range(batch):
        own = slice(b * rows, (b + 1) * rows)
        torch.addmm(out[own], weights[own, prefix:], v[b], beta=0 if pv is None else 1, out=out[own])


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    shared_prefix: list[tuple[Tensor, Tensor]] | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention in the form that transformers asks for. `shared_prefix`: each layer's keys and values, [1, key heads, prefix, dim]."""
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    if shared_prefix is None and query.shape[2] > WIDE:
        out = functional.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale, enable_gqa=query.shape[1] != key.shape[1])
    else:
        pk, pv = (None, None) if shared_prefix is None else (x[0] for x in shared_prefix[module.layer_idx])
        out = SharedAttention.apply(query, key, value, pk, pv, scale)
    return out.transpose(1, 2).contiguous(), None


def install(model: Any) -> bool:
    """Makes a model use `attend` where that is right and worth it: plain attention, on a CPU. Says whether it does."""
    from transformers import AttentionInterface

    config = model.config
    plain = config.model_type in PLAIN_TYPES and getattr(config, "sliding_window", None) is None and not getattr(config, "attention_dropout", 0.0)
    if not plain or next(model.parameters()).device.type != "cpu":
        return False
    AttentionInterface.register(NAME, attend)
    model.set_attn_implementation(NAME)
    return True
