"""Attention in two parts, joined by their log-sum-exps: values and gradients are PyTorch's own, for every kernel, as far as they can be had without a GPU."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from counterfeit_ops import Counterfeits
from forge_steps import gpu_kernels
from forge_steps.attention_kernels import KERNELS
from forge_steps.kernel import Segments
from forge_steps.merged_attention import MergedAttention, attend
from forge_steps.shared_attention import Prefix
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional


def reference(q: Tensor, k: Tensor, v: Tensor, pk: Tensor, pv: Tensor, lengths: list[int], scale: float) -> Tensor:
    """The textbook way: each sample alone, the prefix copied before its keys and values, one mask over both. Laid out as ours."""
    found, at = [], 0
    for length in lengths:
        own = slice(at, at + length)
        keys, values = (torch.cat([p, x[own]]).transpose(0, 1)[None] for p, x in ((pk, k), (pv, v)))
        mask = torch.ones((length, keys.shape[2]), dtype=torch.bool).tril(len(pk))
        out = functional.scaled_dot_product_attention(q[own].transpose(0, 1)[None], keys, values, attn_mask=mask, scale=scale, enable_gqa=True)
        found.append(out[0].transpose(0, 1))
        at += length
    return torch.cat(found)


@pytest.fixture(params=["plain", "cpu-flash", "cuda-flash", "rocm-flash", "cuda-efficient"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every kernel: those for a CPU real, those for GPUs with counterfeits of PyTorch's operators."""
    name: str = request.param
    if name.startswith(("cuda", "rocm")):
        monkeypatch.setattr(gpu_kernels, "aten", Counterfeits(rocm=name.startswith("rocm")))
    return name


def test_values_and_gradients_are_pytorchs(kernel: str) -> None:
    @given(
        st.lists(st.integers(1, 40), min_size=1, max_size=5) | st.integers(1, 6).map(lambda n: [1] * n),
        st.integers(1, 3),
        st.integers(1, 3),
        st.sampled_from([0, 1, 2, 33]),
        st.sampled_from([8, 24]),
        st.sampled_from([0.125, 0.3]),
        st.integers(0, 999),
    )
    @settings(max_examples=60, deadline=None)
    def holds(lengths: list[int], groups: int, copies: int, prefix: int, dim: int, scale: float, seed: int) -> None:
        torch.manual_seed(seed)
        tokens = sum(lengths)
        shapes = [(tokens, groups * copies, dim), *[(tokens, groups, dim)] * 2, *[(prefix, groups, dim)] * 2]
        # As layers give them: heads first in memory.
        drawn = [torch.randn((s[1], s[0], s[2]), dtype=torch.float64).transpose(0, 1) for s in shapes]
        found, wanted = ([x.detach().clone(memory_format=torch.preserve_format).requires_grad_() for x in drawn] for _ in range(2))
        shared = found[3:] if prefix > 0 else [None, None]
        ours = MergedAttention.apply(*found[:3], *shared, Segments(lengths, "cpu"), scale, KERNELS[kernel])
        theirs = reference(*wanted, lengths, scale)
        torch.testing.assert_close(ours, theirs)
        towards = torch.randn_like(theirs)
        ours.backward(towards)
        theirs.backward(towards)
        for f, w in zip(found[: 5 if prefix > 0 else 3], wanted, strict=False):
            torch.testing.assert_close(f.grad, w.grad)

    holds()


def test_in_16_bits_it_is_as_near_to_float32_as_one_softmax(kernel: str) -> None:
    generator = torch.Generator().manual_seed(0)
    lengths = [70, 1, 31]
    drawn = [torch.randn((n, heads, 16), generator=generator).bfloat16() for n, heads in ((102, 6), (102, 2), (102, 2), (200, 2), (200, 2))]
    exact = [x.float().requires_grad_() for x in drawn]
    wanted = reference(*exact, lengths, 0.25)
    towards = torch.randn(wanted.shape, generator=generator).bfloat16()
    wanted.backward(towards.float())
    distances = []
    for way in ("ours", "one softmax"):
        given_ = [x.clone().requires_grad_() for x in drawn]
        out = MergedAttention.apply(*given_, Segments(lengths, "cpu"), 0.25, KERNELS[kernel]) if way == "ours" else reference(*given_, lengths, 0.25)
        out.backward(towards)
        pairs = [(out, wanted), *((a.grad, b.grad) for a, b in zip(given_, exact, strict=True))]
        distances.append([float((a.detach().float() - b.detach()).norm() / b.detach().norm()) for a, b in pairs])
    # The plain form, which rounds its scores to 16 bits, is the counterfeits' too.
    allowed = 2 if kernel == "cpu-flash" else 8
    assert all(ours < allowed * max(theirs, 2**-9) for ours, theirs in zip(*distances, strict=True)), distances


def test_large_scores_do_not_overflow(kernel: str) -> None:
    q, k, v = (torch.full((4, 1, 8), x, requires_grad=True) for x in (300.0, 300.0, 1.0))
    pk, pv = torch.full((3, 1, 8), -300.0), torch.zeros((3, 1, 8))
    out = MergedAttention.apply(q, k, v, pk, pv, Segments([4], "cpu"), 1.0, KERNELS[kernel])
    torch.testing.assert_close(out, torch.ones_like(out))
    out.sum().backward()
    assert all(x.grad is not None and x.grad.isfinite().all() for x in (q, k, v))


def test_heads_of_any_width_are_filled_up(kernel: str) -> None:
    torch.manual_seed(0)
    q, k, v, pk, pv = (torch.randn((1, heads, n, 10), dtype=torch.float64).requires_grad_() for heads, n in ((4, 9), (2, 9), (2, 9), (2, 5), (2, 5)))
    layer = SimpleNamespace(layer_idx=1, forge_kernel=KERNELS[kernel])
    nothing = torch.empty((1, 2, 5, 10))
    out, _ = attend(layer, q, k, v, shared_prefix=Prefix([(nothing, nothing), (pk, pv)], 5), segments=Segments([2, 7], "cpu"))
    wanted = reference(*(x[0].transpose(0, 1) for x in (q, k, v, pk, pv)), [2, 7], 10**-0.5)
    torch.testing.assert_close(out[0], wanted)
    found = torch.autograd.grad(out.sum(), (q, k, v, pk, pv), retain_graph=True)
    for ours, theirs in zip(found, torch.autograd.grad(wanted.sum(), (q, k, v, pk, pv)), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_without_a_prefix_it_is_causal_attention(kernel: str) -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 4, 67, 8), torch.randn(1, 2, 67, 8), torch.randn(1, 2, 67, 8)
    out, _ = attend(SimpleNamespace(layer_idx=0, forge_kernel=KERNELS[kernel]), q, k, v)
    torch.testing.assert_close(out, functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).transpose(1, 2))


def test_what_it_cannot_compute_is_refused() -> None:
    q = torch.zeros((1, 2, 4, 8))
    layer = SimpleNamespace(layer_idx=0, forge_kernel=KERNELS["plain"])
    with pytest.raises(ValueError, match="no window"):
        attend(layer, q, q, q, sliding_window=2)
    with pytest.raises(ValueError, match="filled up"):
        attend(layer, q, q, q, shared_prefix=Prefix([(q, q)], 3))
    with pytest.raises(ValueError, match="one after the other"):
        attend(layer, *[q.expand(2, -1, -1, -1)] * 3)
