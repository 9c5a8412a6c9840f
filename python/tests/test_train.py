"""The train step as a process: what it reports, and that a killed run goes on to the same result."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from forge_steps.protocol import StepError
from forge_steps.train import Hyper, Schedule
from hypothesis import given
from hypothesis import strategies as st
from tiny import rendered, save_base

PYTHON = Path(__file__).resolve().parent.parent
HYPER = {
    "rank": 4,
    "alpha": 8,
    "dropout": 0.0,
    "learning_rate": 5e-3,
    "epochs": 2,
    "samples_per_step": 4,
    "warmup_steps": 2,
    "max_tokens": 64,
    "batching": "shared_prefix",
    "row_tokens": 512,
    "weight_decay": 0.0,
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


def write_spec(folder: Path, base: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rendered.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rendered(24)), "utf-8")
    spec = {
        "v": 1,
        "base": {"gguf": str(base)},
        "family": "tiny",
        "rows": str(folder / "rendered.jsonl"),
        "hyper": {**HYPER, **changes.pop("hyper", {})},
        "seed": 3,
        "output": str(folder / "adapter"),
        "checkpoints": str(folder / "checkpoints"),
        **changes,
    }
    file = folder / "spec.json"
    file.write_text(json.dumps(spec), "utf-8")
    return file


def start(spec: Path) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(PYTHON), "PYTHONHASHSEED": "0"}
    return subprocess.Popen(
        [sys.executable, "-m", "forge_steps", "train", "--spec", str(spec)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env,
    )


def finish(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Every event to the end."""
    assert process.stdout is not None
    events = [json.loads(line) for line in process.stdout]
    process.wait(60)
    return events


def values(events: list[dict[str, Any]], name: str) -> dict[int, float]:
    return {e["step"]: e["value"] for e in events if e["type"] == "metric" and e["name"] == name}


def figures_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    assert events[-1]["type"] == "result", events[-1]
    return dict(events[-1]["figures"])


