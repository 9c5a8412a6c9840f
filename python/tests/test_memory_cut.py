"""What training does where memory does not suffice: in which order, how far, and what it remembers. Killed processes are really killed."""

from __future__ import annotations

import json
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forge_steps.memory_cut import Cut, Memory, Starts, first_cut
from forge_steps.protocol import StepError
from hypothesis import given
from hypothesis import strategies as st
from test_train import figures_of, finish, in_process, start, told, values, write_spec
from tiny import save_base

GROUND = {"checkpoint_seconds": 0, "limits": {"memory": 64 * 10**9, "free": 64 * 10**9, "gpu": None, "disk": 10**12}}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


@given(st.integers(1, 1 << 20), st.integers(1, 5000), st.integers(0, 50_000), st.booleans())
def test_every_next_cut_takes_less_and_there_is_a_last_one(row_tokens: int, longest: int, more: int, may_recompute: bool) -> None:
    largest = longest + more
    cut, tried = Cut(row_tokens, False), 0
    while (smaller := cut.smaller(longest, largest, may_recompute)) is not None:
        rows = (min(cut.row_tokens, largest), min(smaller.row_tokens, largest))
        assert not cut.recomputed
        if smaller.recomputed:
            assert rows[1] == rows[0] <= longest
        else:
            assert longest <= rows[1] < rows[0]
        cut, tried = smaller, tried + 1
    assert min(cut.row_tokens, largest) <= longest and cut.recomputed == may_recompute and tried <= 22


ASKED = Cut(2000, False)


def begin(memory: Memory, killed: int = 0, asked: Cut = ASKED, may_recompute: bool = True) -> tuple[Cut, Starts]:
    return first_cut(memory, asked, killed, 100, 1000, may_recompute, "it was compared")


def test_what_did_suffice_is_remembered_for_this_training_alone(tmp_path: Path) -> None:
    memory = Memory(tmp_path, "a", 2000)
    assert begin(memory) == (ASKED, Starts()) and begin(memory, 3) == (ASKED, Starts(3))  # Nothing is known.
    memory.write(Cut(500, False), "training", Starts())
    assert begin(memory) == (Cut(500, False), Starts()) and begin(memory, 1) == (Cut(250, False), Starts(1))
    # Another training, or other rows in the recipe.
    assert begin(Memory(tmp_path, "b", 2000)) == begin(Memory(tmp_path, "a", 3000)) == (ASKED, Starts())
    # Killed while it loaded: once more as it was, then no more.
    memory.write(Cut(500, False), "loading", Starts())
    cut, starts = begin(memory, 1)
    assert (cut, starts.loading) == (Cut(500, False), 2)
    memory.write(cut, "loading", starts)
    with pytest.raises(StepError, match="killed training 2 times, the last 2 of them while the base model was loaded"):
        begin(memory, 2)
    assert begin(memory) == (ASKED, Starts())
    memory.write(Cut(100, True), "training", Starts())
    with pytest.raises(StepError, match="one sample a row .* with layers recomputed; the system killed training 1 time") as caught:
        begin(memory, 1)
    assert caught.value.code == "step/out-of-memory" and begin(memory) == (ASKED, Starts())
    (tmp_path / "memory.json").write_text('{"digest": "a"', "utf-8")
    assert begin(memory) == (ASKED, Starts())


def test_a_kill_after_the_last_step_cuts_no_rows_and_is_tried_twice(tmp_path: Path) -> None:
    memory, cut = Memory(tmp_path, "a", 2000), Cut(500, False)
    memory.write(cut, "trained", Starts())
    again, starts = begin(memory, 1)
    assert again == cut
    for state in ("loading", "training", "trained"):  # It goes on from its last checkpoint, and comes as far as before.
        memory.write(again, state, starts)
    with pytest.raises(StepError, match="killed training 2 times, the last 2 of them after its last step, while it was compared: memory") as caught:
        begin(memory, 2)
    assert caught.value.code == "step/out-of-memory" and caught.value.hint is not None and "What was trained is kept" in caught.value.hint


@given(st.sampled_from(["loading", "training", "trained"]), st.integers(0, 5), st.integers(0, 5), st.booleans())
def test_rows_are_cut_for_kills_that_the_last_start_did_not_know_of(state: Any, before: int, now: int, forced: bool) -> None:
    """A start after somebody else's kill has the same count as the one before it."""
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory(Path(folder), "a", 2000)
        memory.write(Cut(500, forced, forced), state, Starts(before))
        cut, starts = begin(memory, now)
        assert cut.row_tokens == (250 if now > before and state == "training" else 500) and starts.killed == now


def test_layers_recomputed_by_an_estimate_are_forgotten_and_by_force_only_where_the_recipe_lets_them(tmp_path: Path) -> None:
    memory = Memory(tmp_path, "a", 2000)
    memory.write(Cut(500, True), "training", Starts())  # As decisions.py chose it.
    assert begin(memory)[0] == Cut(500, False)
    # After a kill they still are: what was killed held less than it would without.
    assert begin(memory, 1)[0] == Cut(250, True)
    assert begin(memory, 1, may_recompute=False)[0] == Cut(250, False)
    forced = Cut(100, False).smaller(100, 1000, True)
    assert forced is not None
    memory.write(forced, "training", Starts())
    assert begin(memory)[0].recomputed and not begin(memory, may_recompute=False)[0].recomputed
    assert begin(memory, asked=Cut(2000, True), may_recompute=True)[0].recomputed


