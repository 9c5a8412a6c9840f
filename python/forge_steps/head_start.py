"""Head starts, and step `head_start`, which makes one small enough to ship: a trained adapter in bfloat16.

Spec: `{v: 1, adapter: PEFT folder, output: folder}`; the weights' file appears whole, in place of one that was there.

A head start is a LoRA adapter that holds what every recipe of a family would teach again. Training begins on top of it.
The base with the head start merged in (in float32, rounded once to the precision that trains) is what a recipe's own
adapter is trained on. What is saved is one adapter for the untouched base that holds both: two LoRA updates of a matrix
add up, and so do their factors when they are laid side by side, W + s1*B1*A1 + s2*B2*A2 = W + [s1*B1 s2*B2] [A1; A2]. So
nothing after training needs to know of it, and an adapter folder is never half of a model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forge_steps.protocol import Spec, Step, StepError

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


def run(step: Step) -> dict[str, Any]:
    """Figures: `bytes` of the weights, `sha256` of them, `rank`."""
    import torch
    from safetensors.torch import save_file

    from forge_steps.model import file_sha256

    source, output = step.spec.path("adapter", exists=True), step.spec.path("output")
    weights, config = read_adapter(source)
    output.mkdir(parents=True, exist_ok=True)
    part = output / f".{WEIGHTS}.part"
    save_file({name: weights[name].to(torch.bfloat16).contiguous() for name in sorted(weights)}, part, metadata={"format": "pt"})
    part.chmod(0o644)
    part.replace(output / WEIGHTS)
    (output / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
    return {"bytes": (output / WEIGHTS).stat().st_size, "sha256": file_sha256(output / WEIGHTS), "rank": config["r"]}


def head_start_folder(spec: Spec) -> Path:
    """The folder of a spec's `{adapter, sha256}`, its weights checked against the digest (with or without `sha256:`)."""
    from forge_steps.model import file_sha256

    folder = spec.path("adapter", exists=True)
    weights = folder / WEIGHTS
    if not weights.is_file() or file_sha256(weights) != spec.text("sha256").removeprefix("sha256:"):
        raise StepError(
            "train/head-start",
            f"the head start in {folder.name} does not have the bytes it should have",
            "Install mcp-forge again, or write `head_start: false` under `model` to train without it.",
        )
    return folder


def join(below: Mapping[str, Tensor], below_scale: float, above: Mapping[str, Tensor], above_scale: float) -> dict[str, Tensor]:
    """Two adapters of the same matrices as one whose scale (alpha / rank) is 1: float32, of the ranks' sum.

    Both map PEFT's names to `A` [rank, in] and `B` [out, rank]. Raises ValueError when they are not of the same matrices.
    """
    import torch

    if below.keys() != above.keys():
        raise ValueError(f"the adapters are of different matrices: {sorted(below.keys() ^ above.keys())[:3]}")
    joined: dict[str, Tensor] = {}
    for name, first in below.items():
        second = above[name]
        if ".lora_A." in name:
            joined[name] = torch.cat([first.float(), second.float()], dim=0)
        elif ".lora_B." in name:
            joined[name] = torch.cat([first.float() * below_scale, second.float() * above_scale], dim=1)
        else:
            raise ValueError(f"{name} is no LoRA matrix")
    return joined


def read_adapter(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The matrices and the configuration of a PEFT folder."""
    from safetensors.torch import load_file

    return load_file(folder / WEIGHTS), json.loads((folder / CONFIG).read_text("utf-8"))


def join_folders(below: Path, above: Path) -> None:
    """Replaces the adapter in `above`, trained on the base with `below` merged in, by both as one for the base alone."""
    from safetensors.torch import save_file

    first, first_config = read_adapter(below)
    second, config = read_adapter(above)
    joined = join(first, first_config["lora_alpha"] / first_config["r"], second, config["lora_alpha"] / config["r"])
    rank = first_config["r"] + config["r"]
    save_file({name: joined[name].contiguous() for name in sorted(joined)}, above / WEIGHTS, metadata={"format": "pt"})
    (above / CONFIG).write_text(json.dumps({**config, "r": rank, "lora_alpha": rank}, indent=2, sort_keys=True) + "\n", "utf-8")
