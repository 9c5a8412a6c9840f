"""The learning curve: one row an optimiser step, kept with the checkpoint and told to a file while training runs.

The file holds a JSON object a line. A step's row is `{step, examples, loss, learning_rate, grad_norm, tokens_per_second, seconds}`, and on a GPU `gpu_memory_bytes`, the most
that PyTorch held in it during the step; where the step was followed by an evaluation, a line `{step, eval_loss}` comes after it, and `{end: true}` is the last line of a training that came to its end.
`examples` and `seconds` count from the start of the training, through all interruptions; `tokens_per_second` is of the step alone: tokens that went
through the model, the shared prefix once, what fills rows up not counted.

Guarantees: after every step the file has its row, so that whoever follows it (track.py) is a step behind at most; a training that goes on rewrites it
to the checkpoint's rows first, so that no step is in it twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: What a row holds, in this order.
COLUMNS = ("step", "examples", "loss", "learning_rate", "grad_norm", "tokens_per_second", "seconds")
#: The same on a GPU.
GPU_COLUMNS = (*COLUMNS, "gpu_memory_bytes")


class LearningCurve:
    """The rows of a training, and the file that they are told to (None: to none)."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._rows: list[list[float]] = []
        self._evaluations: list[list[float]] = []

    def begin(self, state: dict[str, Any] | None) -> None:
        """Begins anew, or goes on from what `state` returned, and writes the file so far."""
        self._rows = [list(row) for row in state["rows"]] if state is not None else []
        self._evaluations = [list(e) for e in state["evaluations"]] if state is not None else []
        if self._file is None:
            return
        losses = {int(step): loss for step, loss in self._evaluations}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        part = self._file.with_name(f".{self._file.name}.part")
        with part.open("w", encoding="utf-8") as f:
            for row in self._rows:
                f.write(_line(_named(row)))
                if int(row[0]) in losses:
                    f.write(_line({"step": int(row[0]), "eval_loss": losses[int(row[0])]}))
        part.replace(self._file)

    def step(self, values: Sequence[float]) -> None:
        """A finished step, its values in the order of `COLUMNS`, or of `GPU_COLUMNS`."""
        self._rows.append(list(values))
        self._tell(_named(values))

    def evaluated(self, step: int, loss: float) -> None:
        self._evaluations.append([step, loss])
        self._tell({"step": step, "eval_loss": loss})

    def end(self) -> None:
        """Nothing more will come."""
        self._tell({"end": True})

    def state(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {"rows": [list(r) for r in self._rows], "evaluations": [list(e) for e in self._evaluations]}

    def _tell(self, values: dict[str, Any]) -> None:
        if self._file is None:
            return
        try:
            with self._file.open("a", encoding="utf-8") as f:
                f.write(_line(values))
        except OSError:  # A full disk: the checkpoint will say so; a curve is no reason to stop.
            self._file = None


def _named(row: Sequence[float]) -> dict[str, Any]:
    # A training may go on where there is another device.
    return dict(zip(GPU_COLUMNS if len(row) == len(GPU_COLUMNS) else COLUMNS, row, strict=True))


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, allow_nan=False, separators=(",", ":")) + "\n"
