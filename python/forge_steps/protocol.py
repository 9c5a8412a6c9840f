"""The step protocol, version 1: how a step talks to whoever started it.

What it guarantees:

* Events are single lines of JSON (schemas/step-event.schema.json) on the *real* stdout, which is saved before any
  library is imported; file descriptor 1 then points to stderr, so nothing that a library prints can break the stream.
* Exactly one of `result` or `error` is the last event, and the exit status says which (`EXIT_*`).
* SIGTERM asks the step to stop: `step.should_stop` turns true within milliseconds, even while the main thread is
  inside a long C call, because a watcher thread hears of it through the signal's wake-up descriptor.
* A step never outlives its parent by more than `ORPHAN_GRACE_S`: the parent holds the write end of stdin, and when
  that closes the watcher asks the step to stop and, should it not, ends the process.
* A step's spec is checked before the step starts heavy work; a wrong one is an `error` event that names the member.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import select
import signal
import stat
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

PROTOCOL_VERSION = 1

EXIT_DONE = 0
EXIT_ERROR = 1
#: The step stopped because it was asked to; what can be resumed is saved.
EXIT_STOPPED = 3
#: The parent went away and the step did not stop in time.
EXIT_ORPHANED = 4

#: Seconds between the loss of the parent and the end of the process (the promise is 5).
ORPHAN_GRACE_S = 4.0


class StepError(Exception):
    """An expected failure of a step: becomes the `error` event.

    `code` is kebab-case with the step's area before a slash (`train/nan`), `hint` one imperative sentence.
    """

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class Stopped(Exception):
    """The step was asked to stop and has saved what it could; raised by `Step.check`."""


class Spec:
    """A JSON object with checked access; every complaint names the member (`hyper.rank`)."""

    def __init__(self, data: Mapping[str, Any], where: str = "") -> None:
        self._data = data
        self._where = where

    def _name(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def _complain(self, key: str, expected: str) -> NoReturn:
        found = "is missing" if self._data.get(key) is None else f"is {json.dumps(self._data[key])[:80]}"
        raise StepError("step/spec", f"the spec's `{self._name(key)}` {found}; expected {expected}")

    def has(self, key: str) -> bool:
        """True when the member is there and not null."""
        return self._data.get(key) is not None

    def raw(self) -> Mapping[str, Any]:
        """The object itself, unchecked."""
        return self._data

    def object(self, key: str) -> Spec:
        value = self._data.get(key)
        if not isinstance(value, dict):
            self._complain(key, "an object")
        return Spec(value, self._name(key))

    def text(self, key: str, default: str | None = None, choices: Sequence[str] | None = None) -> str:
        value = self._data.get(key, default)
        if not isinstance(value, str) or (choices is not None and value not in choices):
            self._complain(key, "a text" if choices is None else "one of " + ", ".join(choices))
        return value

    def integer(self, key: str, default: int | None = None, minimum: int | None = None) -> int:
        value = self._data.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or (minimum is not None and value < minimum):
            self._complain(key, "a whole number" + ("" if minimum is None else f" of at least {minimum}"))
        return value

    def number(self, key: str, default: float | None = None, minimum: float | None = None) -> float:
        value = self._data.get(key, default)
        if (
            not isinstance(value, (int, float))
            or isinstance(value, bool)
            or not math.isfinite(value)
            or (minimum is not None and value < minimum)
        ):
            self._complain(key, "a number" + ("" if minimum is None else f" of at least {minimum}"))
        return float(value)

    def flag(self, key: str, default: bool | None = None) -> bool:
        value = self._data.get(key, default)
        if not isinstance(value, bool):
            self._complain(key, "true or false")
        return value

    def path(self, key: str, exists: bool = False) -> Path:
        """A path; with `exists` it must name something that is there."""
        value = Path(self.text(key))
        if exists and not value.exists():
            raise StepError("step/spec", f"the spec's `{self._name(key)}` names {value}, which is not there")
        return value


class Step:
    """What a step sees of the outside: its spec, a way to report, and whether it should stop."""

    def __init__(self, name: str, spec: Spec, out: int) -> None:
        self.name = name
        self.spec = spec
        self._out = out
        self._lock = threading.Lock()
        self._stop = threading.Event()

    # -- events

    def emit(self, type: str, **members: Any) -> None:
        """Writes one event; members that are None are left out. Any thread may call it."""
        event = {"v": PROTOCOL_VERSION, "type": type}
        event.update((k, v) for k, v in members.items() if v is not None)
        line = json.dumps(event, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._out, line) :]
            except OSError:  # Nobody listens any more; the watcher ends the process.
                self._stop.set()

    def progress(self, done: float, total: float, unit: str, eta_s: float | None = None, message: str | None = None) -> None:
        self.emit("progress", done=done, total=total, unit=unit, eta_s=eta_s, message=message)

    def metric(self, name: str, value: float, at: int | None = None) -> None:
        """A measured value, at optimiser step `at`. A value that is no finite number is logged instead: JSON has no NaN."""
        if math.isfinite(value):
            self.emit("metric", name=name, value=value, step=at)
        else:
            self.log("warning", f"{name} is {value}" + ("" if at is None else f" at step {at}"))

    def log(self, level: str, message: str) -> None:
        """`level`: debug, info, warning or error."""
        self.emit("log", level=level, message=message)

    def artifact(self, name: str, path: Path | str) -> None:
        self.emit("artifact", name=name, path=str(path))

    # -- stopping

    @property
    def should_stop(self) -> bool:
        """True once SIGTERM came or the parent went away."""
        return self._stop.is_set()

    def check(self) -> None:
        """Raises `Stopped` when the step should stop. Call it between pieces of work of a second or so."""
        if self._stop.is_set():
            raise Stopped

    def request_stop(self) -> None:
        self._stop.set()


def take_stdout() -> int:
    """Saves the real stdout and points descriptor 1 to stderr; returns the saved descriptor."""
    out = os.dup(1)
    os.set_inheritable(out, False)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return out


def watch(step: Step) -> None:
    """Starts the watcher thread: SIGTERM, SIGINT and the parent's end all become `should_stop`."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    # The C-level handler writes to the wake-up descriptor at once, in whatever thread; the Python-level
    # handler would wait until the main thread leaves its C call.
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    mode = os.fstat(0).st_mode
    # Only a pipe or socket is a life line; a terminal or /dev/null says nothing about the parent.
    lifeline = [0] if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else []

    def run() -> None:
        inputs = [wake_read, *lifeline]
        while True:
            ready, _, _ = select.select(inputs, [], [])
            if wake_read in ready:
                received = os.read(wake_read, 64)
                if signal.SIGTERM in received or signal.SIGINT in received:
                    step.request_stop()
            if 0 in ready and not os.read(0, 4096):
                step.request_stop()
                threading.Event().wait(ORPHAN_GRACE_S)
                os._exit(EXIT_ORPHANED)

    threading.Thread(target=run, name="forge-watcher", daemon=True).start()


