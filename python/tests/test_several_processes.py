"""Several processes that train together (two on the CPU, gloo): they come to what one comes to, and end together, whatever happens to one of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from forge_steps import prefix, ranks, train
from forge_steps.model import pick_dtype
from forge_steps.protocol import EXIT_ORPHANED, Step, StepError, Stopped, load_spec
from forge_steps.team import Team, join, part
from team_rig import gradients
from test_train import figures_of, finish, in_process, start, told, values, write_spec
from test_train_evaluation import adapter, curve_of
from tiny import rendered, save_base

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def straight(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of one process: 24 samples, 5 a step, one held out."""
    folder = tmp_path_factory.mktemp("straight")
    in_process(spec_of(folder, base), folder / "events.jsonl")
    return folder


def spec_of(folder: Path, base: Path, **changes: Any) -> Path:
    changes = {"hyper": {"samples_per_step": 5}, "curve": str(folder / "curve.jsonl"), "checkpoint_steps": 100, **changes}
    spec = write_spec(folder, base, **changes)
    (folder / "held.jsonl").write_text(json.dumps({**rendered(1, seed=9)[0], "id": "held"}) + "\n", "utf-8")
    spec.write_text(json.dumps({**json.loads(spec.read_text("utf-8")), "evaluation": {"rows": str(folder / "held.jsonl"), "steps": 3, "patience": 9}}), "utf-8")
    return spec


@pytest.fixture
def before() -> set[int]:
    """Processes that others' tests have left this one: the tracker of multiprocessing's resources, say."""
    return set(further(os.getpid()))


def further(process: int) -> list[int]:
    """Processes that a process started and that still live."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(p) for file in tasks for p in file.read_text("ascii").split() if alive(int(p))]


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def gone(processes: list[int], within: float) -> bool:
    """Whether they end in so many seconds."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if not any(map(alive, processes)):
            return True
        time.sleep(0.02)
    return False


def at_step(process: subprocess.Popen[str], step: int) -> list[dict[str, Any]]:
    """Events up to a step's last figure."""
    seen = []
    assert process.stdout is not None
    for line in process.stdout:
        seen.append(json.loads(line))
        if seen[-1].get("name") == "tokens_per_second" and seen[-1]["step"] == step:
            break
    return seen


#: What sums in another order may change: of a loss, and of a weight matrix. AdamW makes whole steps of gradients that are all but zero, so that rounding
#: shows in single weights, and most where the processor computes in bfloat16.
LOSS, WEIGHTS = (1e-4, 0.02) if pick_dtype(torch.device("cpu")) == torch.float32 else (0.01, 0.1)


def as_straight(found: Path, straight: Path, *events: list[dict[str, Any]]) -> None:
    """The same losses, step by step, and nearly the same adapter."""
    losses: dict[int, float] = {}
    held: dict[int, float] = {}
    for some in events:
        losses.update(values(some, "loss"))
        held.update(values(some, "eval_loss"))
    wanted = told(straight / "events.jsonl")
    assert losses == pytest.approx(values(wanted, "loss"), rel=LOSS) and held == pytest.approx(values(wanted, "eval_loss"), rel=LOSS)
    a, b = adapter(found), adapter(straight)
    assert a.keys() == b.keys()
    for name in a:
        assert (a[name] - b[name]).norm() <= WEIGHTS * b[name].norm(), name


def test_gradients_are_those_of_one_process(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE), os.environ.get("PYTHONPATH", "")])}
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen([sys.executable, str(HERE / "team_rig.py"), folder], env=env) as other:

        def check() -> None:
            assert other.poll() is None, "the other process ended"

        torch.set_num_threads(1)
        found = list(gradients(join(0, 2, Path(folder), "cpu", check, lambda: AssertionError("lost"))))
        other.wait(30)
        part("cpu")
    wanted = list(gradients(Team(lambda: None)))
    assert [name for name, *_ in found] == [name for name, *_ in wanted] and len(found) == 18
    for (name, loss, gradient), (_, own_loss, own) in zip(found, wanted, strict=True):
        assert loss == pytest.approx(own_loss, rel=1e-5), name
        assert own.norm() > 0 and (gradient - own).norm() <= 1e-5 * own.norm(), name


