"""Backend `qlora`: what is in 4 bits and what is not, whose gradients they are, and a training of it from the spec to the merged model."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from forge_steps.adapter import Trainee
from forge_steps.attention import install
from forge_steps.backends import Backend, backend_of
from forge_steps.checkpoint import digest_of
from forge_steps.head_start import read_adapter
from forge_steps.lean import make_lean
from forge_steps.model import load_base
from forge_steps.preflight import estimate
from forge_steps.prefix import held_out_loss, shared_prefix, step_backward
from forge_steps.protocol import Spec, StepError
from forge_steps.qlora import BYTES_A_WEIGHT, Qlora, quantize_linears
from forge_steps.recompute import recompute_layers
from forge_steps.verify import Distance
from test_preflight import QWEN
from test_prefix import difference, encoded
from test_train import PYTHON, finish, in_process, told, values, write_spec
from tiny import save_base, tiny_model

CPU = torch.device("cpu")
WEIGHTS = "adapter_model.safetensors"


def start(spec: Path, packages: bool = True) -> subprocess.Popen[str]:
    """The step in a process that has (or has not) the packages of the backend, as its own environment has them."""
    path = os.pathsep.join([str(PYTHON), *([p for p in sys.path if (Path(p) / "bitsandbytes").is_dir()] if packages else [])])
    return subprocess.Popen(
        [sys.executable, "-m", "forge_steps", "train", "--spec", str(spec)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"},
    )  # fmt: skip


def quantized(kind: str = "llama", dtype: torch.dtype = torch.float32) -> Any:
    model = tiny_model(kind=kind).to(dtype)
    quantize_linears(model, CPU)
    return model


def written_out(model: Any) -> Any:
    """The same model with plain layers that hold what the 4-bit ones compute with."""
    plain = tiny_model(kind=model.config.model_type)
    for (name, layer), other in zip(model.named_modules(), plain.modules(), strict=True):
        if isinstance(layer, Linear4bit):
            with torch.no_grad():
                other.weight.copy_(dequantize_4bit(layer.weight, layer.weight.quant_state))
            assert name.split(".")[-1].endswith("_proj")
    return plain


def adapted(model: Any, backend: Backend, dropout: float = 0.0) -> Trainee:
    """A trainee whose LoRA B matrices are not zero, so that every gradient says something."""
    torch.manual_seed(0)
    assert install(model)
    made = Trainee(model, rank=4, alpha=8, dropout=dropout, weight_decay=0.0, check=lambda: None, backend=backend)
    generator = torch.Generator().manual_seed(1)
    state = made.state()
    made.load_state({**state, "weights": {n: torch.randn(w.shape, generator=generator) * 0.1 for n, w in state["weights"].items()}})
    return made


def learned(trainee: Trainee) -> tuple[float, dict[str, torch.Tensor]]:
    samples = encoded(6)
    loss, _ = step_backward(trainee.model, samples, shared_prefix(samples), 400)
    return loss, {name.replace(".base_layer", ""): grad.clone() for name, grad in trainee.gradients().items()}


def test_the_layers_are_in_4_bits_and_norms_embeddings_head_and_biases_are_not() -> None:
    model = tiny_model(kind="qwen2").to(torch.bfloat16)
    plain = copy.deepcopy(model)
    assert quantize_linears(model, CPU) == 3 * 7
    for (name, layer), before in zip(model.named_modules(), plain.modules(), strict=True):
        if isinstance(before, torch.nn.Linear) and name != "lm_head":
            assert isinstance(layer, Linear4bit) and layer.weight.dtype == torch.uint8
            state = layer.weight.quant_state
            assert (state.quant_type, state.blocksize, state.nested, state.dtype) == ("nf4", 64, True, torch.bfloat16)
            found = dequantize_4bit(layer.weight, state).float()
            # NF4's widest gap is 0.304 of a block's largest weight, and a weight is at most half of it away; bfloat16 and the scales' own rounding come on top.
            blocks = before.weight.detach().float().reshape(-1, 64)
            assert ((found.reshape(-1, 64) - blocks).abs() <= 0.17 * blocks.abs().amax(1, keepdim=True) + 0.02).all()
            kept = layer.weight.numel() + state.absmax.numel() + 4 * state.state2.absmax.numel()
            assert kept == pytest.approx(BYTES_A_WEIGHT * before.weight.numel(), rel=0.01)
            assert (layer.bias is None) == (before.bias is None) and (layer.bias is None or torch.equal(layer.bias, before.bias))
        elif isinstance(before, (torch.nn.Linear, torch.nn.Embedding)) or "norm" in name.split(".")[-1]:
            assert type(layer) is type(before) and torch.equal(layer.weight, before.weight), name


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_gradients_are_those_of_the_rounded_weights_and_flow_to_the_adapter_alone(kind: str) -> None:
    model = quantized(kind)
    plain, four = adapted(written_out(model), Backend()), adapted(model, Qlora())
    loss, gradients = learned(four)
    expected, same = learned(plain)
    assert loss == pytest.approx(expected, rel=1e-5) and difference(gradients, same) < 1e-4
    assert all("lora_" in name for name in gradients) and min(float(g.abs().max()) for g in gradients.values()) > 0
    assert [name for name, p in four.model.named_parameters() if p.requires_grad and "lora_" not in name] == []
    assert all(p.grad is None for p in four.model.parameters())


def test_recomputed_layers_and_dropout_go_the_same_way() -> None:
    once, again = adapted(quantized(), Qlora()), adapted(quantized(), Qlora())
    recompute_layers(again.model)
    (loss, gradients), (other, same) = learned(once), learned(again)
    assert other == pytest.approx(loss, rel=1e-6) and difference(gradients, same) < 1e-5
    # With dropout PEFT's own layer runs, over bitsandbytes' product.
    loss, gradients = learned(adapted(quantized(), Qlora(), dropout=0.1))
    assert 0 < loss < 100 and all(torch.isfinite(g).all() for g in gradients.values())


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_an_evaluation_between_steps_leaves_the_weights_readable(dropout: float) -> None:
    trainee, samples = adapted(quantized(dtype=torch.bfloat16), Qlora(), dropout), encoded(4, seed=2)
    assert {p.dtype for p in trainee.model.parameters() if p.requires_grad} == {torch.bfloat16}
    prefix = shared_prefix(samples)
    before = held_out_loss(trainee.model, samples, prefix, 400)
    step_backward(trainee.model, samples, prefix, 400)
    assert held_out_loss(trainee.model, samples, prefix, 400) == before


def test_our_fused_layers_are_taken_for_4_bits_too() -> None:
    from peft import LoraConfig

    config = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    counts = [make_lean(backend.adapt(model, config)) for backend, model in ((Qlora(), quantized()), (Backend(), tiny_model()))]
    assert counts[0] == counts[1] > 21


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a training that nothing disturbed, and its figures."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, in_process(write_spec(folder, base, backend="qlora", hyper={"epochs": 1}), folder / "events")


def test_it_trains_and_says_how_far_the_merged_model_is_from_the_trained_one(base: Path, whole: tuple[Path, dict[str, Any]]) -> None:
    folder, figures = whole
    assert figures["backend"] == "qlora" and figures["steps"] == 6 and figures["final_loss"] < 0.95 * figures["first_loss"]
    # Two models of random weights that are large: what is rounded of them is told, and is about what rounding alone does to the base.
    rounding = Distance()
    ids = torch.tensor([s.ids[:35] for s in encoded(8)])
    exact, four = load_base(base, torch.float32), quantized_base(base)
    with torch.inference_mode():
        rounding.add(four(ids).logits.flatten(0, 1).numpy().copy(), exact(ids).logits.flatten(0, 1).numpy().copy())
    assert figures["merging_positions"] == 1000 and 0.2 * rounding.kl_mean < figures["merging_kl"] < 3 * rounding.kl_mean
    assert figures["merging_kl"] <= figures["merging_kl_max"] and 0 < figures["merging_top1"] < 1
    # The adapter is one for the published base, in PEFT's own form: nothing of the 4 bits is in it.
    weights, config = read_adapter(folder / "adapter")
    assert {w.dtype for w in weights.values()} == {torch.float32} and all(".lora_" in name for name in weights)
    assert sorted(p.name for p in (folder / "adapter").iterdir()) == ["adapter_config.json", WEIGHTS] and config["r"] == 4


def quantized_base(base: Path) -> Any:
    model = load_base(base, torch.float32)
    quantize_linears(model, CPU)
    return model


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_curve(base: Path, tmp_path: Path, whole: tuple[Path, dict[str, Any]]) -> None:
    spec = write_spec(tmp_path, base, backend="qlora", checkpoint_steps=1, hyper={"epochs": 1})
    first = start(spec)
    assert first.stdout is not None
    seen: list[dict[str, Any]] = []
    for line in first.stdout:
        seen.append(json.loads(line))
        if len(values(seen, "loss")) == 3:
            first.kill()
            break
    first.wait(10)
    assert in_process(spec, tmp_path / "events")["resumed_from"] in range(2, 6)
    curve, straight = {**values(seen, "loss"), **values(told(tmp_path / "events"), "loss")}, values(told(whole[0] / "events"), "loss")
    assert curve == pytest.approx(straight, rel=1e-6)
    assert (tmp_path / "adapter" / WEIGHTS).read_bytes() == (whole[0] / "adapter" / WEIGHTS).read_bytes()


@pytest.mark.slow
def test_a_training_that_is_killed_while_it_is_compared_is_compared_again(base: Path, tmp_path: Path, whole: tuple[Path, dict[str, Any]]) -> None:
    """Its adapter is saved by then, and no row is smaller for it."""
    events: list[dict[str, Any]] = []
    first = start(write_spec(tmp_path, base, backend="qlora", hyper={"epochs": 1}))
    assert first.stdout is not None
    for line in first.stdout:
        events.append(json.loads(line))
        if str(events[-1].get("message")).startswith("comparing"):
            first.kill()
            break
    first.wait(10)
    assert (tmp_path / "adapter" / WEIGHTS).is_file()
    [*_, last] = finish(start(write_spec(tmp_path, base, backend="qlora", hyper={"epochs": 1}, killed=1)))
    assert last["type"] == "result" and "row_tokens" not in last["figures"], last
    assert (last["figures"]["resumed_from"], last["figures"]["merging_kl"]) == (6, pytest.approx(whole[1]["merging_kl"], rel=1e-3))
    with pytest.raises(StepError, match="the last 2 of them after its last step, while the trained model was compared with the merged one"):
        in_process(write_spec(tmp_path, base, backend="qlora", hyper={"epochs": 1}, killed=2), tmp_path / "events")


def test_on_top_of_a_head_start_it_saves_both_as_one(base: Path, tmp_path: Path, whole: tuple[Path, dict[str, Any]]) -> None:
    from forge_steps.model import file_sha256

    below = whole[0] / "adapter"
    head_start = {"adapter": str(below), "sha256": file_sha256(below / WEIGHTS)}
    figures = in_process(write_spec(tmp_path, base, backend="qlora", head_start=head_start, hyper={"epochs": 0.5}), tmp_path / "events")
    assert figures["merging_positions"] == 1000 and figures["steps"] == 3
    assert read_adapter(tmp_path / "adapter")[1]["r"] == 8


def test_without_bitsandbytes_it_is_refused_before_anything_is_loaded(base: Path, tmp_path: Path) -> None:
    last = finish(start(write_spec(tmp_path, base, backend="qlora"), packages=False))[-1]
    assert (last["type"], last["code"]) == ("error", "step/package-missing") and "bitsandbytes" in last["message"] and "doctor --fix" in last["hint"]


def test_a_backend_is_named_and_a_checkpoint_belongs_to_one() -> None:
    assert [backend_of(Spec(s)).name for s in ({}, {"backend": "qlora"}, {"backend": "unsloth"})] == ["transformers", "qlora", "unsloth"]
    with pytest.raises(StepError):
        backend_of(Spec({"backend": "axolotl"}))
    spec = {"base": {}, "hyper": {}, "seed": 1}
    digests = [digest_of({**spec, **more}, []) for more in ({}, {"backend": "transformers"}, {"backend": "qlora"}, {"backend": "unsloth"})]
    assert digests[0] == digests[1] and len(set(digests)) == 3


def test_what_it_needs_is_counted_in_4_bits() -> None:
    given: dict[str, Any] = {"rank": 16, "row_tokens": 2560, "longest": 900, "tokens": 100_000, "bytes_each": 2, "device": "cuda"}
    plain, four = estimate(QWEN, **given), estimate(QWEN, **given, bytes_a_weight=Qlora().bytes_a_weight(torch.bfloat16), loaded_on_host=Qlora().loads_on_host)
    saved = (2 - BYTES_A_WEIGHT) * QWEN.linear
    assert plain.training - four.training == pytest.approx(saved, rel=0.01) and saved > 19e9
    assert four.disk == plain.disk and four.loading > plain.loading
    assert Backend().bytes_a_weight(torch.bfloat16) == 2 and estimate(QWEN, **given, bytes_a_weight=2).training == plain.training
