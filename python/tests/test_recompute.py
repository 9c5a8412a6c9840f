"""Gradient checkpointing beside the shared prefix: the same gradients, to the bit, with less kept."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from forge_steps.adapter import Trainee
from forge_steps.attention import Form, install, use
from forge_steps.attention_kernels import KERNELS
from forge_steps.prefix import held_out_loss, shared_prefix, step_backward
from forge_steps.recompute import recompute_layers
from test_prefix import encoded
from tiny import OTHERS, tiny_model


def made(attention: str, kind: str, recomputed: bool, dropout: float = 0.0) -> Trainee:
    torch.manual_seed(0)
    model = tiny_model(kind=kind)
    if attention == "ours":
        assert install(model)
    elif attention == "merged":
        use(model, KERNELS["cpu-flash"], Form("cpu-flash", False, lambda level, words: None))
    trainee = Trainee(model, rank=4, alpha=8, dropout=dropout, weight_decay=0.0, check=lambda: None)
    state = trainee.state()
    generator = torch.Generator().manual_seed(1)
    weights = {n: torch.randn(w.shape, generator=generator) * 0.1 if "lora_B" in n else w for n, w in state["weights"].items()}
    trainee.load_state({**state, "weights": weights})
    if recomputed:
        assert recompute_layers(trainee.model) == 3
    return trainee


def kept(trainee: Trainee, *given: Any) -> tuple[float, dict[str, torch.Tensor], int]:
    """Loss and gradients of a step, and the bytes that its graph kept at the most."""
    now = most = 0
    sizes: dict[int, int] = {}

    def pack(x: torch.Tensor) -> torch.Tensor:
        nonlocal now, most
        if not x.requires_grad or not x.is_leaf:
            at = x.untyped_storage().data_ptr()
            if at not in sizes:
                sizes[at] = x.untyped_storage().nbytes()
                now += sizes[at]
                most = max(most, now)
        return x

    torch.manual_seed(5)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        loss, _ = step_backward(trainee.model, *given)
    return loss, {n: g.clone() for n, g in trainee.gradients().items()}, most


@pytest.mark.parametrize(("kind", "attention"), [*((kind, "pytorch's") for kind in ("llama", *OTHERS)), ("llama", "ours"), ("gemma3_text", "ours"), ("llama", "merged")])
def test_recomputed_layers_give_the_same_gradients(kind: str, attention: str) -> None:
    samples = encoded(7)
    for prefix in (shared_prefix(samples), 0):
        loss, wanted, before = kept(made(attention, kind, False, dropout=0.2), samples, prefix, 400)
        again, found, after = kept(made(attention, kind, True, dropout=0.2), samples, prefix, 400)
        assert again == loss and found.keys() == wanted.keys()
        assert all(torch.equal(found[n], wanted[n]) for n in wanted)
        assert after < before


def test_an_evaluation_keeps_nothing_either_way() -> None:
    samples = encoded(5)
    prefix = shared_prefix(samples)
    losses = {held_out_loss(made(a, "llama", r).model, samples, prefix, 300) for a in ("ours",) for r in (True, False)}
    assert len(losses) == 1