@pytest.mark.slow
def test_a_run_that_is_stopped_goes_on_to_the_same_result(base: Path, tmp_path: Path) -> None:
    whole = finish(start(write_spec(tmp_path / "whole", base)))
    assert whole[-1]["type"] == "result", whole[-1]
    figures = whole[-1]["figures"]
    assert figures["steps"] == 12 and figures["examples"] == 48 and figures["epochs"] == 2 and figures["resumed_from"] == 0
    assert figures["final_loss"] < 0.8 * figures["first_loss"]
    rates = values(whole, "learning_rate")
    assert rates[3] == pytest.approx(5e-3) and rates[1] < rates[2] < rates[3] > rates[4] > rates[12] > 0

    spec = write_spec(tmp_path / "cut", base)
    first = start(spec)
    assert first.stdout is not None
    seen = []
    for line in first.stdout:
        seen.append(json.loads(line))
        if len(values(seen, "loss")) == 5:
            first.send_signal(signal.SIGTERM)
            break
    asked = time.monotonic()
    seen += finish(first)
    assert time.monotonic() - asked < 10
    assert seen[-1] == {"v": 1, "type": "error", "code": "step/stopped", "message": "train was stopped before it was done"}
    assert any(e["type"] == "artifact" and e["name"] == "checkpoint" for e in seen)
    assert not (tmp_path / "cut" / "adapter").exists()

    rest = finish(start(spec))
    assert rest[-1]["type"] == "result", rest[-1]
    resumed = rest[-1]["figures"]["resumed_from"]
    assert 5 <= resumed < 12
    before, after, straight = values(seen, "loss"), values(rest, "loss"), values(whole, "loss")
    assert sorted([*before, *after]) == list(range(1, 13)) and min(after) == resumed + 1
    for step, loss in {**before, **after}.items():
        assert loss == pytest.approx(straight[step], rel=1e-3), step
    # Whoever asked for the adapter has it safe only later: until then the training can be had again without being done again.
    (tmp_path / "cut" / "adapter").rename(tmp_path / "lost")
    again = figures_of(finish(start(spec)))
    assert again["resumed_from"] == 12 and again["final_loss"] == figures_of(rest)["final_loss"]
    assert sorted(p.name for p in (tmp_path / "cut" / "adapter").iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert str(tmp_path) not in (tmp_path / "cut" / "adapter" / "adapter_config.json").read_text("utf-8")


def test_a_killed_run_goes_on_from_its_last_checkpoint(base: Path, tmp_path: Path) -> None:
    spec = write_spec(tmp_path, base, checkpoint_seconds=0)
    first = start(spec)
    assert first.stdout is not None
    for line in first.stdout:
        event = json.loads(line)
        if event["type"] == "metric" and event["step"] == 6:
            first.kill()
            break
    first.wait(10)
    rest = finish(start(spec))
    assert rest[-1]["type"] == "result" and rest[-1]["figures"]["resumed_from"] >= 5


def test_a_checkpoint_that_is_damaged_is_named_and_one_of_other_rows_is_as_good(base: Path, tmp_path: Path) -> None:
    changes = {"hyper": {"epochs": 0.5, "samples_per_step": 30, "rank": 20}}
    first = finish(start(write_spec(tmp_path, base, **changes)))
    said = [e["message"] for e in first if e["type"] == "log"]
    assert any(m.startswith("a step takes all 24 examples there are") and m.endswith("is 30") for m in said), said
    assert any(m.startswith("`train.rank` is 20, and the smallest side of the model's matrices 16") for m in said), said
    done = figures_of(first)["steps"]
    # The adapter is where it was: a training that was killed after it had saved it is begun again.
    again = figures_of(finish(start(write_spec(tmp_path, base, **{"hyper": {**changes["hyper"], "row_tokens": 300}}))))
    assert again["resumed_from"] == done
    for checkpoint in (tmp_path / "checkpoints").glob("checkpoint-*.pt"):
        checkpoint.write_bytes(checkpoint.read_bytes()[:300])
    anew = finish(start(write_spec(tmp_path, base, **changes)))
    assert figures_of(anew)["resumed_from"] == 0
    [warning] = [e["message"] for e in anew if e["type"] == "log" and "cannot be read" in e["message"]]
    assert str(checkpoint) in warning and warning.endswith("training begins anew")


def test_a_checkpoint_of_another_spec_is_not_used(base: Path, tmp_path: Path) -> None:
    spec = write_spec(tmp_path, base, checkpoint_seconds=0)
    first = start(spec)
    assert first.stdout is not None
    for line in first.stdout:
        if '"checkpoint"' in line:
            first.kill()
            break
    first.wait(10)
    rest = finish(start(write_spec(tmp_path, base, seed=4)))
    assert rest[-1]["type"] == "result" and rest[-1]["figures"]["resumed_from"] == 0


def test_padded_and_shared_batches_give_the_same_losses(base: Path, tmp_path: Path) -> None:
    runs = [finish(start(write_spec(tmp_path / b, base, hyper={"batching": b, "epochs": 1}))) for b in ("padded", "shared_prefix")]
    padded, shared = (values(r, "loss") for r in runs)
    assert runs[0][-1]["figures"]["prefix_tokens"] == 0 < runs[1][-1]["figures"]["prefix_tokens"]
    # bfloat16 where the processor has it: equal to its rounding.
    for step in padded:
        assert shared[step] == pytest.approx(padded[step], rel=0.02)


def failure(spec: Path) -> dict[str, Any]:
    last = finish(start(spec))[-1]
    assert last["type"] == "error", last
    return last


def test_checkpoints_that_cannot_be_written_are_warnings(base: Path, tmp_path: Path) -> None:
    """A file lies where the folder would be made; and the warm-up, which is longer than a third of the steps, is said to be cut."""
    (tmp_path / "taken").write_text("")
    spec = write_spec(tmp_path, base, checkpoints=str(tmp_path / "taken" / "checkpoints"), checkpoint_steps=5, hyper={"warmup_steps": 100})
    events = finish(start(spec))
    assert figures_of(events)["steps"] == 12 and (tmp_path / "adapter" / "adapter_model.safetensors").is_file()
    warnings = [e["message"] for e in events if e["type"] == "log" and e["level"] == "warning"]
    assert [w.split(" could")[0] for w in warnings] == [f"the checkpoint after step {n}" for n in (5, 10, 12)]
    assert all(str(tmp_path / "taken" / "checkpoints") in w for w in warnings)
    assert "`warmup_steps` is cut from 100 to 4: a third of the 12 steps there are" in [e["message"] for e in events if e["type"] == "log"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_disk_leaves_the_checkpoint_before_and_names_the_file(tmp_path: Path) -> None:
    import torch

    from forge_steps.checkpoint import Checkpoints

    store = Checkpoints(tmp_path, "a" * 64)
    store.save({"position": 1, "weights": torch.ones(1000)})
    part = tmp_path / "checkpoint-aaaaaaaa-000000002.part"
    part.symlink_to("/dev/full")
    with pytest.raises(OSError) as caught:
        store.save({"position": 2, "weights": torch.ones(100_000)})
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(part.with_suffix(".pt")))
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint-aaaaaaaa-000000001.pt"]
    found = store.load()
    assert found is not None and found["position"] == 1


def test_an_adapter_that_cannot_be_written_says_where_and_how_much(tmp_path: Path) -> None:
    from safetensors import SafetensorError

    from forge_steps.train import _unwritten

    full = _unwritten(tmp_path / "adapter", 1_200_000, SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"))
    assert isinstance(full, StepError) and full.code == "step/no-space"
    assert str(tmp_path / "adapter") in full.message and "2 MB" in full.message
    denied = _unwritten(tmp_path / "adapter", 1, PermissionError(errno.EACCES, "Permission denied"))
    assert isinstance(denied, StepError) and denied.code == "step/file" and "Permission denied" in denied.message
    assert _unwritten(tmp_path, 1, KeyError("weights")) is None


def test_an_adapter_takes_the_place_of_one_that_is_there_and_of_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from forge_steps.adapter import _put

    def folder(name: str, file: str, text: str) -> Path:
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text)
        return tmp_path / name

    adapter = folder("adapter", "adapter_config.json", "old")
    _put(folder("part", "adapter_config.json", "new"), adapter)
    assert (adapter / "adapter_config.json").read_text() == "new" and [p.name for p in tmp_path.iterdir()] == ["adapter"]
    # Where the new one cannot take its place the old one is there again.
    part, real = folder("part", "adapter_config.json", "newer"), Path.replace

    def broken(self: Path, target: Path) -> Path:
        if self == part:
            raise OSError(errno.EIO, "Input/output error")
        return real(self, target)

    with monkeypatch.context() as patched, pytest.raises(OSError):
        patched.setattr(Path, "replace", broken)
        _put(part, adapter)
    assert (adapter / "adapter_config.json").read_text() == "new" and sorted(p.name for p in tmp_path.iterdir()) == ["adapter", "part"]
    theirs = folder("theirs", "notes.txt", "mine")
    with pytest.raises(OSError):
        _put(part, theirs)
    assert (theirs / "notes.txt").read_text() == "mine"


def test_bad_input_is_named(base: Path, tmp_path: Path) -> None:
    assert "hyper.rank" in failure(write_spec(tmp_path / "a", base, hyper={"rank": 0}))["message"]
    spec = write_spec(tmp_path / "b", base)
    (tmp_path / "b" / "rendered.jsonl").write_text('{"id": "x"}\n', "utf-8")
    assert "line 1" in failure(spec)["message"]
    (tmp_path / "b" / "rendered.jsonl").write_text("", "utf-8")
    assert failure(spec)["code"] == "train/no-samples"
    long = {"id": "long", "segments": [{"text": "x" * 3000, "learn": False}, {"text": "y", "learn": True}]}
    (tmp_path / "b" / "rendered.jsonl").write_text(json.dumps(long) + "\n", "utf-8")
    assert "window of 2048" in failure(spec)["message"]


def test_a_loss_that_is_no_number_ends_the_run(base: Path, tmp_path: Path) -> None:
    last = failure(write_spec(tmp_path, base, hyper={"learning_rate": 1e30, "epochs": 4}))
    assert last["code"] == "train/not-finite" and "learning_rate" in last["hint"]
    assert not (tmp_path / "adapter").exists()


def hyper(**changes: Any) -> Hyper:
    return Hyper(**{**HYPER, **changes})


@given(st.integers(1, 60), st.integers(1, 9), st.sampled_from([0.3, 1.0, 2.5]), st.integers(0, 3))
def test_every_step_has_its_samples_and_every_sample_its_turn(samples: int, size: int, epochs: float, seed: int) -> None:
    schedule = Schedule(samples, hyper(samples_per_step=size, epochs=epochs), seed)
    size = min(size, samples)
    taken = [i for s in range(schedule.steps) for i in schedule.samples(s)]
    assert all(len(schedule.samples(s)) == size and len(schedule.batches(s)) == 1 for s in range(schedule.steps))
    assert len(taken) == schedule.seen(schedule.steps) >= round(samples * epochs)
    for start in range(0, len(taken) - samples + 1, samples):
        assert sorted(taken[start : start + samples]) == list(range(samples))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=20), st.integers(1, 12), st.integers(0, 3))
