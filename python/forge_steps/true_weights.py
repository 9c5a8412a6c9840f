"""The weights that an optimiser updates: kept in float32, while the model computes with a copy in its own precision.

Gradients are gathered in float32 as each row's backward pass delivers them, so that neither small updates nor sums of many
rows are lost to rounding. All true weights lie in one tensor, and so do their gradients: the optimiser makes one pass over
memory, not one over each of some hundred small matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class TrueWeights:
    """The trainable parameters of a model, as float32 tensors of the same names and shapes, with AdamW."""

    def __init__(self, model: nn.Module, weight_decay: float, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self._inside = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._flat = nn.Parameter(torch.cat([p.detach().float().flatten() for p in self._inside.values()]))
        self._flat.grad = torch.zeros_like(self._flat)
        self._true, self._grads = self._named(self._flat.data), self._named(self._flat.grad)
        for name, p in self._inside.items():
            p.register_post_accumulate_grad_hook(self._gather(self._grads[name]))
        self._optimiser = torch.optim.AdamW([self._flat], lr=0.0, betas=betas, weight_decay=weight_decay, fused=True)

    def _named(self, flat: Tensor) -> dict[str, Tensor]:
        """Each parameter's part of one tensor that holds them all, as views."""
        parts = flat.split([p.numel() for p in self._inside.values()])
        return {name: part.view(p.shape) for (name, p), part in zip(self._inside.items(), parts, strict=True)}

    @staticmethod
    def _gather(sum_of_rows: Tensor) -> Callable[[Tensor], None]:
        def hook(inside: Tensor) -> None:
            if inside.grad is not None:
                sum_of_rows.add_(inside.grad)
                inside.grad = None

        return hook

    def step(self, learning_rate: float, max_grad_norm: float) -> float:
        """One update with the gathered gradients; returns their norm before clipping. No update when that is not finite."""
        norm = torch.nn.utils.clip_grad_norm_([self._flat], max_grad_norm).item()
        if norm == norm and abs(norm) != float("inf"):
            for group in self._optimiser.param_groups:
                group["lr"] = learning_rate
            self._optimiser.step()
            self._copy_in()
        self._optimiser.zero_grad(set_to_none=False)
        return norm

    @torch.no_grad()
    def _copy_in(self) -> None:
        torch._foreach_copy_(list(self._inside.values()), list(self._true.values()))

    def named(self) -> dict[str, Tensor]:
        """The true weights by parameter name. Views: clone what is kept."""
        return dict(self._true)

    def gradients(self) -> dict[str, Tensor]:
        """The gathered gradients by parameter name (for tests)."""
        return dict(self._grads)

    def flat_gradients(self) -> Tensor:
        """The gathered gradients as one tensor [parameters]: themselves, no copy."""
        assert self._flat.grad is not None
        return self._flat.grad

    def flat(self) -> Tensor:
        """All true weights as one tensor [parameters]: the weights themselves, no copy."""
        return self._flat.data

    def load_flat(self, flat: Tensor) -> None:
        """Takes over weights that `flat` of the same model returned."""
        self._flat.data.copy_(flat)
        self._copy_in()

    def drop_gradients(self) -> None:
        """Forgets what was gathered, of a step that is done again."""
        assert self._flat.grad is not None
        self._flat.grad.zero_()
        for p in self._inside.values():
            p.grad = None

    def take_gradients(self, into: Tensor) -> None:
        """Moves the gathered gradients [parameters] into a tensor, and begins anew."""
        assert self._flat.grad is not None
        into.copy_(self._flat.grad)
        self._flat.grad.zero_()

    def add_gradients(self, gradients: Tensor) -> None:
        """Adds gradients that `take_gradients` of the same model moved out."""
        assert self._flat.grad is not None
        self._flat.grad.add_(gradients)

    def state(self) -> dict[str, Any]:
        """Everything that decides the next step, as tensors and plain values."""
        return {"weights": dict(self._true), "optimiser": self._optimiser.state_dict()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` returned."""
        with torch.no_grad():
            for name, p in self._true.items():
                p.copy_(state["weights"][name])
        self._optimiser.load_state_dict(state["optimiser"])
        self._copy_in()
