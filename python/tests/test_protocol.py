"""The step protocol, with real processes: the event stream stays clean, and every step ends when it should."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from forge_steps.protocol import Spec, StepError

PYTHON = Path(__file__).resolve().parent.parent


def start(tmp_path: Path, body: str, spec: object | None = None, stdin: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Runs a step whose module is `body` (the text of `run`), by the package's own `main`."""
    (tmp_path / "acting.py").write_text("import os, sys, time\nfrom forge_steps.protocol import StepError\ndef run(step):\n" + "".join(f"    {line}\n" for line in body.splitlines()), "utf-8")
    (tmp_path / "spec.json").write_text(json.dumps({"v": 1} if spec is None else spec), "utf-8")
    program = "import sys, importlib; sys.modules['forge_steps.acting'] = importlib.import_module('acting')\nfrom forge_steps.protocol import main; main({'act': 'acting'}, sys.argv[1:])"
    env = {**os.environ, "PYTHONPATH": f"{PYTHON}{os.pathsep}{tmp_path}", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", program, "act", "--spec", str(tmp_path / "spec.json")],
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
    )


def play(tmp_path: Path, body: str, spec: object | None = None) -> tuple[list[dict[str, Any]], str, int]:
    out, err, status = *(process := start(tmp_path, body, spec)).communicate(timeout=30), process.returncode
    return [json.loads(line) for line in out.splitlines()], err, status


def first_event(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def test_what_libraries_print_goes_to_stderr(tmp_path: Path) -> None:
    events, err, status = play(
        tmp_path, 'print("from Python")\nos.system("echo from a child")\nos.write(1, b"from C\\n")\nstep.metric("loss", 0.5, at=3)\nreturn {"a": 1}'
    )
    assert events == [{"v": 1, "type": "metric", "name": "loss", "value": 0.5, "step": 3}, {"v": 1, "type": "result", "figures": {"a": 1}}]
    assert all(f"from {who}" in err for who in ("Python", "a child", "C")) and status == 0


def test_events_have_no_nan_and_no_line_breaks(tmp_path: Path) -> None:
    events, _, _ = play(tmp_path, 'step.metric("loss", float("nan"), at=2)\nstep.log("info", "two\\nlines \\u2028 \\ud800")\nstep.progress(1, 2, "samples")\nreturn {}')
    assert [e["type"] for e in events] == ["log", "log", "progress", "result"]
    assert "nan" in events[0]["message"] and events[2] == {"v": 1, "type": "progress", "done": 1, "total": 2, "unit": "samples"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('raise StepError("a/b", "told", "mend it")', "a/b"),
        ("import no_such_package", "step/package-missing"),
        ("raise MemoryError", "step/out-of-memory"),
        ("open('/no/such/file')", "step/file"),
        ("raise OSError(28, 'No space left on device')", "step/no-space"),
        ("1 / 0", "step/crash"),
        ('return {"bad": float("nan")}', "step/crash"),
        ('return {"bad": object()}', "step/crash"),
    ],
)
def test_every_failure_is_one_error_event(tmp_path: Path, body: str, code: str) -> None:
    events, _, status = play(tmp_path, body)
    assert [e["type"] for e in events] == ["error"] and events[0]["code"] == code and status == 1


@pytest.mark.parametrize("spec", [[], {}, {"v": 2}, "x"])
def test_a_spec_of_another_version_or_form_is_refused(tmp_path: Path, spec: object) -> None:
    events, _, status = play(tmp_path, "return {}", spec)
    assert events[-1]["code"] == "step/spec" and status == 1


def test_sigterm_is_heard_while_the_main_thread_is_deep_in_c(tmp_path: Path) -> None:
    # A watcher beside the main thread reports it; the main thread is in one long call that releases the interpreter.
    body = """import threading
def tell():
    while not step.should_stop: time.sleep(0.01)
    step.log("info", "heard")
threading.Thread(target=tell).start()
step.log("info", "ready")
import ctypes; ctypes.CDLL(None).usleep(900000); ctypes.CDLL(None).usleep(900000)
step.check()
return {}"""
    process = start(tmp_path, body)
    assert first_event(process)["message"] == "ready"
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert first_event(process)["message"] == "heard" and time.monotonic() - asked < 0.8
    out, _ = process.communicate(timeout=10)
    assert json.loads(out)["code"] == "step/stopped" and process.returncode == 3


def test_a_step_ends_soon_after_its_parent_even_when_it_does_not_listen(tmp_path: Path) -> None:
    process = start(tmp_path, 'step.log("info", "ready")\nwhile True: time.sleep(60)')
    first_event(process)
    lost = time.monotonic()
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(10) == 4 and time.monotonic() - lost < 5


def test_a_step_that_listens_leaves_at_once_when_its_parent_is_gone(tmp_path: Path) -> None:
    process = start(tmp_path, 'step.log("info", "ready")\nwhile True:\n    time.sleep(0.05)\n    step.check()')
    first_event(process)
    lost = time.monotonic()
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(10) == 3 and time.monotonic() - lost < 2


def test_stdin_that_is_no_pipe_says_nothing_of_the_parent(tmp_path: Path) -> None:
    process = start(tmp_path, 'time.sleep(0.5)\nreturn {"stopped": step.should_stop}', stdin=subprocess.DEVNULL)
    out, _ = process.communicate(timeout=30)
    assert json.loads(out)["figures"] == {"stopped": False}


def test_the_spec_names_what_is_wrong_with_it(tmp_path: Path) -> None:
    spec = Spec({"a": {"n": 3, "f": 0.5, "t": "x", "b": True, "p": str(tmp_path)}})
    a = spec.object("a")
    assert (a.integer("n"), a.number("n"), a.number("f"), a.text("t"), a.flag("b"), a.path("p", exists=True)) == (3, 3.0, 0.5, "x", True, tmp_path)
    assert a.integer("missing", 7) == 7 and not a.has("missing")
    wrong = {
        "a.b": lambda: a.integer("b"),
        "a.f": lambda: a.integer("f"),
        "a.n": lambda: a.integer("n", minimum=4),
        "a.t": lambda: a.text("t", choices=("y", "z")),
        "a.gone": lambda: a.text("gone"),
        "n": lambda: spec.object("n"),
        "a.p": lambda: Spec({"p": str(tmp_path / "no")}, "a").path("p", exists=True),
    }
    for name, read in wrong.items():
        with pytest.raises(StepError, match=f"`{name}`") as caught:
            read()
        assert caught.value.code == "step/spec"
