"""Attention to a shared prefix costs as much as there are samples: 256 of them at once as 8 times 32, for every form, counted in operations and bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from costs import most_alive, operations
from counterfeit_ops import WithShapes
from forge_steps import attention, gpu_kernels, shared_attention
from forge_steps.attention import BANDS, Form
from forge_steps.attention_kernels import KERNELS
from forge_steps.kernel import Segments, one_sample
from forge_steps.merged_attention import MergedAttention
from forge_steps.prefix import Encoded, step_backward
from forge_steps.shared_attention import Bands, SharedAttention, additive
from tiny import tiny_model
from torch.nn import functional

#: Tokens of a sample; and of a band, which has several.
SAMPLE, BAND = 16, 64
HEADS, KEY_HEADS, DIM = 6, 2, 8

#: Forms of forge's, and where they are counted: those for a GPU on PyTorch's device without numbers.
FORMS = {"bands": "cpu", "cpu-flash": "cpu", "cuda-flash": "meta", "cuda-efficient": "meta"}


def attention_of(form: str, samples: int, prefix: int = 64) -> Callable[[], None]:
    """Forward and backward pass of a layer's attention for so many samples in one pass."""
    tokens, device = samples * SAMPLE, FORMS.get(form, "cpu")
    q, k, v = (torch.ones((tokens, heads, DIM), device=device, requires_grad=True) for heads in (HEADS, KEY_HEADS, KEY_HEADS))
    pk, pv = (torch.ones((prefix, KEY_HEADS, DIM), device=device, requires_grad=True) for _ in range(2))
    whose = torch.arange(BAND) // SAMPLE
    hidden = (whose[:, None] != whose) | torch.ones((BAND, BAND), dtype=torch.bool).triu(1)
    bands = [Bands(tokens // BAND, BAND, additive(hidden.expand(tokens // BAND, -1, -1), q.dtype))] if form == "bands" else []
    segments = Segments([SAMPLE] * samples, device)

    def run() -> None:
        if form == "bands":
            shared_attention._ROOMS.clear()
            first = [x.transpose(0, 1)[None] for x in (q, k, v)]
            out = SharedAttention.apply(*first, pk.transpose(0, 1), pv.transpose(0, 1), prefix, 0.3, bands)
        elif form == "a copy for each":
            own = [x.view(samples, SAMPLE, -1, DIM).transpose(1, 2) for x in (q, k, v)]
            keys, values = (torch.cat([p.transpose(0, 1).expand(samples, -1, -1, -1), x], 2) for p, x in zip((pk, pv), own[1:], strict=True))
            mask = torch.ones((SAMPLE, prefix + SAMPLE), dtype=torch.bool).tril(prefix)
            out = functional.scaled_dot_product_attention(own[0], keys, values, attn_mask=mask, enable_gqa=True)
        elif form == "one mask over all":
            keys, values = (torch.cat(x).transpose(0, 1)[None] for x in ((pk, k), (pv, v)))
            out = functional.scaled_dot_product_attention(q.transpose(0, 1)[None], keys, values, enable_gqa=True)
        else:
            out = MergedAttention.apply(q, k, v, pk, pv, segments, 0.3, KERNELS[form])
        out.backward(torch.empty_like(out))
        for x in (q, k, v, pk, pv):
            x.grad = None

    return run


@pytest.fixture(autouse=True)
def shapes_of_what_pytorch_has_none_for(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PyTorch 2.13's rule for the shapes of `_efficient_attention_backward` lacks one of its arguments (torch/_meta_registrations.py)."""
    monkeypatch.setattr(gpu_kernels, "aten", WithShapes())
    yield
    one_sample.cache_clear()


@pytest.mark.parametrize("form", FORMS)
def test_eight_times_the_samples_cost_eight_times_as_much(form: str) -> None:
    few, many = attention_of(form, 32), attention_of(form, 256)
    assert most_alive(many) <= 8 * most_alive(few)
    if form != "cuda-efficient":  # PyTorch's counter takes its layout for another one.
        assert operations(many) == 8 * operations(few) > 0


@pytest.mark.parametrize("form", ["cpu-flash", "cuda-flash", "cuda-efficient"])
def test_a_longer_prefix_takes_no_more_memory_for_more_samples(form: str) -> None:
    """So it is copied for none of them, and its scores lie nowhere."""

    def growth(samples: int) -> int:
        long, short = attention_of(form, samples, 1024), attention_of(form, samples, 512)
        long(), short()  # What is kept for all calls is there.
        return most_alive(long) - most_alive(short)

    assert growth(256) == growth(32)


def test_what_these_tests_would_see() -> None:
    """Guards those above: one dense mask costs with the square, and copies of the prefix take memory by the sample."""
    masked = [operations(attention_of("one mask over all", n)) for n in (32, 256)]
    assert masked[1] > 40 * masked[0]
    few, many = (most_alive(attention_of("a copy for each", n, 1024)) - most_alive(attention_of("a copy for each", n, 512)) for n in (32, 256))
    assert many > 7 * few


@pytest.mark.parametrize("form", [BANDS, "cpu-flash"])
def test_a_step_of_256_samples_costs_the_same_in_one_pass_and_in_eight(form: str) -> None:
    prefix = tuple(range(3, 67))
    samples = [Encoded(str(i), (*prefix, *(3 + (i * 7 + j) % 300 for j in range(SAMPLE))), (False,) * 74 + (True,) * 6) for i in range(256)]
    model = tiny_model(layers=1)
    attention.use(model, KERNELS.get(form), Form(form, False, lambda level, words: None))
    counts, passes = [], []
    for row_tokens in (100_000, 64 + 32 * SAMPLE):
        seen: list[int] = []
        counts.append(operations(lambda rows=row_tokens, seen=seen: step_backward(model, samples, 64, rows, seen.append)))
        passes.append(len(seen))
    assert passes == [1, 8]
    assert counts[0] == counts[1]
