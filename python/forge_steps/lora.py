"""What a LoRA adapter adds to the weights of its base, one matrix at a time.

As PEFT merges: W + s B A with s = alpha / r (alpha / sqrt(r) with rsLoRA), in float32 whatever the adapter is stored in, by the same two products in the same
order, so that the sum is PEFT's bit for bit (tuners/lora/layer.py, `Linear.get_delta_weight` and `merge`, release 0.21). Rows of the vocabulary that were trained
beside it (token_rows.py) take the place of the base's. Other forms of adapters, which forge's training does not make, are refused by name: what they add is
no such product.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forge_steps.protocol import StepError
from forge_steps.token_rows import Rows, rows_of

if TYPE_CHECKING:
    from torch import Tensor

#: What a PEFT configuration may say that is more than one scale times a product of two matrices.
OTHER_FORMS = ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "lora_bias", "trainable_token_indices", "fan_in_fan_out", "layer_replication", "target_parameters")
_RETRAIN = "Train it again (--force train)."


def whole(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The matrices and the configuration of a PEFT folder. Raises StepError where its files are not whole, or the configuration has no rank and scale."""
    from safetensors import SafetensorError

    from forge_steps.head_start import read_adapter

    try:
        matrices, config = read_adapter(folder)
        if int(config["r"]) < 1:
            raise ValueError(f"rank {config['r']}")
        float(config["lora_alpha"])
        other_form(config)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as e:
        raise StepError("export/adapter", f"{folder.name} is no adapter that PEFT wrote", _RETRAIN) from e
    return matrices, config


@dataclass(frozen=True)
class Lora:
    """An adapter's matrices by the name of the weight that each pair changes."""

    pairs: Mapping[str, tuple[Tensor, Tensor]]
    scale: float
    #: Rows of tokens, by the name of the matrix that has them.
    rows: Mapping[str, Rows] = field(default_factory=dict)

    @staticmethod
    def read(folder: Path) -> Lora:
        """Of a PEFT folder, float32. Raises StepError where it is no whole, plain adapter."""
        matrices, config = whole(folder)
        strange = other_form({**config, "trainable_token_indices": None})
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
        if strange is not None:
            raise StepError(
                "export/adapter", f"the adapter is no plain LoRA (`{strange}`), and cannot be merged", "Merge it with the program that trained it, or train one with forge."
            )
        rest, rows = rows_of(matrices, config)
        return Lora(pairs_of(rest), alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank, rows)

    @property
    def bytes(self) -> int:
        return sum(a.nbytes + b.nbytes for a, b in self.pairs.values()) + sum(values.nbytes for _, values in self.rows.values())

    def add(self, name: str, weight: Tensor) -> None:
        """Adds to a float32 weight, in place, what the adapter says of it; nothing where that is nothing. Raises StepError where the shapes do not fit."""
        if name in self.rows:
            places, values = self.rows[name]
            if max(places) >= weight.shape[0] or values.shape[1] != weight.shape[1]:
                raise StepError("export/adapter", f"the adapter is of another base model: {name} has other rows in it", _RETRAIN)
            weight[list(places)] = values
        if (pair := self.pairs.get(name)) is None:
            return
        a, b = pair
        if (b.shape[0], a.shape[1]) != tuple(weight.shape):
            raise StepError("export/adapter", f"the adapter is of another base model: {name} is {b.shape[0]} x {a.shape[1]} in it", _RETRAIN)
        weight += (b @ a) * self.scale

    def check_names(self, known: Mapping[str, Any]) -> None:
        """Raises StepError where it changes weights that the base does not have: they would be left out without a word."""
        strange = next((name for name in (*self.pairs, *self.rows) if name not in known), None)
        if strange is not None:
            raise StepError("export/adapter", f"the adapter is of another base model: this one has no {strange}", _RETRAIN)


def other_form(config: Mapping[str, Any]) -> str | None:
    """The first key of a PEFT configuration that makes it no plain LoRA."""
    found = next((key for key in OTHER_FORMS if config.get(key)), None)
    return "bias" if found is None and config.get("bias", "none") != "none" else found


def pairs_of(matrices: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """PEFT's matrices (A, B) by the name of the weight that each pair stands for, float32. Raises StepError where one is no LoRA matrix or lacks its other."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, matrix in sorted(matrices.items()):
        weight = name.removeprefix("base_model.model.")
        for part in ("A", "B"):
            if weight.endswith(f".lora_{part}.weight"):
                found.setdefault(weight.replace(f".lora_{part}.weight", ".weight"), {})[part] = matrix.float().contiguous()
                break
        else:
            raise StepError("export/adapter", f"the adapter holds {name}, which is no LoRA matrix", "Merge it with the program that trained it, or train one with forge.")
    half = next((name for name, pair in found.items() if len(pair) != 2), None)
    if half is not None or not found:
        raise StepError("export/adapter", f"the adapter is not whole: it lacks a matrix of {half or 'any weight'}", _RETRAIN)
    return {name: (pair["A"], pair["B"]) for name, pair in found.items()}
