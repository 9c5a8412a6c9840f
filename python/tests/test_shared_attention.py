"""Attention to a shared prefix: values and gradients are PyTorch's own, for any shape, and who gets it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_model
from torch import Tensor
from torch.nn import functional

from forge_steps import shared_attention
from forge_steps.attention import install
from forge_steps.merged_attention import NAME as MERGED
from forge_steps.shared_attention import CHUNK, NAME, Bands, SharedAttention, Window, additive, attend


def reference(q: Tensor, k: Tensor, v: Tensor, pk: Tensor, pv: Tensor, scale: float, bands: list[list[int]], window: int | None = None) -> Tensor:
    """The textbook way: each sample alone, the prefix copied before its keys and values, one mask over both."""
    copies = q.shape[1] // k.shape[1]
    out = torch.zeros_like(q)
    width = max(map(sum, bands))
    for start, band in zip(range(0, len(bands) * width, width), bands, strict=True):
        at = start
        for length in band:
            own = slice(at, at + length)
            keys, values = (torch.cat([p[None], x[:, :, own]], 2).repeat_interleave(copies, 1) for p, x in ((pk, k), (pv, v)))
            mask = torch.ones((length, pk.shape[1] + length), dtype=torch.bool).tril(pk.shape[1])
            if window is not None:
                mask = mask.triu(pk.shape[1] - window + 1)
            out[:, :, own] = functional.scaled_dot_product_attention(q[:, :, own], keys, values, attn_mask=mask, scale=scale)
            at += length
    return out


def bands_of(bands: list[list[int]]) -> Bands:
    """The same samples for ours; None for a mask where each band has one of full width."""
    width = max(map(sum, bands))
    whose = torch.tensor([[i for i, length in enumerate(band) for _ in range(length)] + [-1] * (width - sum(band)) for band in bands])
    hidden = (whose[:, :, None] != whose[:, None]) | torch.ones((width, width), dtype=torch.bool).triu(1)
    return Bands(len(bands), width, None if all(band == [width] for band in bands) else additive(hidden, torch.float64))


@given(
    st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=3), min_size=1, max_size=3) | st.integers(1, 9).map(lambda n: [[n], [n]]),
    st.integers(0, 5),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 11),
    st.integers(0, 3),
    st.sampled_from([2, 8]),
    st.sampled_from([0.125, 0.3]),
    st.sampled_from([4, CHUNK]),
    st.sampled_from([None, 1, 3, 12]),
    st.integers(0, 999),
)
@settings(max_examples=150, deadline=None)
def test_values_and_gradients_are_pytorchs(
    samples: list[list[int]], after: int, groups: int, copies: int, prefix: int, fill: int, dim: int, scale: float, chunk: int, size: int | None, seed: int
) -> None:
    torch.manual_seed(seed)
    bands = bands_of(samples)
    tokens = bands.count * bands.width + after
    shapes = [(1, groups * copies, tokens, dim), *[(1, groups, tokens, dim)] * 2, *[(groups, prefix, dim)] * 2]
    found, wanted = ([torch.randn(s, dtype=torch.float64).requires_grad_() for s in shapes] for _ in range(2))
    with torch.no_grad():
        for f, w in zip(found, wanted, strict=True):
            w.copy_(f)
    shared = [functional.pad(x, (0, 0, 0, fill), value=7.0) for x in found[3:]] if prefix > 0 else [None, None]
    counted = torch.zeros(tokens, dtype=torch.float64)
    for band, of in enumerate(samples):
        counted[band * bands.width : band * bands.width + sum(of)] = 1
    at = torch.zeros(tokens, dtype=torch.long)
    for band, of in enumerate(samples):
        at[band * bands.width : band * bands.width + sum(of)] = torch.cat([torch.arange(prefix, prefix + length) for length in of])
    window = None if size is None else Window(size, at, torch.arange(prefix + fill) if prefix > 0 else None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_attention, "CHUNK", chunk)
        # Tokens that fill a band up see themselves; nobody reads what they get.
        ours, theirs = SharedAttention.apply(*found[:3], *shared, prefix, scale, [bands], window) * counted[:, None], reference(*wanted, scale, samples, size)
        torch.testing.assert_close(ours, theirs)
        towards = torch.randn_like(theirs)
        ours.backward(towards)
    theirs.backward(towards)
    for f, w in zip(found[: 5 if prefix > 0 else 3], wanted, strict=False):
        torch.testing.assert_close(f.grad, w.grad)


def test_large_scores_do_not_overflow() -> None:
    q, k, v = (torch.full((1, 1, 4, 8), x).requires_grad_() for x in (300.0, 300.0, 1.0))
    out = SharedAttention.apply(q, k, v, torch.full((1, 3, 8), -300.0), torch.zeros((1, 3, 8)), 3, 1.0, [Bands(1, 4)])
    assert torch.equal(out, torch.ones_like(out))


@pytest.mark.parametrize("width", [5, CHUNK + 1, 2 * CHUNK])
def test_without_a_prefix_it_is_causal_attention(width: int) -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 4, width, 8), torch.randn(1, 2, width, 8), torch.randn(1, 2, width, 8)
    out, _ = attend(None, q, k, v)
    wanted = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).transpose(1, 2)
    torch.testing.assert_close(out, wanted)


def test_scratch_that_was_given_back_is_made_anew() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 4, 40, 8), torch.randn(1, 2, 40, 8), torch.randn(1, 2, 40, 8)
    before, _ = attend(None, q, k, v)
    held = sum(x.numel() for x in shared_attention._ROOMS.values())
    shared_attention.forget_scratch()
    again, _ = attend(None, q[:, :, :20], k[:, :, :20], v[:, :, :20])
    assert 0 < sum(x.numel() for x in shared_attention._ROOMS.values()) < held
    torch.testing.assert_close(again, before[:, :20])


def test_a_model_whose_attention_is_not_plain_keeps_its_own() -> None:
    plain, half, windowed, other = tiny_model(), tiny_model().to(torch.bfloat16), tiny_model(), tiny_model()
    windowed.config.sliding_window = 16
    other.config.model_type = "gemma2"
    assert install(plain) and install(half) and plain.config._attn_implementation == MERGED and half.config._attn_implementation == NAME
    assert not install(windowed) and not install(other)
    assert windowed.config._attn_implementation not in (NAME, MERGED)
