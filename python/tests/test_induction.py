"""The circuit laid down at the beginning: a model that has learned nothing copies, at any distance, and says what it has no room for."""

from __future__ import annotations

import pytest
import torch
from forge_steps.induction import has_room, slowest
from forge_steps.pretrain import Shape, new_model

SHAPE = Shape(vocabulary=1200, hidden=256, intermediate=512, layers=3, heads=4, key_heads=4, head_width=64, window=4096, rope_theta=1e7)


def model_of(shape: Shape = SHAPE, seed: int = 1):
    return new_model(shape, shape.vocabulary, seed, {}).eval()


@torch.inference_mode()
def said_again(model, length: int, between: int) -> float:
    """Share of random tokens that are right when they come again after others."""
    random = torch.Generator().manual_seed(length)
    once = torch.randint(0, SHAPE.vocabulary, (1, length), generator=random)
    other = torch.randint(0, SHAPE.vocabulary, (1, between), generator=random)
    ids = torch.cat([once, other, once], 1)
    best = model(input_ids=ids).logits[0].argmax(-1)
    begin = length + between
    # Two tokens of context, then every one.
    return float((best[begin + 2 : -1] == ids[0, begin + 3 :]).float().mean())


def test_it_copies_before_it_has_learned_anything() -> None:
    model = model_of()
    # By chance it would be 1 in 1,200.
    assert said_again(model, 40, 0) > 0.4
    assert said_again(model, 40, 300) > 0.3


def test_random_weights_do_not() -> None:
    model = model_of(Shape(**{**vars(SHAPE), "key_heads": 2}))
    assert not has_room(model.config)
    assert said_again(model, 40, 0) < 0.02


def test_layer_0_looks_back_by_so_many_places() -> None:
    model = model_of()
    model.set_attn_implementation("eager")
    ids = torch.randint(0, SHAPE.vocabulary, (1, 200), generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        weights = model(input_ids=ids, output_attentions=True).attentions[0][0]
    for head, places in enumerate((1, 2, 3)):
        assert float(weights[head].diagonal(-places)[8:].mean()) > 0.95


def test_it_follows_from_the_seed() -> None:
    first, same, other = (dict(model_of(seed=s).named_parameters()) for s in (1, 1, 2))
    assert all(torch.equal(first[n], same[n]) for n in first)
    assert not all(torch.equal(first[n], other[n]) for n in first)


@pytest.mark.parametrize("width", [64, 128])
def test_the_slowest_dimensions_come_in_pairs(width: int) -> None:
    dims = slowest(width)
    assert len(set(dims)) == 32 and max(dims) == width - 1
    assert {d + width // 2 for d in dims if d < width // 2} == {d for d in dims if d >= width // 2}
