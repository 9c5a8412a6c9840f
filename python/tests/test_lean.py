"""The fused layers compute what PEFT's and transformers' own do, forward and backward."""

from __future__ import annotations

import pytest
import torch
from tiny import tiny_model

from forge_steps.lean import make_lean


def build(lean: bool, dropout: float = 0.0, kind: str = "llama"):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    model = get_peft_model(tiny_model(kind=kind), LoraConfig(r=4, lora_alpha=12, lora_dropout=dropout, target_modules="all-linear", task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.normal_(std=0.1, generator=torch.Generator().manual_seed(3))
    changed = make_lean(model) if lean else 0
    return model.train(), changed


#: Of an architecture the fused modules of a layer: projections without a bias, norms, and the MLP (a Gemma's are others); and matrices of adapters.
LAYERS = {"llama": (7 + 2 + 1, 14), "phi3": (4 + 2 + 1, 8), "glm4": (3 + 4 + 1, 12), "gemma3_text": (7, 14)}


@pytest.mark.parametrize("kind", LAYERS)
def test_outputs_and_gradients_are_the_same(kind: str) -> None:
    ids = torch.randint(0, 300, (3, 17), generator=torch.Generator().manual_seed(5))
    results = []
    for lean in (False, True):
        model, changed = build(lean, kind=kind)
        assert changed == (3 * LAYERS[kind][0] + (kind != "gemma3_text") if lean else 0)  # three layers, and the last norm
        logits = model(input_ids=ids).logits
        logits.square().mean().backward()
        results.append((logits.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}))
    (plain, wanted), (fused, found) = results
    torch.testing.assert_close(fused, plain, rtol=0, atol=1e-5 * plain.abs().max().item())
    assert found.keys() == wanted.keys() and len(found) == 3 * LAYERS[kind][1]
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], rtol=0, atol=1e-4 * wanted[name].abs().max().item())


def test_a_layer_with_dropout_keeps_pefts_own_forward() -> None:
    model, _ = build(lean=False, dropout=0.5)
    assert make_lean(model) == 3 * (2 + 1) + 1


def test_the_widest_tensor_of_a_layer_is_not_kept_for_the_backward_pass() -> None:
    """What a step keeps is counted by what autograd saves: of the MLP gate and up, and of their product nothing."""
    kept: dict[int, int] = {}
    model, _ = build(lean=True)
    width = model.config.intermediate_size
    ids = torch.randint(0, 300, (1, 64), generator=torch.Generator().manual_seed(5))

    def pack(x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] == width and not isinstance(x, torch.nn.Parameter):
            kept[x.untyped_storage().data_ptr()] = x.numel() // width
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        loss = model(input_ids=ids).logits.square().mean()
    assert sorted(kept.values()) == [64] * (2 * model.config.num_hidden_layers)
    loss.backward()


def test_first_derivatives_against_finite_differences() -> None:
    from forge_steps.lean import _GatedLoraLinear, _LoraLinear, _RmsNorm, _SwiGlu

    def r(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)), requires_grad=True)

    weight = r(5, 4).detach()
    assert torch.autograd.gradcheck(lambda x, a, b: _LoraLinear.apply(x, weight, a, b, 1.5), (r(3, 4), r(2, 4), r(5, 2)))
    assert torch.autograd.gradcheck(_SwiGlu.apply, (r(3, 4), r(4, 3).t()))
    assert torch.autograd.gradcheck(lambda gate, up, a, b: _GatedLoraLinear.apply(gate, up, weight, a, b, 1.5), (r(3, 4), r(4, 3).t(), r(2, 4), r(5, 2)))
    # The norm computes in float32 by design; hence the coarser step.
    norm = r(4).detach()
    assert torch.autograd.gradcheck(lambda x: _RmsNorm.apply(x, norm, 1e-6), (r(3, 4),), eps=1e-3, atol=1e-3, rtol=1e-2)
