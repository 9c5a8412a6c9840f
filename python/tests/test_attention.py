"""Which attention trains: what fits the device, what is tried there first, and what stands in for a form that fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from counterfeit_ops import Counterfeits
from forge_steps import attention, gpu_kernels, merged_attention, shared_attention
from forge_steps.attention import Form, differs, fall_back, install, may_fall_back
from forge_steps.attention_kernels import KERNELS, CpuFlash
from forge_steps.kernel import Found
from forge_steps.prefix import held_out_loss, shared_prefix, step_backward
from test_prefix import difference, encoded, textbook, trainee
from test_train import base, in_process, told, values, write_spec  # noqa: F401  The fixture is used by its name.
from tiny import tiny_model
from torch import Tensor


class Raises(CpuFlash):
    """Fails from some call on, as a kernel does that a GPU cannot run."""

    name = "raises"

    def __init__(self, after: int = 0) -> None:
        self.left = after

    def backward(self, *args: Any) -> tuple[Tensor, Tensor, Tensor]:
        self.left -= 1
        if self.left < 0:
            raise NotImplementedError("no kernel image is available for execution on the device")
        return super().backward(*args)


class OtherBase(CpuFlash):
    """Takes its logarithms to the base of 2, as some kernels do."""

    name = "other-base"

    def forward(self, *args: Any) -> Found:
        found = super().forward(*args)
        return found._replace(lse=found.lse * 1.4427)


class NoShare(CpuFlash):
    """Its backward pass takes the log-sum-exp of its own keys in place of all parts'."""

    name = "no-share"

    def backward(self, grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, beside: Any, segments: Any, scale: float) -> Any:
        return super().backward(grad, q, k, v, out, self.forward(q, k, v, segments, scale).lse, beside, segments, scale)


