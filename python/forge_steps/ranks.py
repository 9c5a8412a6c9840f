"""Starts the further processes of a training, and watches over them.

The step itself is the first process. It starts the others (rank.py), gives each its order as a line on stdin, and holds that pipe open: when the step
ends, in whatever way, the pipe closes and they end at once. They report to nobody but the step: one event, should something go wrong.

Guarantees: when one of them ends before its time the others are killed at once, and the step hears why within milliseconds (`check`), saves what is
finished and ends with that; should it not get to hear, it is ended `LOST_GRACE_S` later. What went wrong in several processes at once is told once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from forge_steps.protocol import EXIT_DONE, EXIT_ERROR, Spec, Step, StepError
from forge_steps.team import Team, forget, join, part

#: What starts a further process.
COMMAND = [sys.executable, "-m", "forge_steps.rank"]
#: How a process ends that lost the connection to another one: not by its own fault.
EXIT_LOST = 5
#: Seconds in which the step is to notice by itself that a process is gone (every process promises to end within 5).
LOST_GRACE_S = 4.0
#: Seconds in which the end of a process becomes known after its connection broke, and in which processes end once their work is done.
PATIENCE_S = 3.0


class RankLost(StepError):
    """A process of the training ended before its time; what the last finished optimiser step left is whole in this one."""


def processes_of(spec: Spec, gpus: int, shown: str | None = None) -> int:
    """How many processes train: the spec's `gpus` (a number or `all`) where there are GPUs, else its `processes`, by default one.

    `gpus`: how many GPUs PyTorch can use here; `shown`: CUDA_VISIBLE_DEVICES. Raises StepError where more are asked for.
    """
    wish = spec.raw().get("gpus")
    if wish is not None and wish != "all":
        wanted = spec.integer("gpus", minimum=1)
        if gpus == 0 and wanted > 1:
            raise StepError(
                "train/gpus",
                f"`train.gpus` is {wanted}, and there is no GPU here that PyTorch can use",
                "Remove `gpus`: training then runs on the CPU (`processes: 2` beside it shares the cores between two processes). `forge doctor` says what it finds.",
            )
        if wanted > max(1, gpus):
            where = f"CUDA_VISIBLE_DEVICES ({shown}) shows" if shown is not None else "this machine has"
            raise StepError(
                "train/gpus",
                f"`train.gpus` is {wanted}, and {where} {gpus}",
                f"Set `train.gpus: {gpus}`, or `all`{', or let CUDA_VISIBLE_DEVICES show more' if shown is not None else ''}.",
            )
        if gpus > 0:
            return wanted
    if gpus > 0:
        return gpus if wish == "all" else 1
    return spec.integer("processes", 1, minimum=1)


@contextmanager
def gather(step: Step) -> Iterator[Team]:
    """The processes that train by a spec, ready to work; alone where it asks for one. They end with the block."""
    spec = step.spec
    if spec.raw().get("gpus", 1) == 1 and spec.integer("processes", 1, minimum=1) == 1:
        yield Team(step.check)
        return
    from forge_steps.device import gpus as gpus_here

    gpus = gpus_here()
    size = processes_of(spec, gpus, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if size == 1:
        yield Team(step.check)
        return
    device = "cuda" if gpus > 0 else "cpu"
    step.log("info", f"{size} processes train, {'each on a GPU of its own' if gpus > 0 else 'and share the cores'}")
    folder = Path(tempfile.mkdtemp(prefix="forge-ranks-"))  # Only this user can look into it.
    ranks = Ranks(step, size, folder, device)
    try:
        yield join(0, size, folder, device, ranks.check, ranks.lost)
    finally:
        ranks.close()
        forget(folder)


class Ranks:
    """The processes beside the first one."""

    def __init__(self, step: Step, size: int, folder: Path, device: str) -> None:
        self._step, self._size, self._folder, self._device = step, size, folder, device
        self._cause: RankLost | None = None
        self._known, self._noticed = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._closing = False
        here = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
        self._processes: list[subprocess.Popen[bytes]] = []
        for rank in range(1, size):
            process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path})
            self._processes.append(process)
            order = {"step": step.name, "spec": step.spec.raw(), "rank": rank, "size": size, "folder": str(folder), "device": device}
            try:
                assert process.stdin is not None
                process.stdin.write(json.dumps(order).encode() + b"\n")
                process.stdin.flush()
            except OSError:
                pass  # It is gone already, which is told below.
            threading.Thread(target=self._follow, args=(rank, process), name=f"forge-rank-{rank}", daemon=True).start()

    def check(self) -> None:
        """Raises what ends the training: `Stopped`, or why a process is gone."""
        self._step.check()
        if self._known.is_set():
            raise self.lost()

    def lost(self) -> RankLost:
        """Why a process is gone, once a connection broke or `check` found out."""
        self._noticed.set()
        self._known.wait(PATIENCE_S)
        if self._cause is None:
            self._cause = RankLost("step/died", "the processes that train lost the connection to each other", "Run the same command again; it goes on from the last checkpoint.")
        return self._cause

    def close(self) -> None:
        """Ends them: those whose work is done leave by themselves when their stdin closes."""
        with self._lock:
            self._closing = True
        self._noticed.set()
        for process in self._processes:
            try:
                assert process.stdin is not None
                process.stdin.close()
            except OSError:
                pass
        until = time.monotonic() + PATIENCE_S
        for process in self._processes:
            try:
                process.wait(max(0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        part(self._device)

    def _follow(self, rank: int, process: subprocess.Popen[bytes]) -> None:
        """Reads what a process says, and hears of its end."""
        said: dict[str, Any] | None = None
        assert process.stdout is not None
        for line in process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and event.get("type") == "error":
                said = event
        status = process.wait()
        with self._lock:
            if self._closing or status == EXIT_DONE:
                return
        # The process that it lost is heard of too, and is the cause.
        if status == EXIT_LOST and self._known.wait(PATIENCE_S):
            return
        with self._lock:
            if self._cause is None:
                self._cause = self._why(rank, status, said)
        self._known.set()
        for other in self._processes:
            other.kill()
        # The main thread looks in every layer and while it waits. In what takes longer (loading weights) it cannot.
        if not self._noticed.wait(LOST_GRACE_S):
            cause = self.lost()
            self._step.emit("error", code=cause.code, message=cause.message, hint=cause.hint)
            forget(self._folder)
            os._exit(EXIT_ERROR)

    def _why(self, rank: int, status: int, said: dict[str, Any] | None) -> RankLost:
        which = f"process {rank + 1} of the {self._size} that train"
        again = "Run the same command again; it goes on from the last checkpoint."
        if said is not None:
            hint = said.get("hint")
            return RankLost(str(said.get("code")), str(said.get("message")), hint if isinstance(hint, str) else None)
        if status == -9:
            return RankLost("step/killed", f"{which} was killed by the system", f"The system's memory was probably used up: close other programs, or let fewer processes train. {again}")
        how = f"by signal {-status}" if status < 0 else f"with exit status {status}"
        return RankLost("step/died", f"{which} ended {how} before its time", again)