def test_a_training_forgets_what_the_estimate_chose_once_memory_is_free(base: Path, tmp_path: Path) -> None:
    """What was recomputed for want of memory is not once there is enough, and never where the recipe says `off`."""

    def recomputed(free: int, **changes: Any) -> bool:
        spec = write_spec(tmp_path, base, **{**GROUND, "limits": {**GROUND["limits"], "free": free}, "hyper": {"epochs": 0.5}, **changes})
        in_process(spec, tmp_path / "events")
        [line] = [e["message"] for e in told(tmp_path / "events") if e["type"] == "log" and "tokens to learn from" in e["message"]]
        return "(layers recomputed)" in line

    assert [recomputed(10**8), recomputed(64 * 10**9), recomputed(10**8), recomputed(10**8, gradient_checkpointing="off")] == [True, False, True, False]


def test_a_training_that_is_killed_after_its_last_step_ends_as_it_was(base: Path, tmp_path: Path) -> None:
    spec = {**GROUND, "hyper": {"epochs": 0.5}}
    straight = in_process(write_spec(tmp_path, base, **spec), tmp_path / "events")
    again = in_process(write_spec(tmp_path, base, **spec, killed=1), tmp_path / "events")
    assert "row_tokens" not in again and again["resumed_from"] == straight["steps"] and again["final_loss"] == straight["final_loss"]
    with pytest.raises(StepError, match="after its last step, while the adapter was saved"):
        in_process(write_spec(tmp_path, base, **spec, killed=2), tmp_path / "events")


def killed_at(spec: Path, when: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Runs the step and kills it, as the kernel does, once an event is such; the events until then."""
    process = start(spec)
    assert process.stdout is not None
    events = []
    for line in process.stdout:
        events.append(json.loads(line))
        if when(events[-1]):
            threading.Thread(target=process.kill).start()
    assert process.wait(10) == -signal.SIGKILL
    return events


def checkpoint(event: dict[str, Any]) -> bool:
    return event["type"] == "artifact" and event["name"] == "checkpoint"


@pytest.mark.slow
def test_a_training_that_is_killed_goes_on_in_smaller_rows_to_the_same_curve(base: Path, tmp_path: Path) -> None:
    straight = finish(start(write_spec(tmp_path / "straight", base, **GROUND)))
    folder = tmp_path / "killed"
    parts = [killed_at(write_spec(folder, base, **GROUND), checkpoint)]
    parts.append(killed_at(write_spec(folder, base, **GROUND, killed=1), checkpoint))
    parts.append(finish(start(write_spec(folder, base, **GROUND, killed=2))))
    figures, wanted = figures_of(parts[-1]), figures_of(straight)
    longest = wanted["longest_tokens"]
    assert figures["killed"] == 2 and figures["resumed_from"] >= 2 and "killed" not in wanted
    sizes = [max(longest, 256), max(longest, 128)]
    assert figures["row_tokens"] == sizes[-1]
    for n, part in enumerate(parts[1:]):
        said = [e["message"] for e in part if e["type"] == "log" and e["level"] == "warning"]
        assert said[0].startswith(f"after the system killed training {n + 1} time{'s' if n else ''}, it trains in rows of at most {sizes[n]} tokens"), said
    losses: dict[int, float] = {}
    for part in parts:
        losses |= values(part, "loss")
    expected = values(straight, "loss")
    assert losses.keys() == expected.keys()
    for step, loss in expected.items():
        assert losses[step] == pytest.approx(loss, rel=2e-2), step  # bfloat16 where the processor has it: equal to its rounding.


def test_the_last_resort_is_to_recompute_layers_and_then_it_gives_up(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the process: rows down to the longest sample, then layers recomputed, with the gradients of before; where even that fails an error."""
    from forge_steps import prefix

    changes = {**GROUND, "hyper": {"epochs": 1}}
    straight = in_process(write_spec(tmp_path / "straight", base, **changes), tmp_path / "straight.jsonl")
    real, never = prefix.step_backward, [False]

    def short(model: Any, *given: Any, **named: Any) -> Any:
        found = real(model, *given, **named)
        if never[0] or not getattr(model.get_base_model().get_decoder(), "forge_recomputes", False):
            raise MemoryError
        return found

    monkeypatch.setattr(prefix, "step_backward", short)
    spec = write_spec(tmp_path / "short", base, **changes)
    figures = in_process(spec, tmp_path / "short.jsonl")
    assert figures["row_tokens"] == figures["longest_tokens"] and figures["recomputed"] is True
    warnings = [e["message"] for e in told(tmp_path / "short.jsonl") if e["type"] == "log" and e["level"] == "warning"]
    assert warnings[-1].endswith(f"in rows of at most {figures['longest_tokens']} tokens, layers recomputed")
    assert values(told(tmp_path / "short.jsonl"), "loss") == pytest.approx(values(told(tmp_path / "straight.jsonl"), "loss"), rel=2e-2)
    assert figures["final_loss"] == pytest.approx(straight["final_loss"], rel=2e-2)
    # What sufficed is where the next one begins; `off` is the user's word, and kept.
    never[0] = True
    for wish, words in (("auto", "with layers recomputed"), ("off", r"the tools included\)$")):
        with pytest.raises(StepError, match=words):
            in_process(write_spec(tmp_path / wish, base, **changes, gradient_checkpointing=wish), tmp_path / "never.jsonl")
        assert not (tmp_path / wish / "checkpoints" / "memory.json").exists()
