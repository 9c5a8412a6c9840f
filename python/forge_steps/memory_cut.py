"""How training cuts a step up, and what it does, in which order, where memory does not suffice.

A step is always the recipe's samples: memory decides only into rows of how many tokens it is cut, and whether layers are computed once more in the backward
pass. Neither changes a gradient (sums are rounded in another order), so neither is part of what a checkpoint must agree with. The order is: rows of half
the size, down to the longest sample by itself, which is never cut short; then layers recomputed; then an error with advice.

What an error or a kill has forced is remembered in a file beside the checkpoints, so that a training that goes on does not run into the same wall again. What the
recipe asks for and what the estimate chose (decisions.py) is not: both are asked anew. It is also how a training that the system killed (the kernel's
out-of-memory killer lets no process say anything) knows what it was doing: whoever started it says in `killed` how often that was, and it goes on with the
next smaller cut, where it was rows that took the memory.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from forge_steps.protocol import StepError

#: Beside the checkpoints.
FILE = "memory.json"
#: A kill while the weights are loaded, or after the last step, says nothing of rows: so often it is tried again (the memory may have been another program's).
LOADING_TRIES = 2
#: What a training is doing: loading the weights; its steps; what comes after the last one.
State = Literal["loading", "training", "trained"]
STATES: tuple[State, ...] = ("loading", "training", "trained")


@dataclass(frozen=True)
class Cut:
    """Tokens of a row at most; whether layers keep their inputs alone, and whether an error or a kill forced that, not the recipe or an estimate."""

    row_tokens: int
    recomputed: bool
    forced: bool = False

    def smaller(self, longest: int, largest: int, may_recompute: bool) -> Cut | None:
        """The next one to try, which takes less memory; None where there is none.

        `longest`: tokens of the longest sample; `largest`: of the largest row that any step could fill, as rows larger than that are all the same.
        """
        if min(self.row_tokens, largest) > longest:
            return replace(self, row_tokens=max(longest, min(self.row_tokens, largest) // 2))
        return replace(self, recomputed=True, forced=True) if may_recompute and not self.recomputed else None

    def words(self) -> str:
        return f"in rows of at most {self.row_tokens} tokens{', layers recomputed' if self.recomputed else ''}"


@dataclass(frozen=True)
class Starts:
    """How often a training was begun, the start at hand counted."""

    #: How often the system had killed it before.
    killed: int = 0
    #: Starts in a row that were loading the weights when they were killed, and that had done the last step.
    loading: int = 1
    ending: int = 1


@dataclass(frozen=True)
class Remembered:
    """What the file says: how the steps were cut, what the training was doing, and the how manieth start it was."""

    cut: Cut
    state: State
    starts: Starts


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
            state = STATES[STATES.index(data["state"])]
            starts = Starts(int(data["killed"]), int(data["loading"]), int(data["ending"]))
            return Remembered(Cut(int(data["row_tokens"]), bool(data["recomputed"]), bool(data["forced"])), state, starts)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, cut: Cut, state: State, starts: Starts) -> None:
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part = self._file.with_suffix(".part")
            part.write_text(json.dumps({**self._of, **asdict(cut), "state": state, **asdict(starts)}), "utf-8")
            part.replace(self._file)

    def forget(self) -> None:
        """The next training begins with what the recipe asks for."""
        with suppress(OSError):
            self._file.unlink()


def first_cut(
    memory: Memory, asked: Cut, killed: int, longest: int, largest: int, may_recompute: bool, ending: str = "the adapter was saved"
) -> tuple[Cut, Starts]:
    """What a training begins with, and the how manieth start this is.

    `killed`: how often the system has killed this training for memory since forge began it; where that is once more than the last start knew, the cut is the next
    smaller one. `may_recompute`: whether the recipe lets layers be recomputed; `ending`: what the training does after its last step. Raises StepError where there is
    no smaller one, and where what no cut makes smaller was killed too often.
    """
    before = memory.read()
    if before is None:
        return asked, Starts(killed)
    was = before.cut
    cut = Cut(was.row_tokens, asked.recomputed or (was.forced and may_recompute), was.forced)
    if killed <= before.starts.killed:
        return cut, Starts(killed)
    # What was killed had its layers recomputed by whoever's word: what comes next takes no more than that.
    cut = replace(cut, recomputed=asked.recomputed or (was.recomputed and may_recompute))
    if before.state == "training":
        smaller = cut.smaller(longest, largest, may_recompute)
        if smaller is None:
            memory.forget()
            raise out_of_memory(longest, cut.recomputed, f"; the system killed training {_times(killed)}")
        return smaller, Starts(killed)
    loading = before.state == "loading"
    tries = before.starts.loading if loading else before.starts.ending
    if tries >= LOADING_TRIES:
        memory.forget()
        kept = "" if loading else " What was trained is kept: the same command goes on from there."
        raise StepError(
            "step/out-of-memory",
            f"the system killed training {_times(killed)}, the last {tries} of them {'while the base model was loaded' if loading else f'after its last step, while {ending}'}: "
            "memory does not suffice for that",
            f"Close other programs, {'let fewer processes train (`train.processes`), ' if loading else ''}or use a smaller family or a machine (a container) with more memory.{kept}",
        )
    return cut, Starts(killed, tries + 1, before.starts.ending) if loading else Starts(killed, ending=tries + 1)


def _times(count: int) -> str:
    return f"{count} time{'' if count == 1 else 's'}"


def out_of_memory(longest: int, recomputed: bool, more: str = "") -> StepError:
    """What is said where no smaller cut is left."""
    also = "" if recomputed else "set `train.gradient_checkpointing: auto`, "
    return StepError(
        "step/out-of-memory",
        f"memory does not suffice for one sample a row (the longest has {longest} tokens, the tools included){' with layers recomputed' if recomputed else ''}{more}",
        f"Close other programs, {also}use fewer or shorter tools, a lower `train.rank`, fewer processes or a smaller family. What was done is kept; the same command goes on from there.",
    )
