"""A further process of a training that has a fault, in place of forge_steps.rank: `python faulty_rank.py FAULT`. What cannot be brought about from outside."""

from __future__ import annotations

import sys
from typing import Any

from forge_steps import prefix, rank
from forge_steps.protocol import StepError

real, calls = prefix.step_backward, [0]


def step_backward(model: Any, samples: Any, length: int, row_tokens: int, *more: Any, **named: Any) -> Any:
    found = real(model, samples, length, row_tokens, *more, **named)
    if not named.get("learn", True):
        return found  # An evaluation.
    calls[0] += 1
    if sys.argv[1] == "short" and calls[0] > 3 and row_tokens > 450:
        raise MemoryError  # After its backward pass: what it left must count for nothing.
    if sys.argv[1] == "short" and calls[0] == 12:  # Two of which were done again.
        return float("nan"), found[1]
    if sys.argv[1] == "error" and calls[0] == 3:
        raise StepError("train/odd", "something that only this process sees", "Look there.")
    return found


if __name__ == "__main__":
    prefix.step_backward = step_backward
    rank.main()
