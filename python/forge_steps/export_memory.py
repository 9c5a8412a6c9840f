"""Whether the host's memory suffices for an export, said before it begins: the system would kill what asks for more, in the middle of an hour's work.

Counted is what has to lie in memory. The merged model in float32 and the f16 file are mapped from the disk while they are compared, so that they need not: where
they are more than what is free, they are read again for each piece that is computed. That takes its time, so fewer positions are then compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forge_steps.protocol import Spec, Step, StepError

if TYPE_CHECKING:
    from forge_steps.verify import Passage

#: Of the logits of a piece there are so many copies in float32 while they are compared: each model's own and as an array of its own, and what `verify.Distance`
#: makes of them.
_LOGITS = 8
#: Bytes of a key or value in the trained model's cache and in llama.cpp's, for both of them.
_CACHED = 2 * (4 + 2)
#: Positions that are compared where the weights are read from the disk again and again.
POSITIONS_FROM_DISK = 500
#: Bytes of a weight in the folder of the merged model and in the f16 file.
_MAPPED = 4 + 2


@dataclass(frozen=True)
class Memory:
    """Bytes; None where it cannot be told."""

    #: All of it: the machine's, or the control group's.
    all: int | None
    free: int | None

    @staticmethod
    def of(spec: Spec) -> Memory:
        """This machine's; what the spec has under `limits` (`memory`, `free`) stands for it."""
        from pathlib import Path

        from forge_steps.preflight import look

        found = look("cpu", Path("."))
        limits = spec.object("limits").raw() if spec.has("limits") else {}
        return Memory(limits.get("memory", found.memory), limits.get("free", found.free))

    @property
    def most(self) -> int | None:
        """What can be had: what is free (files that lie in memory count as that, preflight.py), or all of it where nobody says."""
        return self.all if self.free is None else self.free


def comparing_bytes(config: Any, what: Passage) -> int:
    """Bytes that comparing the model of `config` (transformers) with its f16 file holds at most, beside what the process takes and what is mapped."""
    from forge_steps.preflight import Shape
    from forge_steps.verify import PIECE

    shape = Shape.of(config)
    cache = what.context_tokens * shape.layers * shape.key * _CACHED
    # A layer's activations of a piece, in both models, are a few times the widest of its matrices' results.
    return _LOGITS * 4 * PIECE * shape.vocabulary + cache + 8 * 4 * PIECE * (shape.intermediate + shape.hidden)


def check(memory: Memory, merging: int, comparing: int | None) -> int:
    """Bytes that the export needs; raises StepError where they are more than can be had. `comparing`: None where nothing is compared."""
    from forge_steps.preflight import PROCESS_BYTES, gb

    needed = PROCESS_BYTES["cpu"] + max(merging, comparing or 0)
    if memory.most is not None and needed > memory.most:
        less = comparing is not None and PROCESS_BYTES["cpu"] + merging <= memory.most
        raise StepError(
            "step/out-of-memory",
            f"the export needs about {gb(needed)} of memory ({gb(merging)} to merge"
            f"{'' if comparing is None else f', {gb(comparing)} to compare'}); {gb(memory.most)} can be had",
            f"Close other programs, or export on a machine with more memory{'; `forge export --skip-verify` leaves the comparison out' if less else ''}.",
        )
    return needed


def positions_for(step: Step, memory: Memory, parameters: int, positions: int) -> int:
    """How many positions are compared: fewer, and said so, where the mapped weights are more than the memory that is free."""
    from forge_steps.preflight import gb

    mapped = _MAPPED * parameters
    if memory.most is None or mapped <= memory.most or positions <= POSITIONS_FROM_DISK:
        return positions
    step.log(
        "warning",
        f"the merged model and its f16 file ({gb(mapped)}) are larger than the memory that is free ({gb(memory.most)}): they are read from the disk for every piece "
        f"that is compared, which takes long, and {POSITIONS_FROM_DISK} positions are, not {positions}",
    )
    return POSITIONS_FROM_DISK
