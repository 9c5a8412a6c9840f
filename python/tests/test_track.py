"""Following a learning curve for a tracker: every row once, whatever was interrupted. (The trackers themselves: tests/slow/tracking.slow.test.ts.)"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from forge_steps import track
from forge_steps.learning_curve import LearningCurve
from forge_steps.protocol import Spec, Step, StepError


class Heard(track.Once):
    """A tracker that keeps what it hears."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec.path("folder") / "told.json")
        self.sent: list[tuple[int, dict[str, float]]] = []
        self.closed = False
        made.append(self)

    def send(self, step: int, values: dict[str, float]) -> None:
        if step == fails_at[0]:
            raise ConnectionError("no route to host")
        self.sent.append((step, values))

    def close(self) -> None:
        self.closed = True


made: list[Heard] = []
fails_at = [0]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    made.clear()
    fails_at[0] = 0
    monkeypatch.setitem(track.TRACKERS, "wandb", Heard)
    monkeypatch.setattr(track, "LOOK_EVERY", 0.01)


def step_on(tmp_path: Path, **changes: Any) -> Step:
    spec = {"to": "wandb", "curve": str(tmp_path / "curve.jsonl"), "run": "r", "project": "p", "folder": str(tmp_path / "told"), "config": {"rank": 4}, **changes}
    return Step("track", Spec(spec), os.open(os.devnull, os.O_WRONLY))


def row(step: int) -> tuple[float, ...]:
    return (step, 8 * step, 1 / step, 1e-3, 0.5, 900.0, float(step))


def test_every_row_is_told_while_the_file_grows_and_the_step_ends_with_it(tmp_path: Path) -> None:
    curve = LearningCurve(tmp_path / "curve.jsonl")

    def train() -> None:
        curve.begin(None)
        for i in range(1, 6):
            curve.step(row(i))
            if i % 2 == 0:
                curve.evaluated(i, 2.0)
        curve.end()

    thread = threading.Thread(target=train)
    thread.start()
    figures = track.run(step_on(tmp_path))
    thread.join()
    assert figures == {"told": 7, "ended": True} and made[0].closed
    assert [s for s, v in made[0].sent if "train/loss" in v] == [1, 2, 3, 4, 5] and [s for s, v in made[0].sent if "eval/loss" in v] == [2, 4]
    assert made[0].sent[0][1] == {"train/loss": 1.0, "train/learning_rate": 1e-3, "train/grad_norm": 0.5, "train/tokens_per_second": 900.0, "train/examples": 8.0}


def test_a_training_that_goes_on_is_told_from_where_it_was(tmp_path: Path) -> None:
    first = LearningCurve(tmp_path / "curve.jsonl")
    first.begin(None)
    for i in (1, 2):
        first.step(row(i))
    kept = first.state()
    first.step(row(3))
    step = step_on(tmp_path)
    step.request_stop()
    assert track.run(step) == {"told": 3, "ended": False}
    # The checkpoint was of step 2: step 3 is done again, and is the same.
    again = LearningCurve(tmp_path / "curve.jsonl")
    again.begin(kept)
    for i in (3, 4):
        again.step(row(i))
    again.end()
    assert [json.loads(line).get("step") for line in (tmp_path / "curve.jsonl").read_text("utf-8").splitlines()] == [1, 2, 3, 4, None]
    track.run(step_on(tmp_path))
    assert [s for s, _ in made[1].sent] == [4]


def test_a_tracker_that_fails_is_an_error_of_its_own_step_and_is_closed(tmp_path: Path) -> None:
    curve = LearningCurve(tmp_path / "curve.jsonl")
    curve.begin(None)
    curve.step(row(1))
    fails_at[0] = 1
    with pytest.raises(ConnectionError):
        track.run(step_on(tmp_path))
    assert made[0].closed
    with pytest.raises(StepError, match="tensorboard, wandb, mlflow"):
        track.run(step_on(tmp_path, to="aim"))


def test_a_file_that_is_written_anew_is_read_from_its_beginning_and_no_step_told_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a training does that was killed and goes on from its last checkpoint; TensorBoard's writer, unlike the others, remembers nothing."""

    class Forgetful(Heard):
        def tell(self, step: int, values: dict[str, float]) -> None:
            self.sent.append((step, values))

    monkeypatch.setitem(track.TRACKERS, "wandb", Forgetful)
    file = tmp_path / "curve.jsonl"
    curve = LearningCurve(file)
    curve.begin(None)
    for n in (1, 2):
        curve.step(row(n))
    state = curve.state()
    for n in (3, 4, 5):
        curve.step(row(n))

    def killed_and_on() -> None:
        while not made or len(made[0].sent) < 5:
            threading.Event().wait(0.01)
        second = LearningCurve(file)
        second.begin(state)
        for n in (3, 4, 5, 6):
            second.step(row(n))
        second.end()

    thread = threading.Thread(target=killed_and_on)
    thread.start()
    figures = track.run(step_on(tmp_path))
    thread.join()
    assert [step for step, _ in made[0].sent] == [1, 2, 3, 4, 5, 6] and figures == {"told": 6, "ended": True}
