"""Checkpoints of a training run: one file, replaced whole, valid for one spec only."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch


#: What `Trainee.state` holds, counted: a checkpoint of an earlier layout is not read.
LAYOUT = 3


def digest_of(spec: Mapping[str, Any], rows: Sequence[Any]) -> str:
    """What a checkpoint must agree with: everything that decides the run, and nothing of where files lie."""
    decisive = {"layout": LAYOUT, "base": spec["base"].get("sha256"), "hyper": spec["hyper"], "seed": spec["seed"], "rows": rows}
    if "start" in spec:
        decisive["start"] = hashlib.sha256((Path(spec["start"]) / "adapter_model.safetensors").read_bytes()).hexdigest()
    if "head_start" in spec:
        decisive["head_start"] = spec["head_start"]["sha256"]
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


class Checkpoints:
    """The newest checkpoint in a folder."""

    def __init__(self, folder: Path, digest: str) -> None:
        self._path = folder / "checkpoint.pt"
        self._digest = digest

    def save(self, state: dict[str, Any]) -> Path:
        """Writes beside, syncs, renames: a kill leaves the old checkpoint or the new one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        with part.open("wb") as f:
            torch.save({**state, "digest": self._digest}, f)
            f.flush()
            os.fsync(f.fileno())
        part.replace(self._path)
        return self._path

    def load(self) -> dict[str, Any] | None:
        """The checkpoint; None when there is none, or it is of another spec or damaged."""
        try:
            state = torch.load(self._path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return None
        except Exception:  # Whatever a damaged file makes torch raise: training starts anew.
            return None
        return state if isinstance(state, dict) and state.get("digest") == self._digest else None

    def clear(self) -> None:
        """Removes the checkpoint of a finished run."""
        self._path.unlink(missing_ok=True)