def load_spec(path: str) -> Spec:
    """Reads a spec file; raises StepError when it is no JSON object of this protocol's version."""
    try:
        data = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as e:
        raise StepError("step/spec", f"the spec cannot be read: {e}") from e
    if not isinstance(data, dict) or data.get("v") != PROTOCOL_VERSION:
        raise StepError("step/spec", f"the spec is not of protocol version {PROTOCOL_VERSION}")
    return Spec(data)


def run_step(step: Step, run: Callable[[Step], Mapping[str, Any]]) -> int:
    """Runs a step's function and reports how it ended; returns the exit status."""
    try:
        figures = run(step)
        step.emit("result", figures=dict(figures))
        return EXIT_DONE
    except Stopped:
        step.emit("error", code="step/stopped", message=f"{step.name} was stopped before it was done")
        return EXIT_STOPPED
    except StepError as e:
        step.emit("error", code=e.code, message=e.message, hint=e.hint)
        return EXIT_ERROR
    except ModuleNotFoundError as e:
        traceback.print_exc()
        step.emit(
            "error",
            code="step/package-missing",
            message=f"the Python environment lacks the package `{e.name}`",
            hint="Unset MCP_FORGE_PYTHON to let forge make its own environment, or install the packages of python/requirements.lock.",
        )
        return EXIT_ERROR
    except MemoryError:
        traceback.print_exc()
        step.emit("error", code="step/out-of-memory", message="the machine's memory does not suffice", hint="Close other programs, or use a smaller family.")
        return EXIT_ERROR
    except OSError as e:
        traceback.print_exc()
        code = "step/no-space" if e.errno == 28 else "step/file"
        step.emit("error", code=code, message=str(e), hint="Free some disk space." if e.errno == 28 else None)
        return EXIT_ERROR
    except Exception as e:  # A bug, or a library's: reported as data all the same, with the trace in the log.
        traceback.print_exc()
        text = (str(e).strip().splitlines() or [""])[0]
        step.emit("error", code="step/crash", message=f"{type(e).__name__}: {text}" if text else type(e).__name__)
        return EXIT_ERROR


def main(steps: Mapping[str, str], argv: Sequence[str]) -> NoReturn:
    """Runs the step that `argv` names. `steps`: step name -> module of this package with `run(step)`."""
    out = take_stdout()
    parser = argparse.ArgumentParser(prog="python -m forge_steps")
    parser.add_argument("step", choices=sorted(steps))
    parser.add_argument("--spec", required=True, metavar="FILE", help="the step's input, a JSON file")
    options = parser.parse_args(argv)
    step = Step(options.step, Spec({}), out)
    watch(step)

    def load_and_run(step: Step) -> Mapping[str, Any]:
        step.spec = load_spec(options.spec)
        module = importlib.import_module(f"forge_steps.{steps[options.step]}")
        return module.run(step)

    status = run_step(step, load_and_run)
    sys.stderr.flush()
    # Not sys.exit: a library's threads or exit handlers must not hold the process up.
    os._exit(status)
