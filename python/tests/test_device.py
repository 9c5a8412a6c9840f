"""Which device trains and what is known of it, with counterfeits of PyTorch's modules for GPUs that are not here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from forge_steps import device, preflight
from forge_steps.device import begin_count, free_memory, give_back, gpus, most_held, pick_device, pick_dtype, random_states, set_random_states
from forge_steps.protocol import StepError
from forge_steps.train import is_out_of_memory

GB = 10**9


@pytest.fixture(autouse=True)
def nothing_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(device.VARIABLE, raising=False)


@pytest.fixture
def apple(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A machine with Apple's GPU: 16 GB that Metal recommends, 5 of them taken."""
    state: dict[str, Any] = {"rng": torch.zeros(44, dtype=torch.uint8), "emptied": 0, "macos": (15, 1)}
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda major, minor: state["macos"] >= (major, minor))
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 16 * GB)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 5 * GB)
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: state.update(emptied=state["emptied"] + 1))
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: state["rng"].clone())
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda rng: state.update(rng=rng.clone()))
    return state


@pytest.fixture
def nvidia(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A machine with two GPUs of CUDA, or of ROCm, which has the same functions."""
    state: dict[str, Any] = {"rng": torch.ones(16, dtype=torch.uint8), "bf16": True, "reset": 0}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: state["bf16"])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (7 * GB, 24 * GB))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3 * GB)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: state.update(reset=state["reset"] + 1))
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda: state["rng"].clone())
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda rng: state.update(rng=rng.clone()))
    return state


def test_a_cpu() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    cpu = pick_device(4)
    assert cpu == torch.device("cpu") and gpus() == 0
    assert free_memory("cpu") is None and most_held(cpu) == 0
    begin_count(cpu), give_back(cpu)
    assert len(random_states(cpu)) == 1


def test_a_cuda_gpu_is_taken_where_there_is_one(nvidia: dict[str, Any]) -> None:
    gpu = pick_device(2)
    assert gpu == torch.device("cuda") and gpus() == 2
    assert pick_dtype(gpu) == torch.bfloat16
    nvidia["bf16"] = False
    assert pick_dtype(gpu) == torch.float32
    assert free_memory("cuda") == 7 * GB and most_held(gpu) == 3 * GB
    begin_count(gpu)
    assert nvidia["reset"] == 1


def test_an_apple_gpu_trains_where_it_is_asked_for(apple: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():
        assert pick_device() == torch.device("cpu")
    monkeypatch.setenv(device.VARIABLE, "mps")
    gpu = pick_device()
    assert gpu == torch.device("mps") and gpus() == 0
    assert pick_dtype(gpu) == torch.bfloat16
    apple["macos"] = (13, 6)
    assert pick_dtype(gpu) == torch.float32
    assert free_memory("mps") == 11 * GB and most_held(gpu) == 5 * GB
    give_back(gpu)
    assert apple["emptied"] == 1
    with pytest.raises(StepError, match="2 processes are to train, and an Apple GPU takes one"):
        pick_device(2)


def test_a_cpu_trains_beside_a_gpu_where_it_is_asked_for(nvidia: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(device.VARIABLE, "cpu")
    assert pick_device() == torch.device("cpu") and gpus() == 0


def test_a_device_that_is_not_there_or_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setenv(device.VARIABLE, "mps")
    with pytest.raises(StepError, match="MCP_FORGE_DEVICE is mps, and this Python's PyTorch finds no such device") as e:
        pick_device()
    assert e.value.hint is not None and "cpu" in e.value.hint
    monkeypatch.setenv(device.VARIABLE, "gpu0")
    with pytest.raises(StepError, match="'gpu0', which is no device"):
        pick_device()


def test_random_states_come_back_on_the_same_kind_of_device_alone(apple: dict[str, Any]) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("mps")
    before = random_states(gpu)
    drawn = torch.rand(3)
    apple["rng"] = torch.full((44,), 9, dtype=torch.uint8)
    set_random_states(before, gpu)
    assert torch.equal(torch.rand(3), drawn) and not apple["rng"].any()
    # From a training on CUDA: the CPU's is taken, the GPU's would be none here.
    set_random_states([before[0], torch.ones(16, dtype=torch.uint8)], gpu)
    assert torch.equal(torch.rand(3), drawn) and len(apple["rng"]) == 44
    apple["rng"] = torch.full((44,), 9, dtype=torch.uint8)
    set_random_states(before, cpu)  # A training that goes on on the CPU.
    assert torch.equal(torch.rand(3), drawn) and apple["rng"].all()


def test_a_training_on_the_cpu_asks_no_gpu_for_its_random_numbers(nvidia: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    on_gpu = random_states(torch.device("cuda"))
    assert len(on_gpu) == 2

    def full() -> Any:
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(torch.cuda, "get_rng_state", full)
    cpu = torch.device("cpu")
    assert len(random_states(cpu)) == 1
    set_random_states(on_gpu, cpu)


def test_memory_of_an_apple_gpu_is_the_machines(apple: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(preflight, "available", lambda: (16 * GB, 4 * GB))
    assert preflight.look("mps", tmp_path).gpu == 4 * GB
    monkeypatch.setattr(preflight, "available", lambda: (64 * GB, 40 * GB))
    assert preflight.look("mps", tmp_path).gpu == 11 * GB
    assert preflight.look("cpu", tmp_path).gpu is None


def test_memory_that_runs_out_is_known_on_every_device() -> None:
    for said in (
        "MPS backend out of memory (MPS allocated: 8.62 GB, other allocations: 1.20 GB, max allowed: 9.07 GB). Tried to allocate 256.00 MB on private pool.",
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some other API call",
        "HIP error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: HIPBLAS_STATUS_ALLOC_FAILED when calling `hipblasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.",
        "[enforce fail at alloc_cpu.cpp:118] data. DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes.",
    ):
        assert is_out_of_memory(RuntimeError(said)), said
    assert is_out_of_memory(torch.AcceleratorError("CUDA error: out of memory")) and is_out_of_memory(torch.OutOfMemoryError("HIP out of memory."))
    for said in ("no kernel image is available", "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`", "CUDA error: an illegal memory access was encountered"):
        assert not is_out_of_memory(RuntimeError(said)), said
