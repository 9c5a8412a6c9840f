"""PyTorch's fused attention kernels for GPUs, in the form that merged_attention.py calls (kernel.py).

Called are the operators under `scaled_dot_product_attention`, which gives no log-sum-exp away. Layouts and limits are those of PyTorch 2.13's sources
(aten/src/ATen/native/transformers: cuda/attention.cu, cuda/attention_backward.cu, cuda/flash_attn/flash_api.cpp, hip/flash_attn/aot/mha_all_aot.hip).
They have never been run on a GPU by forge's makers: python/tests/test_gpu_kernels.py holds their arguments against the operators' signatures and their shapes
against PyTorch's own, and attention.py compares values and gradients with plain attention's on the GPU before it trains with them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from forge_steps.kernel import Found, Kernel, Segments, one_sample, solid

aten = torch.ops.aten

#: `custom_mask_type` of the memory-efficient kernels (sdp_utils_cpp.h's `CustomMaskType`).
_NO_MASK, _CAUSAL = 0, 1
#: The memory-efficient kernels read a log-sum-exp in blocks of so many rows, filled up with infinity, whose weights are 0 (kernel_forward.h's `kAlignLSE`).
_BLOCK = 32
#: The widest heads that FlashAttention has kernels for.
_WIDEST = 256


class CudaFlash(Kernel):
    """FlashAttention 2 (arXiv:2307.08691) in 16 bits. Takes grouped queries as they are, and samples of any lengths by where they begin."""

    name = "cuda-flash"
    #: Whether the log-sum-exp of several samples has a row for each, filled up to the longest.
    filled = False

    def refuses(self, device: torch.device, dtype: torch.dtype, dim: int) -> str | None:
        if device.type != "cuda" or torch.version.hip is not None:
            return "no NVIDIA GPU"
        if dtype not in (torch.bfloat16, torch.float16):
            return "it computes in 16 bits alone"
        if torch.cuda.get_device_capability(device) < (8, 0):
            return "the GPU is older than Ampere"
        return _too_wide(dim)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, segments: Segments | None, scale: float) -> Found:
        queries, keys = _sequences(q, k, segments)
        most = (_at_most(queries), _at_most(keys))
        out, lse, *beside = aten._flash_attention_forward(q, k, v, queries.starts, keys.starts, *most, 0.0, segments is not None, False, scale=scale)[:4]
        return Found(out, queries.unfilled(lse) if self.filled else lse, tuple(beside))

    def backward(
        self, grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, beside: tuple[Tensor, ...], segments: Segments | None, scale: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        queries, keys = _sequences(q, k, segments)
        most = (_at_most(queries), _at_most(keys))
        lse = queries.filled(lse, most[0]) if self.filled else solid(lse)
        given = (grad, q, k, v, out, lse, queries.starts, keys.starts, *most)
        dq, dk, dv = aten._flash_attention_backward(*given, 0.0, segments is not None, *beside, scale=scale)
        return dq, dk, dv


class RocmFlash(CudaFlash):
    """The same operators in PyTorch's build for AMD's ROCm, where AOTriton's kernels stand behind them."""

    name = "rocm-flash"
    filled = True

    def refuses(self, device: torch.device, dtype: torch.dtype, dim: int) -> str | None:
        if device.type != "cuda" or torch.version.hip is None:
            return "no AMD GPU"
        return "it computes in 16 bits alone" if dtype not in (torch.bfloat16, torch.float16) else _too_wide(dim)


