"""What a training decides before the weights are loaded, from figures alone: whether it can be had at all, how its steps are cut up, whether its processes
load the weights one after the other. Says in one line what it will take.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from forge_steps import preflight
from forge_steps.backends import Backend
from forge_steps.memory_cut import Cut, Memory, Starts, first_cut
from forge_steps.protocol import Step
from forge_steps.team import Team


@dataclass(frozen=True)
class Work:
    """What there is to train."""

    #: transformers' configuration of the base model.
    config: Any
    rank: int
    #: Tokens: that all steps together put through the model, of the longest sample, and of the largest row that a step could fill.
    tokens: int
    longest: int
    largest: int
    #: Checkpoints that are kept on the disk.
    kept: int
    device: Any
    dtype: Any
    backend: Backend


@dataclass(frozen=True)
class Decided:
    cut: Cut
    #: Whether the processes load the weights one after the other.
    in_turn: bool
    #: The how manieth start of the training this is, as the first process knows it, who alone remembers.
    starts: Starts = Starts()


def decide(step: Step, work: Work, row_tokens: int, memory: Memory, team: Team) -> Decided:
    """The first process decides for all. Raises StepError with the figures for what plainly cannot be had."""
    spec = step.spec
    machine = _machine(step, work, team)
    if not team.first:
        return _decided(team.tell([0, 0, 0])[0])
    wish = spec.text("gradient_checkpointing", "auto", choices=("on", "off", "auto"))
    killed = spec.integer("killed", 0, minimum=0)
    ending = "the trained model was compared with the merged one" if work.backend.rounds else "the adapter was saved"
    cut, starts = first_cut(memory, Cut(row_tokens, wish == "on"), killed, work.longest, work.largest, wish != "off", ending)
    if killed > 0 or cut.row_tokens < row_tokens:
        again = f"after the system killed training {killed} time{'' if killed == 1 else 's'}" if killed > 0 else "as memory did not suffice before"
        step.log("warning" if killed > 0 else "info", f"{again}, it trains {cut.words()}{'' if cut.row_tokens == row_tokens else f' (the recipe has {row_tokens})'}")
    free = machine.gpu if work.device.type != "cpu" else machine.free
    if wish == "auto" and not cut.recomputed and free is not None and _needs(step, work, cut, team.size).training > free:
        cut = replace(cut, recomputed=True)
    needs = _needs(step, work, cut, team.size)
    for warning in preflight.check(needs, machine, work.device.type):
        step.log("warning", warning)
    _say(step, work, cut, needs, team.size)
    in_turn = team.size > 1 and (killed > 0 or (machine.free is not None and needs.loading_at_once > machine.free))
    # Before the weights: a kill while they are loaded is told from one while it trains.
    memory.write(cut, "loading", starts)
    team.tell([cut.row_tokens, cut.recomputed, in_turn])
    return Decided(cut, in_turn, starts)


def _decided(told: Sequence[float]) -> Decided:
    row_tokens, recomputed, in_turn = told
    return Decided(Cut(int(row_tokens), bool(recomputed)), bool(in_turn))


def _machine(step: Step, work: Work, team: Team) -> preflight.Machine:
    """What there is; of several GPUs the one that has the least free counts."""
    machine = preflight.look(work.device.type, step.spec.path("checkpoints"))
    if step.spec.has("limits"):
        limits = step.spec.object("limits").raw()
        machine = replace(machine, **{k: limits[k] for k in ("memory", "free", "gpu", "disk") if k in limits})
    if machine.gpu is None:
        return machine
    return replace(machine, gpu=int(min(free for (free,) in team.tell([machine.gpu]))))


def _needs(step: Step, work: Work, cut: Cut, processes: int) -> preflight.Needs:
    spec = step.spec
    below = 0
    if spec.has("head_start"):
        below = int(json.loads((spec.object("head_start").path("adapter") / "adapter_config.json").read_text("utf-8"))["r"])
    return preflight.estimate(
        preflight.Shape.of(work.config),
        rank=work.rank,
        row_tokens=min(cut.row_tokens, work.largest),
        longest=work.longest,
        tokens=work.tokens,
        bytes_each=work.dtype.itemsize,
        bytes_a_weight=work.backend.bytes_a_weight(work.dtype),
        device=work.device.type,
        rank_below=below,
        recomputed=cut.recomputed,
        checkpoints=work.kept,
        best=spec.has("evaluation") and spec.object("evaluation").has("patience"),
        later=spec.integer("later_bytes", 0, minimum=0),
        processes=processes,
        loaded_on_host=work.backend.loads_on_host,
    )


def _say(step: Step, work: Work, cut: Cut, needs: preflight.Needs, processes: int) -> None:
    took = preflight.seconds(needs, preflight.matrix_speed(work.device, work.dtype)) / processes
    time_words = f"{took / 60:.0f} min" if took >= 120 else f"{max(1, took):.0f} s"
    memory = f"{preflight.gb(max(needs.training, needs.loading))} of memory{' (layers recomputed)' if cut.recomputed else ''}"
    step.log("info", f"{work.tokens} tokens to learn from: about {time_words}, {memory} and {preflight.gb(needs.disk + needs.later)} of disk")
