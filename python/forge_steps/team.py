"""The processes that train one model together, and what they say to each other: figures, and sums of gradients.

Every process holds the whole model, computes the gradient of its share of a step (deal.py), and makes the same update with the sum, as data-parallel
training does everywhere. They talk through torch.distributed: gloo on CPUs and for figures, NCCL for the gradients of GPUs. They find each other by a
file in a folder that only this user can read, and their sockets are those of the loopback interface, so nothing is offered to a network.

Guarantees: figures and sums are the same to the bit in every process, so that all decide alike (to stop early, to cut rows smaller); waiting for the
others never holds a process up: a stop or the end of another process is noticed within milliseconds (`check`).
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

Result = TypeVar("Result")

#: The file that they meet by.
MEETING = "meeting"
#: Seconds between two looks at whether the others have come. Sleeping leaves the core to whoever still computes.
LOOK_EVERY = 0.0005
#: How long torch itself waits for another process. Whether one is gone is noticed in another way (ranks.py), and one that computes may take its time.
PATIENCE = timedelta(days=7)


class Team:
    """One process by itself: what it tells comes back to it, and there is nothing to add."""

    rank = 0
    size = 1

    def __init__(self, check: Callable[[], None]) -> None:
        """`check` raises what ends the training: it was asked to stop, or another process is gone."""
        self.check = check

    @property
    def first(self) -> bool:
        """Whether this is the process that speaks: it reports, saves and is asked to stop. The others only compute."""
        return self.rank == 0

    def tell(self, values: Sequence[float]) -> list[tuple[float, ...]]:
        """Everybody's values (float64), by rank. All have to call it with as many; it is where they wait for each other."""
        return [tuple(map(float, values))]

    def decide(self, *answers: bool) -> tuple[bool, ...]:
        """The first process's answers, in every process."""
        return tuple(map(bool, self.tell(answers)[0]))

    def in_turn(self, one_by_one: bool, work: Callable[[], Result]) -> Result:
        """What `work` gives, done by all processes at once or by one after the other."""
        if not one_by_one:
            return work()
        for _ in range(self.rank):
            self.tell([0])
        found = work()
        for _ in range(self.rank, self.size - 1):
            self.tell([0])
        return found

    def add_up(self, tensor: torch.Tensor) -> None:
        """Puts the sum of everybody's tensors into each of them."""

    def hand_out(self, tensor: torch.Tensor) -> None:
        """Puts the first process's tensor into everybody's."""


class Together(Team):
    """One of several processes. Made by `join`."""

    def __init__(self, rank: int, size: int, check: Callable[[], None], lost: Callable[[], Exception]) -> None:
        super().__init__(check)
        self.rank, self.size = rank, size
        self._lost = lost

    def tell(self, values: Sequence[float]) -> list[tuple[float, ...]]:
        import torch
        import torch.distributed as dist

        # A row each, zeros in the others': their sum is everybody's values, unrounded.
        rows = torch.zeros((self.size, len(values)), dtype=torch.float64)
        rows[self.rank] = torch.tensor(list(values), dtype=torch.float64)
        self._wait(lambda: dist.all_reduce(rows, async_op=True))
        return [tuple(row) for row in rows.tolist()]

    def add_up(self, tensor: torch.Tensor) -> None:
        import torch.distributed as dist

        self._wait(lambda: dist.all_reduce(tensor, async_op=True))

    def hand_out(self, tensor: torch.Tensor) -> None:
        import torch.distributed as dist

        self._wait(lambda: dist.broadcast(tensor, src=0, async_op=True))

    def _wait(self, begin: Callable[[], Any]) -> None:
        try:
            work = begin()
            while not work.is_completed():
                self.check()
                time.sleep(LOOK_EVERY)
            work.wait()
        except RuntimeError as e:  # torch's DistBackendError among them: a connection that broke.
            raise self._lost() from e


def join(rank: int, size: int, folder: Path, device: str, check: Callable[[], None], lost: Callable[[], Exception]) -> Together:
    """Meets the other processes; all have to name the same `folder`, new and empty. `device`: `cpu` or `cuda`, where gradients lie.

    `lost` gives what is raised where a connection broke.
    """
    import torch.distributed as dist

    _stay_on_this_machine()
    failed: list[Exception] = []

    def meet() -> None:
        try:
            store = dist.FileStore(str(folder / MEETING), size)
            store.set_timeout(PATIENCE)
            dist.init_process_group("gloo" if device == "cpu" else "cpu:gloo,cuda:nccl", store=store, rank=rank, world_size=size, timeout=PATIENCE)
        except Exception as e:
            failed.append(e)

    # In a thread, as it cannot be interrupted while another process is still on its way (or never comes).
    thread = threading.Thread(target=meet, name="forge-meeting", daemon=True)
    thread.start()
    while thread.is_alive():
        check()
        thread.join(0.02)
    if failed:
        raise lost() from failed[0]
    return Together(rank, size, check, lost)


def forget(folder: Path) -> None:
    """Removes the folder that processes met in."""
    try:
        (folder / MEETING).unlink(missing_ok=True)
        folder.rmdir()
    except OSError:
        pass  # Gone already, or not only theirs.


def part(device: str) -> None:
    """Leaves the others, where the process is to live on. NCCL may wait for those that are gone, and is left to the end of the process."""
    import torch.distributed as dist

    if device == "cpu" and dist.is_initialized():
        dist.destroy_process_group()


def _stay_on_this_machine() -> None:
    """Sockets of gloo and NCCL on the loopback interface, in the variables that both read; by themselves they take one that others can reach."""
    loopback = next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), None)
    if loopback is not None:
        os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = loopback
