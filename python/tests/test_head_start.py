"""Head starts: two adapters laid side by side are their sum, and training on top of one saves both as one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from forge_steps.head_start import CONFIG, WEIGHTS, join, read_adapter
from forge_steps.merge import merged_model
from forge_steps.model import file_sha256, load_base
from hypothesis import given, settings
from hypothesis import strategies as st
from test_train import failure, finish, start, write_spec
from tiny import save_base

A, B = "base_model.model.q.lora_A.weight", "base_model.model.q.lora_B.weight"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def below(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained adapter, in bfloat16."""
    folder = tmp_path_factory.mktemp("below")
    assert finish(start(write_spec(folder, base, hyper={"rank": 2, "alpha": 8})))[-1]["type"] == "result"
    spec = folder / "head.json"
    spec.write_text(json.dumps({"v": 1, "adapter": str(folder / "adapter"), "output": str(folder / "small")}), "utf-8")
    last = finish(start_step("head_start", spec))[-1]
    assert last["type"] == "result", last
    assert last["figures"] == {"bytes": (folder / "small" / WEIGHTS).stat().st_size, "sha256": file_sha256(folder / "small" / WEIGHTS), "rank": 2}
    return folder / "small"


def start_step(name: str, spec: Path) -> Any:
    import os
    import subprocess
    import sys

    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    return subprocess.Popen(
        [sys.executable, "-m", "forge_steps", name, "--spec", str(spec)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env,
    )


def given_head_start(folder: Path) -> dict[str, str]:
    return {"adapter": str(folder), "sha256": f"sha256:{file_sha256(folder / WEIGHTS)}"}


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.arange(2, 30).unsqueeze(0)).logits


@given(st.integers(1, 4), st.integers(1, 4), st.floats(0.1, 4), st.floats(0.1, 4), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_adapters_side_by_side_are_their_sum(first: int, second: int, s1: float, s2: float, seed: int) -> None:
    torch.manual_seed(seed)
    a1, b1, a2, b2 = torch.randn(first, 6), torch.randn(5, first), torch.randn(second, 6), torch.randn(5, second)
    both = join({A: a1, B: b1}, s1, {A: a2, B: b2}, s2)
    assert both[A].shape == (first + second, 6)
    torch.testing.assert_close(both[B] @ both[A], s1 * b1 @ a1 + s2 * b2 @ a2, rtol=1e-4, atol=1e-4)


def test_adapters_of_different_matrices_are_refused() -> None:
    with pytest.raises(ValueError, match="different matrices"):
        join({A: torch.zeros(1, 2)}, 1, {B: torch.zeros(2, 1)}, 1)


@pytest.mark.slow
def test_what_is_saved_holds_the_head_start(base: Path, below: Path, tmp_path: Path) -> None:
    start_of_all = given_head_start(below)
    # A rate of zero: the recipe's own adapter changes nothing, and the saved one is the head start.
    still = write_spec(tmp_path / "still", base, head_start=start_of_all, hyper={"learning_rate": 0.0})
    assert finish(start(still))[-1]["type"] == "result"
    config = json.loads((tmp_path / "still" / "adapter" / CONFIG).read_text("utf-8"))
    assert (config["r"], config["lora_alpha"], config["base_model_name_or_path"]) == (6, 6, None)
    with_head_start = logits(load_base(base, torch.float32, below=below))
    torch.testing.assert_close(logits(merged_model(base, tmp_path / "still" / "adapter", tmp_path / "still-merged")), with_head_start, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(logits(load_base(base, torch.float32)), with_head_start, atol=1e-2)

    events = finish(start(write_spec(tmp_path / "on", base, head_start=start_of_all)))
    plain = finish(start(write_spec(tmp_path / "plain", base)))
    assert events[-1]["type"] == "result", events[-1]
    # It begins where the head start ended, which had learned the same samples.
    assert events[-1]["figures"]["first_loss"] < 0.8 * plain[-1]["figures"]["first_loss"]
    weights, _ = read_adapter(tmp_path / "on" / "adapter")
    assert {w.dtype for w in weights.values()} == {torch.float32}
    assert not torch.allclose(logits(merged_model(base, tmp_path / "on" / "adapter", tmp_path / "on-merged")), with_head_start, atol=1e-3)


def test_the_rotary_frequencies_keep_their_precision(base: Path, below: Path) -> None:
    model = load_base(base, torch.bfloat16, below=below)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert all(b.dtype == torch.float32 for name, b in model.named_buffers() if name.endswith("inv_freq"))


def test_a_damaged_head_start_is_refused(base: Path, below: Path, tmp_path: Path) -> None:
    spec = write_spec(tmp_path, base, head_start={"adapter": str(below), "sha256": "sha256:" + "0" * 64})
    error = failure(spec)
    assert error["code"] == "train/head-start" and "head_start: false" in error["hint"]


@pytest.mark.slow
def test_a_training_goes_on_from_an_adapter(base: Path, below: Path, tmp_path: Path) -> None:
    # A rate of zero: what is saved is what it began with.
    still = write_spec(tmp_path / "still", base, start=str(below), hyper={"rank": 2, "alpha": 8, "learning_rate": 0.0})
    assert finish(start(still))[-1]["type"] == "result"
    first, last = read_adapter(below)[0], read_adapter(tmp_path / "still" / "adapter")[0]
    assert first.keys() == last.keys()
    for name, weights in first.items():
        torch.testing.assert_close(last[name], weights.float())


@pytest.mark.slow
def test_an_adapter_of_another_rank_is_nothing_to_go_on_from(base: Path, below: Path, tmp_path: Path) -> None:
    other = write_spec(tmp_path / "other", base, start=str(below), hyper={"rank": 4, "alpha": 8})
    error = failure(other)
    assert error["code"] == "train/start" and "rank 2" in error["message"]