@pytest.mark.slow
def test_a_killed_process_ends_the_step_with_a_word_and_one_goes_on_alone(base: Path, straight: Path, tmp_path: Path) -> None:
    spec = spec_of(tmp_path, base, processes=2)
    first = start(spec)
    seen = at_step(first, 4)
    [other] = further(first.pid)
    os.kill(other, signal.SIGKILL)
    since = time.monotonic()
    seen += finish(first)
    assert time.monotonic() - since < 5 and gone([other], 0.1)
    assert seen[-1]["type"] == "error" and seen[-1]["code"] == "step/killed" and "process 2 of the 2" in seen[-1]["message"], seen[-1]
    assert sum(e["type"] == "error" for e in seen) == 1
    # What was finished is saved, though no checkpoint was due.
    rest = in_process(spec_of(tmp_path, base), tmp_path / "rest.jsonl")
    assert rest["resumed_from"] >= 4 and "processes" not in rest
    as_straight(tmp_path, straight, seen, told(tmp_path / "rest.jsonl"))


@pytest.mark.slow
def test_one_begins_alone_and_two_go_on_as_one_would(base: Path, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = prefix.step_backward, []

    def stopped(*given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 6:
            raise Stopped
        return real(*given, **named)

    monkeypatch.setattr(prefix, "step_backward", stopped)
    with pytest.raises(Stopped):
        in_process(spec_of(tmp_path, base), tmp_path / "first.jsonl")
    monkeypatch.setattr(prefix, "step_backward", real)
    # So little memory is free that they load the weights one after the other.
    little = {"limits": {"free": 600_000_000}, "gradient_checkpointing": "off"}
    rest = in_process(spec_of(tmp_path, base, processes=2, **little), tmp_path / "rest.jsonl")
    assert 4 <= rest["resumed_from"] <= 5 and rest["processes"] == 2
    first, events = (told(tmp_path / f"{name}.jsonl") for name in ("first", "rest"))
    as_straight(tmp_path, straight, first, events)
    # Only the first one speaks, and writes.
    assert [e["step"] for e in first + events if e.get("name") == "loss"] == list(range(1, 11))
    lines = [[{k: v for k, v in line.items() if k in ("step", "examples", "end")} for line in curve_of(f)] for f in (tmp_path, straight)]
    assert lines[0] == lines[1]
    assert rest["examples"] == 50 and rest["peak_memory_bytes"] > 1e8
    done = [e["done"] for e in events if e["type"] == "progress"]
    assert done == sorted(done) and done[-1] <= 50
    assert torch.distributed.is_initialized() is False


def test_a_stop_saves_within_seconds(base: Path, tmp_path: Path) -> None:
    first = start(spec_of(tmp_path, base, processes=2, hyper={"samples_per_step": 5, "epochs": 100}))
    at_step(first, 2)
    others = further(first.pid)
    assert len(others) == 1
    os.kill(others[0], signal.SIGTERM)  # As the whole group gets it: the first one decides.
    first.send_signal(signal.SIGTERM)
    since = time.monotonic()
    last = finish(first)[-1]
    assert time.monotonic() - since < 10 and last["code"] == "step/stopped" and gone(others, 0.5)
    assert list((tmp_path / "checkpoints").glob("*.pt"))


def test_none_outlives_the_first(base: Path, tmp_path: Path) -> None:
    # It waits for a first one that never comes, in a call of torch's.
    spec = json.loads(spec_of(tmp_path, base).read_text("utf-8"))
    order = {"step": "train", "spec": spec, "rank": 1, "size": 2, "folder": str(tmp_path), "device": "cpu"}
    with subprocess.Popen([sys.executable, "-m", "forge_steps.rank"], stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(HERE.parent)}) as other:
        assert other.stdin is not None
        other.stdin.write(json.dumps(order).encode() + b"\n")
        other.stdin.flush()
        while not (tmp_path / "meeting").exists():
            assert other.poll() is None
            time.sleep(0.02)
        for ignored in (signal.SIGTERM, signal.SIGINT):
            other.send_signal(ignored)
        time.sleep(0.3)
        assert other.poll() is None
        since = time.monotonic()
        other.stdin.close()
        assert other.wait(5) == EXIT_ORPHANED and time.monotonic() - since < 2
    assert not (tmp_path / "meeting").exists()


@pytest.mark.slow
def test_memory_that_is_short_in_one_cuts_the_rows_of_all_and_a_loss_that_is_none_ends_all(
    base: Path, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: set[int]
) -> None:
    real, rows = prefix.step_backward, []

    def seen(model: Any, samples: Any, length: int, row_tokens: int, *more: Any, **named: Any) -> Any:
        found = real(model, samples, length, row_tokens, *more, **named)
        rows.append(row_tokens)
        return found

    monkeypatch.setattr(prefix, "step_backward", seen)
    # Short from its fourth step on, until rows are small; no number at the tenth.
    monkeypatch.setattr(ranks, "COMMAND", [sys.executable, str(HERE / "faulty_rank.py"), "short"])
    with pytest.raises(StepError, match="the loss at step 10 of 10 is no longer a number") as ended:
        in_process(spec_of(tmp_path, base, processes=2, hyper={"samples_per_step": 5, "row_tokens": 2400}), tmp_path / "events.jsonl")
    assert ended.value.code == "train/not-finite" and set(further(os.getpid())) <= before and not (tmp_path / "adapter").exists()
    events = told(tmp_path / "events.jsonl")
    warnings = [e["message"] for e in events if e["type"] == "log" and e["level"] == "warning"]
    tried = sorted(set(rows), reverse=True)
    assert warnings == [f"memory does not suffice in process 2 of 2: the step is done again in rows of at most {n} tokens" for n in tried[1:]]
    assert len(tried) == 3 and tried[0] == 2400 and tried[1] > 450 >= tried[2] == rows[-1]
    wanted = values(told(straight / "events.jsonl"), "loss")
    assert values(events, "loss") == pytest.approx({step: loss for step, loss in wanted.items() if step < 10}, rel=LOSS)


@pytest.mark.slow
def test_what_goes_wrong_in_one_process_ends_all_and_is_told_once(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: set[int]
) -> None:
    monkeypatch.setattr(ranks, "COMMAND", [sys.executable, str(HERE / "faulty_rank.py"), "error"])
    with pytest.raises(StepError, match="something that only this process sees") as ended:
        in_process(spec_of(tmp_path, base, processes=2), tmp_path / "events.jsonl")
    assert (ended.value.code, ended.value.hint) == ("train/odd", "Look there.") and set(further(os.getpid())) <= before
    assert not any(e["type"] == "error" for e in told(tmp_path / "events.jsonl")) and not (tmp_path / "adapter").exists()
    assert any((tmp_path / "checkpoints").glob("*.pt"))  # What was finished is kept.


def test_a_process_that_does_not_even_start_is_told(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "COMMAND", [sys.executable, "-c", "raise SystemExit(7)"])
    out = os.open(tmp_path / "events.jsonl", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(StepError, match="process 2 of the 2 that train ended with exit status 7"):
        train.run(Step("train", load_spec(str(spec_of(tmp_path, base, processes=2))), out))
    os.close(out)


def test_gpus_that_are_not_there_are_refused_before_anything_is_loaded(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(StepError, match="`train.gpus` is 2, and there is no GPU here") as refused:
        in_process(spec_of(tmp_path, base, gpus=2), tmp_path / "events.jsonl")
    assert refused.value.code == "train/gpus" and told(tmp_path / "events.jsonl") == []
    assert "processes" not in figures_of([{"type": "result", "figures": in_process(spec_of(tmp_path, base, gpus="all"), tmp_path / "events.jsonl")}])
