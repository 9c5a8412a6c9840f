"""What trains. Loop, samples, loss and optimiser are the same for all; a backend decides how the base model lies in memory and what computes its layers.

`transformers`: PEFT on transformers' own model, in the precision that the device computes in. `qlora` (qlora.py): the same with the base's linear layers
in 4 bits. `unsloth` (unsloth_backend.py): Unsloth's kernels, on a CUDA GPU. The spec names one, and it is part of what a checkpoint must agree with: none
is ever chosen by what the machine has. What comes out is the same for all: an adapter in PEFT's form for the base as it is published.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forge_steps.protocol import Spec

if TYPE_CHECKING:
    import torch

NAMES = ("transformers", "qlora", "unsloth")


@dataclass(frozen=True)
class Base:
    """The base model that is to be trained, and in what it computes."""

    gguf: Path
    #: PEFT folder of a head start, which is merged in first.
    below: Path | None
    config: Any
    dtype: torch.dtype
    device: torch.device


class Backend:
    """`transformers`; the others override what they do in another way."""

    name = "transformers"
    #: Whether LoRA layers, norms and MLPs take the fused forms of lean.py, and attention one of attention.py.
    ours = True
    #: Whether it trains on a rounded base, so that the merged model is another than the trained one.
    rounds = False
    #: Whether the CPU's memory holds the whole model, in the precision that trains, before a GPU has it.
    loads_on_host = False
    #: Whether `recompute` still helps once the model is loaded.
    recomputes_late = True

    def check(self) -> None:
        """Raises StepError where this backend cannot run: before anything is loaded."""

    def batching(self, config: Any, wished: str, log: Callable[[str, str], None]) -> str:
        """How samples share a row: as it is wished, or in another way that gives the same gradients, and a word why."""
        return wished

    def bytes_a_weight(self, dtype: torch.dtype) -> float:
        """What a weight of a linear layer (the head is none of them) takes while it trains."""
        return dtype.itemsize

    def load(self, base: Base, longest: int, recomputed: bool, seed: int, scratch: Path) -> Any:
        """The model on its device, in evaluation mode. `longest`: tokens of the longest sample; `scratch`: a folder for what is needed until it returns."""
        return load_plain(base, base.device)

    def adapt(self, model: Any, config: Any) -> Any:
        """The model with a new adapter by PEFT's `config`, which alone is trainable."""
        return plain_adapter(model, config)

    def recompute(self, model: Any) -> None:
        """Makes an adapted model keep the inputs of its layers alone."""
        from forge_steps.recompute import recompute_layers

        recompute_layers(model)

    def step_backward(self, *args: Any, **named: Any) -> tuple[float, int]:
        """`prefix.step_backward` over the model that `adapt` gave."""
        from forge_steps.prefix import step_backward

        return step_backward(*args, **named)


def backend_of(spec: Spec) -> Backend:
    """The one that a spec names under `backend`."""
    name = spec.text("backend", "transformers", choices=NAMES)
    if name == "qlora":
        from forge_steps.qlora import Qlora

        return Qlora()
    if name == "unsloth":
        from forge_steps.unsloth_backend import Unsloth

        return Unsloth()
    return Backend()


def load_plain(base: Base, device: torch.device | None = None) -> Any:
    """The base, its head start merged in, as transformers' own model on `device` (default: the CPU)."""
    from forge_steps.model import load_base

    return load_base(base.gguf, base.dtype, base.config, base.below, device)


def plain_adapter(model: Any, config: Any) -> Any:
    """PEFT's adapter, in the precision of the base: its default keeps adapters, and with them their inputs, in float32: twice the memory for nothing here."""
    from peft import get_peft_model

    return get_peft_model(model, config, autocast_adapter_dtype=False)
