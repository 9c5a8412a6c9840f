"""Attention kernels by name (kernel.py): those for GPUs (gpu_kernels.py), PyTorch's for CPUs, and the same in plain operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from forge_steps.gpu_kernels import CudaEfficient, CudaFlash, RocmFlash
from forge_steps.kernel import Found, Kernel, Segments

aten = torch.ops.aten


class CpuFlash(Kernel):
    """PyTorch's kernel for CPUs. Each sample is a call. In float32 a step with a long prefix takes a fifth less processor time than with the bands of
    shared_attention.py; in bfloat16 those are faster (docs/measurements.md)."""

    name = "cpu-flash"

    def refuses(self, device: torch.device, dtype: torch.dtype, dim: int) -> str | None:
        if device.type != "cpu":
            return "no CPU"
        return "bands are faster in 16 bits" if dtype.itemsize == 2 else None

    def forward(self, q: Tensor, k: Tensor, v: Tensor, segments: Segments | None, scale: float) -> Found:
        found = [aten._scaled_dot_product_flash_attention_for_cpu(*map(_heads_first, part), 0.0, segments is not None, scale=scale) for part in _parts(segments, q, k, v)]
        return Found(torch.cat([out[0].transpose(0, 1) for out, _ in found]), torch.cat([lse[0] for _, lse in found], 1))

    def backward(
        self, grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, beside: tuple[Tensor, ...], segments: Segments | None, scale: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        run = aten._scaled_dot_product_flash_attention_for_cpu_backward
        # It reads the log-sum-exp in the order of memory that its forward pass makes: tokens first.
        found = [
            run(*map(_heads_first, part[:5]), part[5].contiguous().t()[None], 0.0, segments is not None, scale=scale)
            for part in _parts(segments, grad, q, k, v, out, lse.t())
        ]
        dq, dk, dv = (torch.cat([x[0].transpose(0, 1) for x in of]) for of in zip(*found, strict=True))
        return dq, dk, dv


class Plain(Kernel):
    """The same in plain operators, for any device: what the others are held against. All scores of a sample lie in memory."""

    name = "plain"

    def refuses(self, device: torch.device, dtype: torch.dtype, dim: int) -> str | None:
        return None

    def forward(self, q: Tensor, k: Tensor, v: Tensor, segments: Segments | None, scale: float) -> Found:
        found = []
        for q_, k_, v_ in _parts(segments, q, k, v):
            scores = self._scores(q_, k_, segments is not None, scale)
            found.append(((scores.softmax(-1) @ _repeated(v_, q_)).transpose(0, 1), scores.logsumexp(-1)))
        return Found(torch.cat([out for out, _ in found]), torch.cat([lse for _, lse in found], 1))

    def backward(
        self, grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, beside: tuple[Tensor, ...], segments: Segments | None, scale: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        copies = q.shape[1] // k.shape[1]
        found = []
        for grad_, q_, k_, v_, out_, lse_ in _parts(segments, grad, q, k, v, out, lse.t()):
            weights = (self._scores(q_, k_, segments is not None, scale) - lse_.t()[..., None]).exp()
            towards = grad_.transpose(0, 1)
            rest = (grad_ * out_).sum(-1).t()[..., None]
            dscores = weights * (towards @ _repeated(v_, q_).transpose(1, 2) - rest) * scale
            dk, dv = (x.unflatten(0, (-1, copies)).sum(1).transpose(0, 1) for x in (dscores.transpose(1, 2) @ q_.transpose(0, 1), weights.transpose(1, 2) @ towards))
            found.append(((dscores @ _repeated(k_, q_)).transpose(0, 1), dk, dv))
        dq, dk, dv = (torch.cat(of) for of in zip(*found, strict=True))
        return dq, dk, dv

    @staticmethod
    def _scores(q: Tensor, k: Tensor, causal: bool, scale: float) -> Tensor:
        """[heads, queries, keys]"""
        scores = (q.transpose(0, 1) @ _repeated(k, q).transpose(1, 2)) * scale
        return scores.masked_fill(torch.ones(scores.shape[1:], dtype=torch.bool, device=q.device).triu(1), float("-inf")) if causal else scores


#: All of them by name.
KERNELS: dict[str, Kernel] = {kernel.name: kernel for kernel in (CudaFlash(), RocmFlash(), CudaEfficient(), CpuFlash(), Plain())}


def _heads_first(x: Tensor) -> Tensor:
    """[tokens, heads, dim] → [1, heads, tokens, dim], a view."""
    return x.transpose(0, 1)[None]


def _repeated(x: Tensor, q: Tensor) -> Tensor:
    """[keys, key heads, dim] → [heads of q, keys, dim]."""
    return x.transpose(0, 1).repeat_interleave(q.shape[1] // x.shape[1], 0)


def _parts(segments: Segments | None, *of: Tensor) -> list[Sequence[Tensor]]:
    """Tensors [tokens, …] sample by sample; all of them at once where there are none."""
    if segments is None:
        return [of]
    cut: list[Any] = [x.split(segments.lengths) for x in of]
    return list(zip(*cut, strict=True))
