"""What training does where memory does not suffice: in which order, how far, and what it remembers. Killed processes are really killed."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forge_steps.memory_cut import Cut, Memory, first_cut
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


def test_what_did_suffice_is_remembered_for_this_training_alone(tmp_path: Path) -> None:
    asked = Cut(2000, False)

    def begin(memory: Memory, killed: int = 0) -> Any:
        return first_cut(memory, asked, killed, 100, 1000, True)

    memory = Memory(tmp_path, "a", 2000)
    assert begin(memory) == begin(memory, 3) == (asked, 1)  # Nothing is known.
    memory.write(Cut(500, False), loaded=True)
    assert begin(memory) == (Cut(500, False), 1) and begin(memory, 1) == (Cut(250, False), 1)
    # Another training, or other rows in the recipe.
    assert begin(Memory(tmp_path, "b", 2000)) == begin(Memory(tmp_path, "a", 3000)) == (asked, 1)
    # Killed while it loaded: once more as it was, then no more.
    memory.write(Cut(500, False), loaded=False, tries=1)
    assert begin(memory, 1) == (Cut(500, False), 2)
    memory.write(Cut(500, False), loaded=False, tries=2)
    with pytest.raises(StepError, match="killed training 2 times, the last 2 of them while the base model was loaded"):
        begin(memory, 2)
    assert begin(memory) == (asked, 1)
    memory.write(Cut(100, True), loaded=True)
    with pytest.raises(StepError, match="one sample a row .* with layers recomputed; the system killed training 1 time") as caught:
        begin(memory, 1)
    assert caught.value.code == "step/out-of-memory" and begin(memory) == (asked, 1)
    (tmp_path / "memory.json").write_text('{"digest": "a"', "utf-8")
    assert begin(memory) == (asked, 1)


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
