"""The device that training runs on, whichever of PyTorch's it is: which one, how much memory it has and took, and its random numbers.

`cuda` is an NVIDIA GPU, or in PyTorch's build for ROCm one of AMD's, under the same functions. `mps` is Apple's. Neither ROCm nor MPS has ever been run by
forge's makers: what is here follows PyTorch 2.13's own modules (torch/cuda, torch/mps), and tests put counterfeits in their place. So an Apple GPU trains only
where MCP_FORGE_DEVICE asks for it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from forge_steps.protocol import StepError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

#: Names the device; without it a CUDA or ROCm GPU is taken where there is one, else the CPU.
VARIABLE = "MCP_FORGE_DEVICE"
NAMES = ("cpu", "cuda", "mps")


def gpus() -> int:
    """How many GPUs can train together: those of CUDA or ROCm that this process sees, unless another device is asked for."""
    import torch

    return 0 if os.environ.get(VARIABLE) in ("cpu", "mps") or not torch.cuda.is_available() else torch.cuda.device_count()


def pick_device(processes: int = 1) -> torch.device:
    """The device that computes. Where it runs is no part of a recipe. `processes`: how many train together; Apple's GPU takes one alone.

    Raises StepError where MCP_FORGE_DEVICE names one that is not there.
    """
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    named = os.environ.get(VARIABLE)
    if not named:
        return torch.device("cuda" if there["cuda"] else "cpu")
    if named not in NAMES:
        raise StepError("step/device", f"{VARIABLE} is {named[:40]!r}, which is no device", f"Set it to {', '.join(NAMES[:-1])} or {NAMES[-1]}, or unset it.")
    if not there[named]:
        has = " and ".join(name for name in NAMES if there[name])
        raise StepError("step/device", f"{VARIABLE} is {named}, and this Python's PyTorch finds no such device", f"Unset it, or name one that is there: {has}.")
    if named == "mps" and processes > 1:
        raise StepError("step/device", f"{processes} processes are to train, and an Apple GPU takes one", f"Remove `train.processes`, or set {VARIABLE}=cpu.")
    return torch.device(named)


def pick_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it (about twice as fast as float32 on AVX512-BF16), else float32.

    Every GPU that ROCm runs on does, those of NVIDIA from Ampere on, and Metal from macOS 14 on.
    """
    import torch

    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type == "mps":
        return torch.bfloat16 if torch.backends.mps.is_macos_or_newer(14, 0) else torch.float32
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)() or getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    return torch.bfloat16 if native else torch.float32


def free_memory(device: str) -> int | None:
    """Bytes of a GPU that are free now; None on a CPU. Apple's is the CPU's own memory: what Metal recommends to take of it at the most, less what it has."""
    import torch

    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    if device == "mps":
        return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return None


def most_held(device: torch.device) -> int:
    """The most bytes of a GPU that were held since `begin_count`; 0 on a CPU. Metal keeps no such figure: what its driver has handed out and not taken back."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return torch.mps.driver_allocated_memory() if device.type == "mps" else 0


def begin_count(device: torch.device) -> None:
    """Lets `most_held` count anew."""
    import torch

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()


def give_back(device: torch.device) -> None:
    """Returns to the GPU what PyTorch keeps of its memory and uses no more."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def random_states(device: torch.device) -> list[Tensor]:
    """The state of torch's random numbers: the CPU's, and that of the GPU where `device`, which trains, is one."""
    import torch

    if device.type == "cuda":
        return [torch.get_rng_state(), torch.cuda.get_rng_state()]
    if device.type == "mps":
        return [torch.get_rng_state(), torch.mps.get_rng_state()]
    return [torch.get_rng_state()]


def set_random_states(states: list[Tensor], device: torch.device) -> None:
    """Puts states back; that of a GPU only where `device` is one of the kind that it is from, which is known by its size."""
    import torch

    torch.set_rng_state(states[0])
    here = random_states(device)
    if len(states) < 2 or len(here) < 2 or len(states[1]) != len(here[1]):
        return
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1])
    else:
        torch.mps.set_rng_state(states[1])