class CudaEfficient(Kernel):
    """The memory-efficient kernels (arXiv:2112.05682, from xFormers): float32 too, and GPUs before Ampere.

    They know no grouped queries. To the prefix the queries that share a key head are taken as samples of a batch, all of which have the same keys: a
    dimension of stride 0, and no copy. A sample's own keys are repeated.
    """

    name = "cuda-efficient"

    def refuses(self, device: torch.device, dtype: torch.dtype, dim: int) -> str | None:
        return "no NVIDIA GPU" if device.type != "cuda" or torch.version.hip is not None else None

    def forward(self, q: Tensor, k: Tensor, v: Tensor, segments: Segments | None, scale: float) -> Found:
        run, copies = aten._efficient_attention_forward, q.shape[1] // k.shape[1]
        if segments is None:
            keys, values = (x.expand(copies, *x.shape) for x in (k, v))
            out, lse, *beside = run(_apart(q, copies), keys, values, None, None, None, None, None, 0.0, _NO_MASK, True, scale=scale)[:4]
            return Found(_together(out), lse.narrow(-1, 0, len(q)).transpose(0, 1).flatten(0, 1), tuple(beside))
        queries, keys, values = (x.unsqueeze(0) for x in (q, _for_each(k, copies), _for_each(v, copies)))
        starts, most = segments.starts, segments.longest
        out, lse, *beside = run(queries, keys, values, None, starts, starts, most, most, 0.0, _CAUSAL, True, scale=scale)[:4]
        return Found(out.squeeze(0), segments.unfilled(lse), tuple(beside))

    def backward(
        self, grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, beside: tuple[Tensor, ...], segments: Segments | None, scale: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        run, copies = aten._efficient_attention_backward, q.shape[1] // k.shape[1]
        rows = segments.longest if segments is not None else len(q)
        width = rows + -rows % _BLOCK
        if segments is None:
            keys, values = (x.expand(copies, *x.shape) for x in (k, v))
            filled = functional.pad(lse, (0, width - rows), value=float("inf"))
            apart = solid(filled.unflatten(0, (-1, copies)).transpose(0, 1))
            # It takes for granted that `out` lies together.
            given = (_apart(grad, copies), _apart(q, copies), keys, values, None, solid(_apart(out, copies)), None, None, rows, len(k))
            dq, dk, dv, _ = run(*given, apart, 0.0, *beside, _NO_MASK, False, scale=scale)
            return _together(dq), dk.sum(0), dv.sum(0)
        towards, queries, keys, values, found = (x.unsqueeze(0) for x in (grad, q, _for_each(k, copies), _for_each(v, copies), solid(out)))
        given = (towards, queries, keys, values, None, found, segments.starts, segments.starts, rows, rows)
        dq, dk, dv, _ = run(*given, segments.filled(lse, width), 0.0, *beside, _CAUSAL, False, scale=scale)
        return dq.squeeze(0), *(x.squeeze(0).unflatten(1, (-1, copies)).sum(2) for x in (dk, dv))


def _sequences(q: Tensor, k: Tensor, segments: Segments | None) -> tuple[Segments, Segments]:
    """Where sequences of queries and of keys begin and end; without samples each is one."""
    if segments is not None:
        return segments, segments
    return one_sample(len(q), q.device), one_sample(len(k), k.device)


def _too_wide(dim: int) -> str | None:
    return f"its heads are {dim} wide, the kernel's {_WIDEST} at most" if dim > _WIDEST else None


def _at_most(segments: Segments) -> int:
    """A bound on the samples' lengths. Not 1, where FlashAttention takes the queries of a key head for tokens, and orders its log-sum-exp by them."""
    return max(2, segments.longest)


def _apart(x: Tensor, copies: int) -> Tensor:
    """[tokens, heads, dim] → [copies, tokens, key heads, dim], a view: the queries of one key head side by side."""
    return x.unflatten(1, (-1, copies)).permute(2, 0, 1, 3)


def _together(x: Tensor) -> Tensor:
    """The way back."""
    return x.permute(1, 2, 0, 3).flatten(1, 2)


def _for_each(x: Tensor, copies: int) -> Tensor:
    """[keys, key heads, dim] → [keys, heads, dim], a copy for each of a key head's queries."""
    return x.unsqueeze(2).expand(-1, -1, copies, -1).flatten(1, 2)
