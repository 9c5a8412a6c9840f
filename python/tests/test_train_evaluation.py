"""Evaluation while training, early stopping, checkpoints that come and go, the learning curve: and that a killed run decides as one that was not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from forge_steps.checkpoint import Checkpoints
from forge_steps.evaluation import Evaluations
from forge_steps.learning_curve import COLUMNS
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from test_train import in_process, start, told, values, write_spec
from tiny import rendered, save_base


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


def with_evaluation(folder: Path, base: Path, steps: int | None = 2, patience: int | None = None, **changes: Any) -> Path:
    spec = write_spec(folder, base, curve=str(folder / "curve.jsonl"), **changes)
    (folder / "held.jsonl").write_text("".join(json.dumps({**r, "id": f"held-{r['id']}"}) + "\n" for r in rendered(6, seed=9)), "utf-8")
    evaluation = {"rows": str(folder / "held.jsonl"), **({} if steps is None else {"steps": steps}), **({} if patience is None else {"patience": patience})}
    spec.write_text(json.dumps({**json.loads(spec.read_text("utf-8")), "evaluation": evaluation}), "utf-8")
    return spec


def adapter(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter" / "adapter_model.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


def curve_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "curve.jsonl").read_text("utf-8").splitlines()]


def test_evaluation_changes_nothing_in_the_training_and_says_how_it_goes(base: Path, tmp_path: Path) -> None:
    changes = {"hyper": {"dropout": 0.2}}
    plain = in_process(write_spec(tmp_path / "plain", base, **changes), tmp_path / "plain.jsonl")
    figures = in_process(with_evaluation(tmp_path / "held", base, steps=5, **changes), tmp_path / "held.events")
    events = told(tmp_path / "held.events")
    losses = values(events, "eval_loss")
    assert sorted(losses) == [5, 10, 12] and losses[12] < losses[5]
    assert figures["eval_loss"] == round(losses[12], 6) and figures["eval_examples"] == 6 and "best_step" not in figures
    # Dropout is drawn as without it: the same losses, the same adapter.
    assert values(events, "loss") == values(told(tmp_path / "plain.jsonl"), "loss")
    assert same(adapter(tmp_path / "held"), adapter(tmp_path / "plain")) and "eval_loss" not in plain
    speeds = values(events, "tokens_per_second")
    assert sorted(speeds) == list(range(1, 13)) and min(speeds.values()) > 0
    lines = curve_of(tmp_path / "held")
    steps = [line for line in lines if "loss" in line]
    assert [line["step"] for line in steps] == list(range(1, 13)) and all(tuple(line) == COLUMNS for line in steps)
    assert steps[-1]["examples"] == 48 and [line["seconds"] for line in steps] == sorted(line["seconds"] for line in steps)
    assert [line["eval_loss"] for line in lines if "eval_loss" in line] == list(losses.values()) and lines[-1] == {"end": True}


@pytest.mark.parametrize("batching", ["padded", "shared_prefix"])
@pytest.mark.parametrize("attention", ["pytorch's", "ours"])
def test_the_held_out_loss_is_the_trainings_without_a_gradient(attention: str, batching: str) -> None:
    from forge_steps.prefix import held_out_loss, shared_prefix, step_backward
    from test_prefix import encoded, trainee

    samples = encoded(7)
    made = trainee(attention)
    prefix = shared_prefix(samples) if batching == "shared_prefix" else 0
    state = torch.get_rng_state()
    found = held_out_loss(made.model, samples, prefix, 300)
    assert torch.equal(torch.get_rng_state(), state) and made.model.training
    assert all(not g.any() for g in made.gradients().values())
    assert found == pytest.approx(step_backward(made.model, samples, prefix, 300)[0], rel=1e-6)


def test_training_stops_where_nothing_gets_better_and_keeps_the_best_adapter(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from forge_steps import prefix

    seen: list[dict[str, torch.Tensor]] = []
    script = [3.0, 2.0, 2.5, 2.0, 1.0, 1.0]

    def scripted(model: Any, *_: Any, **__: Any) -> float:
        seen.append({n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad})
        return script[len(seen) - 1]

    monkeypatch.setattr(prefix, "held_out_loss", scripted)
    figures = in_process(with_evaluation(tmp_path, base, steps=2, patience=2), tmp_path / "events")
    assert {k: figures[k] for k in ("steps", "best_step", "stopped_early", "eval_loss")} == {"steps": 8, "best_step": 4, "stopped_early": True, "eval_loss": 2.0}
    saved = adapter(tmp_path)
    for name, tensor in seen[1].items():
        assert torch.equal(saved[name.replace(".default", "")].to(tensor.dtype), tensor), name
    said = [e["message"] for e in told(tmp_path / "events") if e["type"] == "log"]
    assert any("no better one in 2 evaluations. The adapter is the one after step 4" in m for m in said), said
    # Once more with the same spec: nothing is left to do, and it comes to the same.
    (tmp_path / "adapter").rename(tmp_path / "lost")
    again = in_process(tmp_path / "spec.json", tmp_path / "events")
    assert again["best_step"] == 4 and again["resumed_from"] == 8 and len(seen) == 4 and same(adapter(tmp_path), saved)


def test_a_killed_run_with_evaluations_comes_to_the_same_adapter(base: Path, tmp_path: Path) -> None:
    # A rate at which the held-out loss goes up and down, so that the best one is not the last.
    changes = {"hyper": {"learning_rate": 0.2, "epochs": 4}, "checkpoint_steps": 3}
    straight = in_process(with_evaluation(tmp_path / "straight", base, steps=1, patience=4, **changes), tmp_path / "straight.events")
    spec = with_evaluation(tmp_path / "killed", base, steps=1, patience=4, **changes)
    process = start(spec)
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["type"] == "metric" and event["name"] == "eval_loss" and event["step"] == 4:
            process.kill()
            break
    process.wait(20)
    rest = in_process(spec, tmp_path / "rest.events")
    assert rest["resumed_from"] >= 3 and straight["best_step"] < straight["steps"]
    assert same(adapter(tmp_path / "killed"), adapter(tmp_path / "straight"))
    assert {**rest, "resumed_from": 0, "seconds": 0, "examples_per_second": 0, "peak_memory_bytes": 0} == {
        **straight, "seconds": 0, "examples_per_second": 0, "peak_memory_bytes": 0,
    }
    timeless = [[{k: v for k, v in line.items() if k not in ("seconds", "tokens_per_second")} for line in curve_of(tmp_path / n)] for n in ("killed", "straight")]
    assert timeless[0] == timeless[1]  # No step twice.


@given(st.lists(st.floats(0, 9, allow_nan=False), min_size=1, max_size=12), st.integers(1, 4))
def test_stopping_follows_from_the_losses_alone(losses: list[float], patience: int) -> None:
    straight = Evaluations(len(losses), 1, patience)
    for step, loss in enumerate(losses, 1):
        assert straight.due(step)
        straight.add(step, loss)
        assert not straight.due(step)
        resumed = Evaluations(len(losses), 1, patience)
        resumed.losses = list(straight.losses)
        assert (resumed.best, resumed.exhausted) == (straight.best, straight.exhausted)
        if straight.exhausted:
            assert min(losses[step - patience : step]) >= min(losses[: step - patience])
            break
    assert straight.best is not None and straight.best[1] == min(loss for _, loss in straight.losses)


def test_ten_evaluations_where_nobody_says_how_many() -> None:
    made = Evaluations(95)
    assert [s for s in range(96) if made.due(s)] == [10, 20, 30, 40, 50, 60, 70, 80, 90, 95]
    assert [s for s in range(4) if Evaluations(3).due(s)] == [1, 2, 3]


def test_so_many_checkpoints_are_kept_and_a_damaged_one_is_passed_over(tmp_path: Path) -> None:
    def names() -> list[str]:
        return sorted(p.name for p in tmp_path.iterdir())

    store = Checkpoints(tmp_path, "abcdefab00", kept=2)
    assert store.load() is None
    other = Checkpoints(tmp_path, "1234567800", kept=3)
    other.save({"position": 99})
    for position in (3, 6, 9):
        store.save({"position": position})
    # Those of another spec went, as only one spec's training goes on here.
    assert names() == ["checkpoint-abcdefab-000000006.pt", "checkpoint-abcdefab-000000009.pt"] and other.load() is None
    # A kill in the midst of writing the next one, a disk that lost the newest.
    (tmp_path / "checkpoint-abcdefab-000000012.part").write_bytes(b"half")
    newest = tmp_path / "checkpoint-abcdefab-000000009.pt"
    newest.write_bytes(newest.read_bytes()[:200])
    reader = Checkpoints(tmp_path, "abcdefab00", kept=1)
    state = reader.load()
    assert state is not None and state["position"] == 6 and reader.damaged == [newest]
    # Gone on from the older one, the newer is of no more use than the half one.
    Checkpoints(tmp_path, "abcdefab00", kept=1).save({"position": 7})
    assert names() == ["checkpoint-abcdefab-000000007.pt"]
    store.clear()
    assert names() == []
    torch.save({"position": 5, "digest": "abcdefab00"}, tmp_path / "checkpoint.pt")
    assert (store.load() or {})["position"] == 5  # As an earlier forge left it.
