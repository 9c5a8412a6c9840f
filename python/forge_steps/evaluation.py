"""Evaluation during training: when it is due, which step was the best, and when to stop.

Pure bookkeeping over (step, loss) pairs, so that a training that was killed and goes on decides as the one that was not.
The rule is that of transformers' `EarlyStoppingCallback`: stop when `patience` evaluations in a row bring no loss below the best one.
"""

from __future__ import annotations

import math

#: How many evaluations a training has whose recipe does not say how far apart they are.
EVALUATIONS = 10


class Evaluations:
    """The evaluations of a training of `steps` optimiser steps."""

    def __init__(self, steps: int, every: int | None = None, patience: int | None = None) -> None:
        """`every`: optimiser steps between evaluations (default: a tenth of all); `patience`: evaluations without a better one after which
        training stops, None for never."""
        self._steps = steps
        self.every = every if every is not None else max(1, math.ceil(steps / EVALUATIONS))
        self.patience = patience
        self.losses: list[tuple[int, float]] = []

    def due(self, step: int) -> bool:
        """Whether the model is to be evaluated after so many steps and was not yet. After the last step it always is."""
        return step > 0 and (step % self.every == 0 or step == self._steps) and not any(s == step for s, _ in self.losses)

    def add(self, step: int, loss: float) -> bool:
        """Notes an evaluation; says whether it is the best so far."""
        best = self.best
        self.losses.append((step, loss))
        return best is None or loss < best[1]

    @property
    def best(self) -> tuple[int, float] | None:
        """Step and loss of the best evaluation, the first of equals."""
        return min(self.losses, key=lambda e: e[1]) if self.losses else None

    @property
    def exhausted(self) -> bool:
        """Whether the last `patience` evaluations were none better than the best one before them."""
        if self.patience is None or self.best is None:
            return False
        since = [step for step, _ in self.losses].index(self.best[0])
        return len(self.losses) - 1 - since >= self.patience
