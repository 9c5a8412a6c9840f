"""Attention to a shared prefix: values and gradients are PyTorch's own, for any shape, and who gets it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_model
from torch import Tensor
from torch.nn import functional

from forge_steps.shared_attention import NAME, WIDE, SharedAttention, attend, install


def reference(q: Tensor, k: Tensor, v: Tensor, pk: Tensor, pv: Tensor, scale: float) -> Tensor:
    """The textbook way: the prefix copied before every sample's keys and values, one mask over both."""
    batch, heads, width, _ = q.shape
    copies = heads // k.shape[1]
    keys, values = (torch.cat([p.expand(batch, -1, -1, -1), x], 2).repeat_interleave(copies, 1) for p, x in ((pk, k), (pv, v)))
    mask = torch.ones((width, pk.shape[1] + width), dtype=torch.bool).tril(pk.shape[1])
    return functional.scaled_dot_product_attention(q, keys, values, attn_mask=mask, scale=scale)


@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 9),
    st.integers(0, 11),
    st.sampled_from([2, 8]),
    st.sampled_from([0.125, 0.3]),
    st.integers(0, 999),
)
@settings(max_examples=60, deadline=None)
def test_values_and_gradients_are_pytorchs(batch: int, groups: int, copies: int, width: int, prefix: int, dim: int, scale: float, seed: int) -> None:
    torch.manual_seed(seed)
    shapes = [(batch, groups * copies, width, dim), *[(batch, groups, width, dim)] * 2, *[(groups, prefix, dim)] * 2]
    found, wanted = ([torch.randn(s, dtype=torch.float64).requires_grad_() for s in shapes] for _ in range(2))
    with torch.no_grad():
        for f, w in zip(found, wanted, strict=True):
            w.copy_(f)
    shared = found[3:] if prefix > 0 else [None, None]
    ours, theirs = SharedAttention.apply(*found[:3], *shared, scale), reference(*wanted, scale)
    torch.testing.assert_close(ours, theirs)
    towards = torch.randn_like(theirs)
    ours.backward(towards)
    theirs.backward(towards)
    for f, w in zip(found[: 5 if prefix > 0 else 3], wanted, strict=False):
        torch.testing.assert_close(f.grad, w.grad)


def test_large_scores_do_not_overflow() -> None:
    q, k, v = (torch.full((1, 1, 4, 8), x).requires_grad_() for x in (300.0, 300.0, 1.0))
    out = SharedAttention.apply(q, k, v, torch.full((1, 3, 8), -300.0), torch.zeros((1, 3, 8)), 1.0)
    assert torch.equal(out, torch.ones_like(out))


@pytest.mark.parametrize("width", [5, WIDE + 1])
def test_without_a_prefix_it_is_causal_attention(width: int) -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 4, width, 8), torch.randn(1, 2, width, 8), torch.randn(1, 2, width, 8)
    out, _ = attend(None, q, k, v)
    wanted = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).transpose(1, 2)
    torch.testing.assert_close(out, wanted)


def test_a_model_whose_attention_is_not_plain_keeps_its_own() -> None:
    plain, windowed, other = tiny_model(), tiny_model(), tiny_model()
    windowed.config.sliding_window = 16
    other.config.model_type = "gemma3_text"
    assert install(plain) and plain.config._attn_implementation == NAME
    assert not install(windowed) and not install(other)
    assert windowed.config._attn_implementation != NAME
