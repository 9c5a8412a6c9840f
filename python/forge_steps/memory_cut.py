"""How training cuts a step up, and what it does, in which order, where memory does not suffice.

A step is always the recipe's samples: memory decides only into rows of how many tokens it is cut, and whether layers are computed once more in the backward
pass. Neither changes a gradient (sums are rounded in another order), so neither is part of what a checkpoint must agree with. The order is: rows of half
the size, down to the longest sample by itself, which is never cut short; then layers recomputed; then an error with advice.

What did suffice is remembered in a file beside the checkpoints, so that a training that goes on does not run into the same wall again. It is also how a
training that the system killed (the kernel's out-of-memory killer lets no process say anything) knows what it was doing: whoever started it says in
`killed` how often that was, and it goes on with the next smaller cut.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from forge_steps.protocol import StepError

#: Beside the checkpoints.
FILE = "memory.json"
#: A kill while the weights are loaded says nothing of rows: so often it is tried again (the memory may have been another program's).
LOADING_TRIES = 2


@dataclass(frozen=True)
class Cut:
    """Tokens of a row at most, and whether layers keep their inputs alone."""

    row_tokens: int
    recomputed: bool

    def smaller(self, longest: int, largest: int, may_recompute: bool) -> Cut | None:
        """The next one to try, which takes less memory; None where there is none.

        `longest`: tokens of the longest sample; `largest`: of the largest row that any step could fill, as rows larger than that are all the same.
        """
        if min(self.row_tokens, largest) > longest:
            return replace(self, row_tokens=max(longest, min(self.row_tokens, largest) // 2))
        return replace(self, recomputed=True) if may_recompute and not self.recomputed else None

    def words(self) -> str:
        return f"in rows of at most {self.row_tokens} tokens{', layers recomputed' if self.recomputed else ''}"


@dataclass(frozen=True)
class Remembered:
    """What the file says."""

    cut: Cut
    #: Whether the weights were loaded, and how many starts in a row ended before that.
    loaded: bool
    tries: int


class Memory:
    """The file of one training. Where it cannot be read or written, nothing is remembered."""

    def __init__(self, folder: Path, digest: str, asked: int) -> None:
        """`digest`: of what a checkpoint must agree with; `asked`: the recipe's `row_tokens`. What was remembered of others counts for nothing."""
        self._file = folder / FILE
        self._of = {"digest": digest, "asked": asked}

    def read(self) -> Remembered | None:
        try:
            data = json.loads(self._file.read_text("utf-8"))
            if {key: data[key] for key in self._of} != self._of:
                return None
            return Remembered(Cut(int(data["row_tokens"]), bool(data["recomputed"])), bool(data["loaded"]), int(data["tries"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, cut: Cut, loaded: bool, tries: int = 0) -> None:
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part = self._file.with_suffix(".part")
            part.write_text(json.dumps({**self._of, "row_tokens": cut.row_tokens, "recomputed": cut.recomputed, "loaded": loaded, "tries": tries}), "utf-8")
            part.replace(self._file)

    def forget(self) -> None:
        """The next training begins with what the recipe asks for."""
        with suppress(OSError):
            self._file.unlink()


def first_cut(memory: Memory, asked: Cut, killed: int, longest: int, largest: int, may_recompute: bool) -> tuple[Cut, int]:
    """What a training begins with, and the how manieth start in a row this is that has not loaded the weights yet (from 1).

    `killed`: how often the system has killed this training since it was started; with it the cut is the next smaller one. Raises StepError where there is
    no smaller one.
    """
    before = memory.read()
    if before is None:
        return asked, 1
    cut = replace(before.cut, recomputed=before.cut.recomputed or asked.recomputed)
    if killed == 0:
        return cut, 1
    if not before.loaded:
        if before.tries >= LOADING_TRIES:
            memory.forget()
            raise StepError(
                "step/out-of-memory",
                f"the system killed training {killed} times, the last {before.tries} of them while the base model was loaded: memory does not suffice for that",
                "Close other programs, let fewer processes train (`train.processes`), or use a smaller family or a machine (a container) with more memory.",
            )
        return cut, before.tries + 1
    smaller = cut.smaller(longest, largest, may_recompute)
    if smaller is None:
        memory.forget()
        raise out_of_memory(longest, cut.recomputed, f"; the system killed training {killed} time{'' if killed == 1 else 's'}")
    return smaller, 1


def out_of_memory(longest: int, recomputed: bool, more: str = "") -> StepError:
    """What is said where no smaller cut is left."""
    also = "" if recomputed else "set `train.gradient_checkpointing: auto`, "
    return StepError(
        "step/out-of-memory",
        f"memory does not suffice for one sample a row (the longest has {longest} tokens, the tools included){' with layers recomputed' if recomputed else ''}{more}",
        f"Close other programs, {also}use fewer or shorter tools, a lower `train.rank`, fewer processes or a smaller family. What was done is kept; the same command goes on from there.",
    )
