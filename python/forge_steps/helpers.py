"""Processes that share an optimiser step's gradients, each on one core.

A model of a few million parameters gains nothing from a second core inside an operator: calling it costs as much as computing it.
Two processes that take half of a step's toolsets each are nearly twice as fast. Weights and gradients go through shared memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

#: Of one group: its loss and how many tokens it had; the gradients are left in the weights that `prepare` returned.
Learn = Callable[[int], tuple[float, int]]
#: Makes a model of its own in the process that calls it: its weights, and what learns from one group. Must be picklable.
Prepare = Callable[[], tuple[Any, Learn]]


def _help(pipe: Connection, prepare: Prepare, weights: Any, gradients: Any) -> None:
    """A helper's life: groups come in, their loss goes out; ends when the other end of the pipe is gone."""
    import signal

    import torch

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the process that asked decides
    torch.set_num_threads(1)
    own, learn = prepare()
    try:
        while True:
            groups = pipe.recv()
            own.load_flat(weights)
            told = [learn(group) for group in groups]
            own.take_gradients(gradients)
            pipe.send((sum(loss for loss, _ in told), sum(tokens for _, tokens in told)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


class Helpers:
    """Helper processes beside this one; with none, everything happens here."""

    def __init__(self, count: int, prepare: Prepare, weights: Any) -> None:
        """`weights`: this process's, whose layout the helpers' have too."""
        import torch

        self._weights = weights
        self._shared = weights.flat().clone().share_memory_()
        self._others: list[tuple[Any, Connection, Any]] = []
        context = torch.multiprocessing.get_context("spawn")
        for _ in range(count):
            here, there = context.Pipe()
            gradients = torch.zeros_like(self._shared).share_memory_()
            process = context.Process(target=_help, args=(there, prepare, self._shared, gradients), daemon=True)
            process.start()
            there.close()
            self._others.append((process, here, gradients))

    def learn(self, groups: Sequence[int], own: Learn) -> tuple[float, int]:
        """Loss and tokens of all groups, summed; their gradients are gathered in this process's weights. Raises EOFError when a helper died."""
        share = len(self._others) + 1
        busy = []
        if len(groups) > 1 and self._others:
            self._shared.copy_(self._weights.flat())
            for i, (_, pipe, gradients) in enumerate(self._others, 1):
                if groups[i::share]:
                    pipe.send(list(groups[i::share]))
                    busy.append((pipe, gradients))
        told = [own(group) for group in (groups[::share] if busy else groups)]
        for pipe, gradients in busy:
            told.append(pipe.recv())
            self._weights.add_gradients(gradients)
        return sum(loss for loss, _ in told), sum(tokens for _, tokens in told)

    def close(self) -> None:
        for process, pipe, _ in self._others:
            pipe.close()
            process.kill()
            process.join()
        self._others = []
