"""The model being trained: a frozen base with a LoRA adapter, and the optimiser of the adapter's weights.

The base computes in its own precision (bfloat16 where that is fast). The adapter has two copies: one in the base's
precision inside the model, and the true one in float32 (true_weights.py), which the optimiser updates and which is saved.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from forge_steps.backends import Backend
from forge_steps.head_start import CONFIG, join_folders, read_adapter
from forge_steps.true_weights import TrueWeights


class Trainee:
    """A causal language model with a LoRA adapter on all linear layers."""

    def __init__(
        self,
        model: Any,
        rank: int,
        alpha: float,
        dropout: float,
        weight_decay: float,
        check: Callable[[], None],
        start: Path | None = None,
        backend: Backend | None = None,
        tokens: Sequence[int] = (),
    ) -> None:
        """`check` is called in every layer, forward and backward; what it raises ends the pass within a fraction of a second.
        `start` is a PEFT folder with the first weights; without it the adapter begins as none. `backend`: what loaded the model.
        `tokens`: ids of those whose rows of the vocabulary are trained too (token_rows.py)."""
        from peft import LoraConfig, set_peft_model_state_dict

        from forge_steps import token_rows
        from forge_steps.lean import make_lean

        backend = backend if backend is not None else Backend()
        rows = token_rows.trainable_rows(model, tokens)
        config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules="all-linear", bias="none", task_type="CAUSAL_LM", **rows)
        self.model = backend.adapt(model, config)
        if start is not None:
            set_peft_model_state_dict(self.model, read_adapter(start)[0])
        self.model.train()
        if backend.ours:
            make_lean(self.model)
            token_rows.make_lean(self.model)
        self._weights = TrueWeights(self.model, weight_decay)
        _check_in_layers(self.model, check)

    def step(self, learning_rate: float, max_grad_norm: float) -> float:
        """One update with the gathered gradients; returns their norm before clipping. No update when that is not finite."""
        return self._weights.step(learning_rate, max_grad_norm)

    def weights(self) -> Tensor:
        """A copy of all true weights as one tensor [parameters]."""
        return self._weights.flat().clone()

    def load_weights(self, weights: Tensor) -> None:
        """Takes over what `weights` returned."""
        self._weights.load_flat(weights)

    def drop_gradients(self) -> None:
        """Forgets the gathered gradients, of a step that is done again."""
        self._weights.drop_gradients()

    def flat_gradients(self) -> Tensor:
        """The gathered gradients as one tensor [parameters]: themselves, no copy."""
        return self._weights.flat_gradients()

    def gradients(self) -> dict[str, Tensor]:
        """The gathered gradients by parameter name (for tests)."""
        return self._weights.gradients()

    def state(self) -> dict[str, Any]:
        """Everything that decides the next step, as tensors and plain values."""
        return self._weights.state()

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` returned."""
        self._weights.load_state(state)

    def save(self, folder: Path, below: Path | None = None) -> None:
        """Writes the adapter in PEFT's own form, weights in float32, to a folder that appears whole or not at all; with `below`, the head
        start that the model had when training began, both as one. An adapter that is there is replaced: a training that was killed after it had saved one
        ends a second time. Raises OSError where the folder holds anything else, or cannot be written."""

        part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            self._write(part, below)
            _put(part, folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)  # On a full disk it holds what is lacking.
            raise

    def _write(self, part: Path, below: Path | None) -> None:
        everything = self.model.state_dict()
        everything.update({name: p.clone() for name, p in self._weights.named().items()})  # safetensors takes no views of one storage.
        self.model.save_pretrained(part, state_dict=everything, save_embedding_layers=False)
        (part / "README.md").unlink(missing_ok=True)  # PEFT's model card says nothing of ours.
        config_file = part / "adapter_config.json"
        config = json.loads(config_file.read_text("utf-8"))
        # The same on every machine: no path of this one, and a set of names in a fixed order.
        config["base_model_name_or_path"] = None
        config["target_modules"] = sorted(config["target_modules"])
        config_file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
        if below is not None:
            join_folders(below, part)
        for file in part.iterdir():
            file.chmod(0o644)


def _put(part: Path, folder: Path) -> None:
    """Renames `part` to `folder`, in place of an empty folder or an adapter. No folder with something in it can be renamed over: it goes aside first, and comes
    back where the other cannot take its place."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    if not (folder / CONFIG).is_file():
        part.replace(folder)
        return
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    shutil.rmtree(aside, ignore_errors=True)
    folder.replace(aside)
    try:
        part.replace(folder)
    except BaseException:
        aside.replace(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _check_in_layers(model: Any, check: Callable[[], None]) -> None:
    """Calls `check` before every decoder layer's forward pass and after its backward pass."""
    base = model.get_base_model()
    decoder = base.get_decoder() if hasattr(base, "get_decoder") else base.model

    def forward(_module: Any, _args: Any, output: Any) -> None:
        check()
        hidden = output[0] if isinstance(output, tuple) else output
        if hidden.requires_grad:
            hidden.register_hook(backward)

    def backward(_grad: Tensor) -> None:
        check()

    for layer in decoder.layers:
        layer.register_forward_hook(forward)
