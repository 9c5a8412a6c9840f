"""Entry point of a further process of a training: `python -m forge_steps.rank`, started by ranks.py.

One line on stdin is its order. It does what the first process does, in silence: its only event is an error. Signals are the first process's business
(one that is sent to the whole group reaches this one too); it ends at once when its stdin closes, which is when the first process ends or lets it go.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from forge_steps.protocol import EXIT_DONE, EXIT_ORPHANED, Spec, Step, run_step, take_stdout
from forge_steps.ranks import EXIT_LOST
from forge_steps.team import forget, join


class SilentStep(Step):
    """A step that tells errors only."""

    def emit(self, type: str, **members: Any) -> None:
        if type == "error":
            super().emit(type, **members)


class ConnectionLost(Exception):
    """Another process is gone; the first one hears why."""


def main() -> NoReturn:
    """Never returns: the process ends with its work, or with the first process."""
    out = take_stdout()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    line = sys.stdin.buffer.readline()
    if not line:
        os._exit(EXIT_ORPHANED)
    order = json.loads(line)
    threading.Thread(target=_until_let_go, args=(Path(order["folder"]),), name="forge-watcher", daemon=True).start()
    step = SilentStep(order["step"], Spec(order["spec"]), out)

    def work(step: Step) -> Mapping[str, Any]:
        from forge_steps.train import train

        try:
            return train(step, join(order["rank"], order["size"], Path(order["folder"]), order["device"], step.check, ConnectionLost))
        except ConnectionLost:
            os._exit(EXIT_LOST)

    status = run_step(step, work)
    sys.stderr.flush()
    if status == EXIT_DONE:
        threading.Event().wait()  # What it said last may still be on its way to the others: the first process ends this one.
    os._exit(status)


def _until_let_go(folder: Path) -> None:
    while os.read(0, 4096):
        pass
    forget(folder)  # A first process that was killed leaves it behind.
    os._exit(EXIT_ORPHANED)


if __name__ == "__main__":
    main()