def test_groups_stay_together(sizes: list[int], size: int, seed: int) -> None:
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    groups = [list(range(end - n, end)) for n, end in zip(sizes, ends, strict=True)]
    schedule = Schedule(sum(sizes), hyper(samples_per_step=size, epochs=1), seed, groups)
    size = min(size, sum(sizes))
    taken = [batch for s in range(schedule.steps) for batch in schedule.batches(s)]
    assert all(batch in groups for batch in taken)
    assert sorted(taken[: len(groups)]) == groups or len(taken) < len(groups)
    for s in range(schedule.steps):
        assert len(schedule.samples(s)) >= size > len(schedule.samples(s)) - len(schedule.batches(s)[-1])


@pytest.mark.slow
def test_groups_are_trained_each_after_its_own_beginning(base: Path, tmp_path: Path) -> None:
    spec = write_spec(tmp_path, base, hyper={"samples_per_step": 12})
    rows = []
    for group in ("one", "two, longer"):
        for row in rendered(12, seed=len(group)):
            first, *rest = row["segments"]
            rows.append({"id": f"{group}/{row['id']}", "group": group, "segments": [{**first, "text": f"<|im_start|>{group}: {first['text']}"}, *rest]})
    (tmp_path / "rendered.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    figures = finish(start(spec))[-1]["figures"]
    assert figures["steps"] == 4 and figures["examples"] == 48 and figures["final_loss"] < figures["first_loss"]
    del rows[3]["group"]
    (tmp_path / "rendered.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    assert finish(start(spec))[-1]["message"] == "some samples name a group and others do not"


def in_process(spec: Path, events: Path) -> dict[str, Any]:
    """The step in this process, where a test can reach into it; its events go to a file."""
    from forge_steps import train
    from forge_steps.protocol import Step, load_spec

    out = os.open(events, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        return train.run(Step("train", load_spec(str(spec)), out))
    finally:
        os.close(out)


def told(events: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in events.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("error", ["cuda", "cpu", "python"])
def test_a_step_for_which_memory_does_not_suffice_is_done_again_in_smaller_rows(error: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from forge_steps import prefix

    errors = {
        "cuda": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        "cpu": RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes."),
        "python": MemoryError(),
    }
    changes = {"dropout": 0.1, "row_tokens": 2400}
    straight = in_process(write_spec(tmp_path / "straight", base, hyper=changes), tmp_path / "straight.jsonl")
    real, rows = prefix.step_backward, []

    def short(model: Any, samples: Any, length: int, row_tokens: int, *more: Any, **named: Any) -> Any:
        found = real(model, samples, length, row_tokens, *more, **named)
        rows.append(row_tokens)
        if len(rows) > 3 and row_tokens > 450:
            raise errors[error]  # After its backward pass: what it left must count for nothing.
        return found

    monkeypatch.setattr(prefix, "step_backward", short)
    figures = in_process(write_spec(tmp_path / "short", base, hyper=changes), tmp_path / "short.jsonl")
    # Rows as large as the largest step are halved, not those that no step could fill.
    tried = sorted({*rows}, reverse=True)
    assert rows[:4] == [2400] * 4 and tried[:2] == [2400, 487] and rows.count(487) == 1 and set(rows[5:]) == {tried[2]} and len(tried) == 3
    warnings = [e["message"] for e in told(tmp_path / "short.jsonl") if e["type"] == "log" and e["level"] == "warning"]
    assert warnings == [f"memory does not suffice: the step is done again in rows of at most {n} tokens" for n in tried[1:]]
    assert figures["row_tokens"] == tried[2] == max(figures["longest_tokens"], 243) and "row_tokens" not in straight
    losses, wanted = (values(told(tmp_path / f"{name}.jsonl"), "loss") for name in ("short", "straight"))
    assert losses.keys() == wanted.keys() and figures["steps"] == straight["steps"]
    # Until then the same to the bit; after it dropout is drawn in other rows.
    assert [losses[i] for i in (1, 2, 3)] == [wanted[i] for i in (1, 2, 3)]
    assert figures["final_loss"] == pytest.approx(straight["final_loss"], rel=0.2)


def test_where_not_even_one_sample_fits_the_work_is_kept_and_said(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from forge_steps import prefix
    from forge_steps.protocol import StepError

    real, calls = prefix.step_backward, []

    def never(*given: Any, **named: Any) -> Any:
        calls.append(given[3])
        if len(calls) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(*given, **named)

    monkeypatch.setattr(prefix, "step_backward", never)
    spec = write_spec(tmp_path, base)
    with pytest.raises(StepError, match="one sample a row") as caught:
        in_process(spec, tmp_path / "events.jsonl")
    assert caught.value.code == "step/out-of-memory"
    monkeypatch.setattr(prefix, "step_backward", real)
    assert in_process(spec, tmp_path / "events.jsonl")["resumed_from"] == 5


def test_an_error_of_another_kind_costs_no_finished_step(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was finished is saved, but not in the middle of an update, where the weights are of no step; the error is what is told."""
    from forge_steps import prefix
    from forge_steps.adapter import Trainee

    spec = write_spec(tmp_path, base)
    whole = in_process(write_spec(tmp_path / "whole", base), tmp_path / "whole.jsonl")

    def failing(real: Any, after: int, late: bool) -> Any:
        calls = []

        def work(*given: Any, **named: Any) -> Any:
            calls.append(0)
            found = real(*given, **named) if late or len(calls) <= after else None
            if len(calls) > after:
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            return found

        return work

    for owner, name, after, late, kept in ((prefix, "step_backward", 4, False, 4), (Trainee, "step", 2, True, 4), (prefix, "step_backward", 3, False, 7)):
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, failing(getattr(owner, name), after, late))
            with pytest.raises(RuntimeError, match="illegal memory access"):
                in_process(spec, tmp_path / "events.jsonl")
        assert max(int(p.stem.split("-")[-1]) for p in (tmp_path / "checkpoints").glob("checkpoint-*.pt")) == kept
    rest = in_process(spec, tmp_path / "events.jsonl")
    assert rest["resumed_from"] == 7 and rest["final_loss"] == pytest.approx(whole["final_loss"], rel=1e-3)


def test_dropout_is_drawn_the_same_after_half_a_step_was_dropped(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from forge_steps import prefix
    from forge_steps.protocol import Stopped

    changes = {"hyper": {"dropout": 0.3}}
    in_process(write_spec(tmp_path / "whole", base, **changes), tmp_path / "whole.jsonl")
    real, calls = prefix.step_backward, []

    def stopped(*given: Any, **named: Any) -> Any:
        found = real(*given, **named)
        calls.append(1)
        if len(calls) == 5:
            raise Stopped
        return found

    monkeypatch.setattr(prefix, "step_backward", stopped)
    spec = write_spec(tmp_path / "cut", base, **changes)
    with pytest.raises(Stopped):
        in_process(spec, tmp_path / "first.jsonl")
    monkeypatch.setattr(prefix, "step_backward", real)
    in_process(spec, tmp_path / "rest.jsonl")
    whole, first, rest = (values(told(tmp_path / f"{name}.jsonl"), "loss") for name in ("whole", "first", "rest"))
    assert {**first, **rest} == whole


def test_a_step_of_several_groups_is_the_mean_over_all_its_tokens(base: Path, tmp_path: Path) -> None:
    # One group of a single sample, one of eleven: as much as in one group together.
    def losses(name: str, groups: bool) -> list[float]:
        spec = write_spec(tmp_path / name, base, hyper={"samples_per_step": 12, "epochs": 1})
        rows = rendered(12)
        for i, row in enumerate(rows):
            row["group"] = "alone" if groups and i == 0 else "others"
        (tmp_path / name / "rendered.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
        in_process(spec, tmp_path / f"{name}.jsonl")
        return [e["value"] for e in told(tmp_path / f"{name}.jsonl") if e["type"] == "metric" and e["name"] in ("loss", "grad_norm")]

    assert losses("together", False) == pytest.approx(losses("apart", True), rel=0.01)