@pytest.fixture
def untested(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the CPU a device that nothing was tested on, with the kernels that are named."""

    def make(*kernels: Any) -> list[tuple[str, str]]:
        for kernel in kernels:
            monkeypatch.setitem(KERNELS, kernel.name, kernel)
        monkeypatch.setattr(attention, "TESTED", frozenset())
        monkeypatch.setattr(attention, "BY_DEVICE", {"cpu": tuple(kernel.name for kernel in kernels)})
        return []

    return make


def logged(said: list[tuple[str, str]]) -> Any:
    return lambda level, words: said.append((level, words))


def test_on_a_cpu_it_is_the_fused_kernel_in_float32_and_the_bands_in_bfloat16_and_nothing_is_said() -> None:
    said: list[tuple[str, str]] = []
    model = tiny_model()
    assert install(model, logged(said)) and model.config._attn_implementation == merged_attention.NAME
    assert all(layer.self_attn.forge_kernel.name == "cpu-flash" for layer in model.model.layers)
    assert said == [] and not may_fall_back(model)
    half = tiny_model().to(torch.bfloat16)
    assert install(half, logged(said)) and half.config._attn_implementation == shared_attention.NAME
    windowed = tiny_model(kind="gemma3_text")
    assert install(windowed, logged(said)) and windowed.config._attn_implementation == shared_attention.NAME
    assert said == []


def test_the_first_kernel_that_computes_right_is_taken(untested: Any) -> None:
    said = untested(Raises(), OtherBase(), NoShare(), CpuFlash())
    model = tiny_model()
    assert install(model, logged(said)) and model.config._attn_implementation == merged_attention.NAME
    assert all(layer.self_attn.forge_kernel.name == "cpu-flash" for layer in model.model.layers)
    [(level, words)] = said
    assert level == "info" and words.startswith("attention to the shared beginning: cpu-flash; not raises (it raises NotImplementedError: no kernel image is available")
    assert "not other-base (its values are not those of plain attention (relative difference" in words
    assert "not no-share (its gradients of the queries are not" in words
    assert may_fall_back(model)


def test_layers_with_a_window_take_the_bands_on_any_device(untested: Any) -> None:
    said = untested(CpuFlash())
    model = tiny_model(kind="gemma3_text")
    assert install(model, logged(said)) and model.config._attn_implementation == shared_attention.NAME
    assert said == [("info", "attention to the shared beginning: bands")]


def test_where_nothing_fits_pytorchs_own_trains_and_it_is_said_why(untested: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said = untested(Raises())
    monkeypatch.setattr(shared_attention.SharedAttention, "apply", lambda *args: (_ for _ in ()).throw(RuntimeError("out of\nluck")))
    model = tiny_model()
    assert not install(model, logged(said)) and model.config._attn_implementation == "sdpa"
    [(level, words)] = said
    assert level == "warning" and "a copy of the shared beginning for every sample" in words and "not bands (it raises RuntimeError: out of luck)" in words
    monkeypatch.setattr(attention, "BY_DEVICE", {})
    assert not install(model, logged(said)) and len(said) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(6, 2, 8), (4, 4, 12), (8, 1, 64)])
def test_what_is_right_passes_in_either_precision_and_draws_no_number(shape: tuple[int, int, int], dtype: torch.dtype) -> None:
    before = torch.get_rng_state()
    for kernel, window in ((KERNELS["cpu-flash"], None), (None, None), (None, 24)):
        assert differs(kernel, torch.device("cpu"), dtype, shape, window) is None
    assert torch.equal(torch.get_rng_state(), before)


def test_kernels_say_what_they_are_not_for() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert KERNELS["cpu-flash"].refuses(cpu, torch.float32, 64) is None and KERNELS["cpu-flash"].refuses(cpu, torch.bfloat16, 64) == "bands are faster in 16 bits"
    assert KERNELS["cpu-flash"].refuses(gpu, torch.float32, 64) == "no CPU"
    assert KERNELS["cuda-flash"].refuses(cpu, torch.bfloat16, 64) == "no NVIDIA GPU" and KERNELS["rocm-flash"].refuses(gpu, torch.bfloat16, 64) == "no AMD GPU"
    assert KERNELS["cuda-flash"].refuses(gpu, torch.float32, 64) == "it computes in 16 bits alone"
    assert KERNELS["cuda-efficient"].refuses(gpu, torch.float32, 64) is None and KERNELS["cuda-efficient"].refuses(cpu, torch.float32, 64) is not None


def test_what_a_gpu_can_do_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda")
    for capability, wanted in (((7, 5), "the GPU is older than Ampere"), ((8, 0), None), ((9, 0), None)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, capability=capability: capability)
        assert KERNELS["cuda-flash"].refuses(gpu, torch.bfloat16, 128) == wanted
    assert "512 wide" in (KERNELS["cuda-flash"].refuses(gpu, torch.bfloat16, 512) or "")
    monkeypatch.setattr(torch.version, "hip", "7.1")
    assert KERNELS["rocm-flash"].refuses(gpu, torch.bfloat16, 128) is None
    assert KERNELS["cuda-flash"].refuses(gpu, torch.bfloat16, 128) == KERNELS["cuda-efficient"].refuses(gpu, torch.bfloat16, 128) == "no NVIDIA GPU"


@pytest.mark.parametrize("name", ["cuda-flash", "rocm-flash", "cuda-efficient"])
def test_with_kernels_for_gpus_gradients_are_those_of_the_padded_batch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole model, its layers' calls answered by counterfeits of the operators; and the loss of held-out samples, which shares the prefix too."""
    monkeypatch.setattr(gpu_kernels, "aten", counterfeits := Counterfeits(rocm=name.startswith("rocm")))
    samples = encoded(9)
    loss, wanted = textbook(samples)
    made = trainee("merged")
    attention.use(made.model.get_base_model(), KERNELS[name], Form(name, True, lambda level, words: None))
    prefix = shared_prefix(samples)
    found, _ = step_backward(made.model, samples, prefix, 300)
    assert found == pytest.approx(loss, rel=1e-5) and difference(made.gradients(), wanted) <= 1e-5
    assert sum("backward" in call for call in counterfeits.calls) > 6
    assert held_out_loss(made.model, samples, prefix, 300) == pytest.approx(loss, rel=1e-5)


def test_after_falling_back_gradients_are_still_those_of_the_padded_batch(untested: Any) -> None:
    said = untested()
    samples = encoded(5)
    loss, wanted = textbook(samples)
    made = trainee("merged")
    made.model.get_base_model().forge_attention.log = logged(said)
    fall_back(made.model, "RuntimeError: CUDA error: no kernel image\nmore of it")
    found, _ = step_backward(made.model, samples, shared_prefix(samples), 300)
    assert found == pytest.approx(loss, rel=1e-5) and difference(made.gradients(), wanted) <= 1e-5
    fall_back(made.model, "again")
    assert said == [("warning", "the attention `cpu-flash` failed on this device (RuntimeError: CUDA error: no kernel image): the step is done again with PyTorch's own")]


def test_a_kernel_that_fails_in_training_is_replaced_once_and_the_step_is_done_again(
    base: Path, tmp_path: Path, untested: Any, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:
    straight = in_process(write_spec(tmp_path / "straight", base, hyper={"epochs": 1}), tmp_path / "straight.jsonl")
    untested(Raises(after=2 + 7))  # Two calls in the trial; then in the first step's backward pass, when some layers' gradients are there already.
    figures = in_process(write_spec(tmp_path / "failed", base, hyper={"epochs": 1}), tmp_path / "failed.jsonl")
    events = told(tmp_path / "failed.jsonl")
    assert [e["message"] for e in events if e["type"] == "log" and e["level"] == "warning"] == [
        "the attention `raises` failed on this device (NotImplementedError: no kernel image is available for execution on the device): the step is done again with PyTorch's own"
    ]
    assert "attention to the shared beginning: raises" in [e.get("message") for e in events]
    losses, wanted = (values(told(tmp_path / f"{name}.jsonl"), "loss") for name in ("failed", "straight"))
    assert losses.keys() == wanted.keys() and figures["steps"] == straight["steps"]
    assert json.dumps(figures["examples"]) == json.dumps(straight["examples"])
    # In bfloat16 sums are rounded otherwise.
    exact = figures["precision"] == "float32"
    assert all(losses[i] == pytest.approx(wanted[i], rel=1e-4 if exact else 0.05) for i in wanted)
