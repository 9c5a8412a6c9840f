"""Checkpoints of a training run: a file each, written whole, valid for one spec only; so many of the newest are kept.

Guarantees: a kill at any instant, while one is written too, leaves the last good one; one that is damaged all the same is passed over for the one
before it; a run of another spec never goes on from them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

#: What `Trainee.state` holds, counted: a checkpoint of an earlier layout is not read.
LAYOUT = 3
#: Checkpoints that are kept: the newest, and one before it should the disk have lost the newest.
KEPT = 2


def digest_of(spec: Mapping[str, Any], rows: Sequence[Any], held_out: Sequence[Any] | None = None) -> str:
    """What a checkpoint must agree with: everything that decides the run, and nothing of where files lie."""
    # Of how many tokens rows are is a matter of memory, and no gradient's.
    hyper = {name: value for name, value in spec["hyper"].items() if name != "row_tokens"}
    decisive = {"layout": LAYOUT, "base": spec["base"].get("sha256"), "hyper": hyper, "seed": spec["seed"], "rows": rows}
    if spec.get("backend", "transformers") != "transformers":
        decisive["backend"] = spec["backend"]
    if "add" in (spec.get("thinking") or {}):
        decisive["added_tokens"] = spec["thinking"]
    if "start" in spec:
        decisive["start"] = hashlib.sha256((Path(spec["start"]) / "adapter_model.safetensors").read_bytes()).hexdigest()
    if "head_start" in spec:
        decisive["head_start"] = spec["head_start"]["sha256"]
    if held_out is not None:
        decisive["evaluation"] = {**{k: v for k, v in spec["evaluation"].items() if k != "rows"}, "rows": held_out}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


class Checkpoints:
    """The checkpoints in a folder."""

    #: `checkpoint-SPEC-STEP.pt`; what forge wrote before it kept several is `checkpoint.pt`.
    _NAME = re.compile(r"checkpoint-([0-9a-f]{8})-(\d+)\.pt")

    def __init__(self, folder: Path, digest: str, kept: int = KEPT) -> None:
        """`kept`: so many of the newest stay (1 at least)."""
        self._folder = folder
        self._digest = digest
        self._kept = max(1, kept)
        #: Those of this spec that `load` could not read.
        self.damaged: list[Path] = []

    def save(self, state: dict[str, Any]) -> Path:
        """Writes beside, syncs, renames, and only then removes what is no longer kept. `state["position"]` is the step. Raises OSError with the path where
        it cannot be written; what was there before stays, and half of one does not."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"checkpoint-{self._digest[:8]}-{state['position']:09d}.pt"
        part = path.with_suffix(".part")
        try:
            with part.open("wb") as f:
                torch.save({**state, "digest": self._digest}, f)
                f.flush()
                os.fsync(f.fileno())
            part.replace(path)
        except (OSError, RuntimeError) as e:
            with suppress(OSError):
                part.unlink(missing_ok=True)  # It holds the room that is lacking.
            raise _file_error(e, path) from e
        _sync(self._folder)
        # A later step than this one is of a checkpoint that could not be read.
        kept = [p for p in self._ours() if p.name <= path.name][: self._kept]
        for old in [p for p in self._all() if p not in kept]:
            old.unlink(missing_ok=True)
        return path

    def load(self) -> dict[str, Any] | None:
        """The newest good checkpoint; None when there is none of this spec."""
        for path in [*self._ours(), self._folder / "checkpoint.pt"]:
            state = self._read(path)
            if state is not None:
                return state
        return None

    def clear(self) -> None:
        """Removes the checkpoints of a finished run."""
        for path in self._all():
            path.unlink(missing_ok=True)

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception:  # Whatever a damaged file makes torch raise: an older one, or training starts anew.
            self.damaged.append(path)
            return None
        return state if isinstance(state, dict) and state.get("digest") == self._digest else None

    def _all(self) -> list[Path]:
        """Every checkpoint in the folder, of other specs and half of one too."""
        return [p for p in self._folder.glob("checkpoint*") if p.suffix in (".pt", ".part")]

    def _ours(self) -> list[Path]:
        """Those of this spec by their names, the newest first."""
        found = [(int(m.group(2)), p) for p in self._all() if (m := self._NAME.fullmatch(p.name)) is not None and m.group(1) == self._digest[:8]]
        return [p for _, p in sorted(found, reverse=True)]


def _file_error(error: BaseException, path: Path) -> OSError:
    """The error with its path. torch's writer has one of its own (RuntimeError), raised while the file system's is on its way or in its place."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, OSError):
        seen = seen.__cause__ or seen.__context__
    if isinstance(seen, OSError) and seen.errno is not None:
        return OSError(seen.errno, os.strerror(seen.errno), str(path))
    return OSError(errno.EIO, str(error).partition("\n")[0], str(path))


def _sync(folder: Path) -> None:
    """Makes renames in a folder outlast a loss of power, where the system can."""
    try:
        at = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(at)
    except OSError:
        pass
    finally:
        os.close(at)
