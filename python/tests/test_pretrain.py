"""A model from nothing: the tokenizer's ids, the loss on prompts, a stopped run, and the same model in llama.cpp."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from export_support import BUNDLE, compare_with_llama_cpp, fuzzed, libraries, run_step
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import byte_tokenizer, rendered, tiny_model
from torch.nn import functional

from forge_steps.bpe import learn_tokenizer
from forge_steps.helpers import Helpers
from forge_steps.prefix import Encoded, encode, shared_prefix, step_backward
from forge_steps.pretrain import Hyper, Learner, Rows, Shape, encode_group, steps_of, stretched, weights_of
from forge_steps.protocol import StepError

SHAPE = {"vocabulary": 400, "hidden": 64, "intermediate": 128, "layers": 2, "heads": 4, "key_heads": 2, "head_width": 16, "window": 1024, "rope_theta": 50000.0}
HYPER = {"learning_rate": 3e-3, "samples_per_step": 8, "warmup_steps": 3, "row_tokens": 4096, "weight_decay": 0.01, "prompt_weight": 0.05}
SPECIAL = ["<tool_call>", "</tool_call>"]


def rows_of(groups: int) -> list[dict[str, Any]]:
    """Conversations on several systems, each group with a beginning of its own."""
    found = []
    for g in range(groups):
        for row in rendered(5, seed=g):
            segments = [{**s, "text": s["text"].replace("Tools: f(x), g(y).", f"Tools {g}: f(x), g(y) and {'more ' * (g % 3)}.")} for s in row["segments"]]
            found.append({"id": f"{g}/{row['id']}", "segments": segments, "group": str(g)})
    return found


def write_spec(folder: Path, **changes: Any) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows_of(24)), "utf-8")
    return {
        "rows": str(folder / "rows.jsonl"),
        "shape": SHAPE,
        "special": SPECIAL,
        "hyper": HYPER,
        "seed": 1,
        "output": str(folder / "model"),
        "checkpoints": str(folder / "checkpoints"),
        **changes,
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("pretrained")
    last, log = run_step("pretrain", write_spec(folder), folder)
    assert last["type"] == "result", (last, log)
    return folder / "model", last["figures"]


def test_it_learns_and_leaves_a_model_in_the_hub_s_form(trained: tuple[Path, dict[str, Any]]) -> None:
    folder, figures = trained
    assert figures["examples"] == 120 and figures["steps"] == 12 and figures["resumed_from"] == 0
    assert figures["final_loss"] < 0.8 * figures["first_loss"]
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.dtype == torch.bfloat16 and model.config.model_type == "qwen3"
    assert sum(p.numel() for p in model.parameters()) == figures["parameters"]
    text = '<|im_start|>user\nZürich 17 — "quoted"  x<|im_end|>\n<tool_call>\n'
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text and tokenizer.convert_tokens_to_ids("<tool_call>") in ids


@pytest.mark.slow
def test_a_run_that_is_stopped_goes_on_to_the_same_model(trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    file = tmp_path / "pretrain.spec.json"
    file.write_text(json.dumps({"v": 1, **spec}), "utf-8")
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONHASHSEED": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "forge_steps", "pretrain", "--spec", str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
    )
    assert process.stdout is not None
    losses = 0
    for line in process.stdout:
        event = json.loads(line)
        losses += event["type"] == "metric"
        if losses == 4:
            process.send_signal(signal.SIGTERM)
            break
    assert json.loads(process.stdout.read().splitlines()[-1])["code"] == "step/stopped"
    process.wait(60)
    assert not (tmp_path / "model").exists()
    last, log = run_step("pretrain", spec, tmp_path)
    assert last["type"] == "result", (last, log)
    assert 4 <= last["figures"]["resumed_from"] < 12
    assert last["figures"]["final_loss"] == pytest.approx(trained[1]["final_loss"], rel=1e-3)
    assert (tmp_path / "model" / "tokenizer.json").read_bytes() == (trained[0] / "tokenizer.json").read_bytes()


@pytest.mark.skipif(not libraries().is_dir(), reason="node_modules holds no llama.cpp for this machine")
def test_llama_cpp_has_the_same_ids_and_logits(trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    figures = compare_with_llama_cpp(trained[0], [*rows_of(4), *fuzzed(40)], tmp_path)
    assert figures["kl"] <= 1e-4 and figures["tokens_equal"] > 1000
    import gguf

    fields = gguf.GGUFReader(tmp_path / "model.gguf").fields
    assert fields["tokenizer.ggml.pre"].contents() == "qwen2" and fields["general.architecture"].contents() == "qwen3"


def test_a_group_s_tokens_are_those_of_its_samples_one_by_one() -> None:
    tokenizer = learned()
    rows = rows_of(1)
    for sample, row in zip(encode_group(tokenizer, rows, 1024), rows, strict=True):
        assert sample == encode(tokenizer, row["id"], row["segments"])


def test_steps_take_whole_groups() -> None:
    assert steps_of([3, 3, 2, 9, 1], 5) == [[0, 1], [2, 3], [4]]
    assert steps_of([5] * 8, 5, 0.25) == [[0], [1], [2, 3], [4, 5], [6, 7]]


def test_what_decides_counts_more_and_what_is_said_in_words_less() -> None:
    hyper = Hyper(**HYPER, doubled_after=1.0, decision_weight=6.0, text_weight=0.5)
    # A prompt, a call (<tool_call> is 9, two tokens before its name), a result, an answer.
    ids = [1, 1, 9, 2, 2, 3, 3, 3, 4, 1, 1, 7, 8, 8]
    learn = [False, False, *[True] * 7, False, False, True, True, True]
    prompt = HYPER["prompt_weight"]
    assert weights_of(ids, learn, hyper, 9, 2) == [prompt, prompt, 6, 1, 1, 3, 3, 3, 1, prompt, prompt, 6, 0.5, 0.5]
    plain = Hyper(**HYPER, doubled_after=1.0, decision_weight=1.0, text_weight=1.0)
    assert weights_of(ids, learn, plain, 9, 2) == [1.0 if is_learned else prompt for is_learned in learn]


@pytest.mark.slow
def test_a_run_begins_with_the_model_of_an_earlier_one(trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    rate = {**HYPER, "learning_rate": 1e-5, "warmup_steps": 0}
    last, log = run_step("pretrain", write_spec(tmp_path, start=str(trained[0]), hyper=rate), tmp_path)
    assert last["type"] == "result", (last, log)
    assert last["figures"]["first_loss"] < 0.8 * trained[1]["first_loss"]
    assert (tmp_path / "model" / "tokenizer.json").read_bytes() == (trained[0] / "tokenizer.json").read_bytes()
    other = write_spec(tmp_path / "other", start=str(trained[0]), shape={**SHAPE, "intermediate": 64})
    last, _ = run_step("pretrain", other, tmp_path / "other")
    assert last["type"] == "error" and last["code"] == "train/other-shape"


@pytest.mark.slow
def test_helpers_gather_the_same_gradients(tmp_path: Path) -> None:
    """Half of a step's groups in another process, against all of them here."""
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(r) + "\n" for r in rows_of(5)), "utf-8")
    hyper = Hyper(**HYPER, doubled_after=1.0, decision_weight=1.0, text_weight=1.0)
    learner = Learner(Shape(**SHAPE), hyper, 1, learned(), Rows(file), "cpu", "float32")
    weights, learn = learner()
    alone = Helpers(0, learner, weights)
    expected = alone.learn([0, 1, 2, 3, 4], learn)
    gathered = torch.empty_like(weights.flat())
    weights.take_gradients(gathered)
    assert float(gathered.norm()) > 0
    helpers = Helpers(1, learner, weights)
    try:
        again = torch.empty_like(gathered)
        for _ in range(2):
            loss, tokens = helpers.learn([0, 1, 2, 3, 4], learn)
            weights.take_gradients(again)
            assert tokens == expected[1] and loss == pytest.approx(expected[0], rel=1e-5)
            assert torch.allclose(again, gathered, rtol=1e-3, atol=1e-6)
        # A helper has the newest weights, not those that it began with.
        for number in (1, 2):
            weights.flat().mul_(0.5)
            weights.load_flat(weights.flat().clone())
            expected = alone.learn([0, 1], learn)
            weights.take_gradients(gathered)
            assert helpers.learn([0, 1], learn)[0] == pytest.approx(expected[0], rel=1e-5), number
            weights.take_gradients(again)
            assert torch.allclose(again, gathered, rtol=1e-3, atol=1e-6)
    finally:
        helpers.close()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([{"id": "a", "segments": []}], "line 1"),
        ([{"id": "a", "segments": [], "group": "x"}, {"id": "b", "segments": [], "group": "y"}, {"id": "c", "segments": [], "group": "x"}], "do not stand together"),
        ([], "no samples"),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path: Path, lines: list[dict[str, Any]], message: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    with pytest.raises(StepError, match=message):
        Rows(file)


@pytest.mark.slow
@pytest.mark.skipif(not libraries().is_dir(), reason="node_modules holds no llama.cpp for this machine")
def test_training_goes_on_from_its_gguf(trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """What a recipe's training loads is what was pretrained, weight for weight, with the same tokens."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from forge_steps.model import load_base, load_tokenizer

    spec = {
        "folder": str(trained[0]),
        "output": str(tmp_path / "base.gguf"),
        "pre_tokenizer": "qwen2",
        "metadata": {"general.name": "tiny"},
        "converter": {"bundle": str(BUNDLE), "cache": str(tmp_path / "cache")},
    }
    last, log = run_step("convert_base", spec, tmp_path)
    assert last["type"] == "result", (last, log)
    ours, theirs = load_tokenizer(tmp_path / "base.gguf"), AutoTokenizer.from_pretrained(trained[0])
    for row in rows_of(2):
        text = "".join(s["text"] for s in row["segments"])
        assert ours(text, add_special_tokens=False)["input_ids"] == theirs(text, add_special_tokens=False)["input_ids"]
    model, original = load_base(tmp_path / "base.gguf", torch.float32), AutoModelForCausalLM.from_pretrained(trained[0], dtype=torch.float32)
    assert model.config.model_type == "qwen3" and model.config.head_dim == SHAPE["head_width"]
    expected = dict(original.named_parameters())
    for name, p in model.named_parameters():
        assert torch.equal(p, expected[name]), name
    ids = torch.tensor([ours(text, add_special_tokens=False)["input_ids"]])
    with torch.inference_mode():
        assert torch.allclose(model(input_ids=ids).logits, original(input_ids=ids).logits, atol=1e-5)


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_any_text_survives_the_tokenizer(texts: list[str]) -> None:
    tokenizer = learned()
    for text in texts:
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_a_word_has_the_same_tokens_wherever_it_stands() -> None:
    tokenizer = learned()

    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    for word in ("Lisbon", "forecast", "warehouse"):
        for before in (" ", '"', "/", "(", "\n", "{\"a\":\""):
            assert ids(before + word)[-len(ids(word)) :] == ids(word)


_LEARNED: list[Any] = []


def learned() -> Any:
    """One tokenizer for all tests."""
    if not _LEARNED:
        texts = [f"What is the forecast for Lisbon in {n} days? The warehouse is at /srv/{n}." for n in range(50)]
        _LEARNED.append(learn_tokenizer(texts, 360, SPECIAL))
    return _LEARNED[0]


def test_every_token_counts_what_it_should_and_the_prefix_counts_once() -> None:
    """Against whole sequences, one by one: the first holds the prefix, the others only what is theirs."""
    tokenizer = byte_tokenizer()
    samples = [encode(tokenizer, r["id"], r["segments"]) for r in rendered(4)]
    prefix = shared_prefix(samples)
    assert prefix > 20

    def weigh(sample: Encoded) -> list[float]:
        return [1.0 if learned else 0.25 for learned in sample.learn]

    model = tiny_model()
    loss, _ = step_backward(model, samples, prefix, 4096, weigh=weigh)
    ours = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    total, weight = torch.zeros(()), 0.0
    for i, sample in enumerate(samples):
        ids = torch.tensor([sample.ids])
        counts = torch.tensor(weigh(sample))
        # What the step leaves out: the first token after the prefix, and for all but the first sample the prefix.
        counts[prefix] = 0
        if i > 0:
            counts[:prefix] = 0
        counts = counts[1:]
        each = functional.cross_entropy(model(input_ids=ids).logits[0, :-1], ids[0, 1:], reduction="none")
        total = total + (each * counts).sum()
        weight += float(counts.sum())
    (total / weight).backward()
    assert loss == pytest.approx(float(total.detach() / weight), rel=1e-5)
    for name, p in model.named_parameters():
        assert torch.allclose(ours[name], p.grad, rtol=1e-3, atol=1e-6), name


def test_a_stretched_prompt_is_read_where_it_stands() -> None:
    """Gaps in the prefix's positions: the loss is that of whole sequences with the same positions."""
    tokenizer = byte_tokenizer()
    samples = [encode(tokenizer, r["id"], r["segments"]) for r in rendered(3)]
    prefix = shared_prefix(samples)
    positions = [i + (7 if i > 4 else 0) + (30 if i > prefix - 3 else 0) for i in range(prefix + 1)]
    model = tiny_model()
    loss, _ = step_backward(model, samples, prefix, 4096, positions=positions)
    total, weight = 0.0, 0.0
    for sample in samples:
        ids = torch.tensor([sample.ids])
        at = torch.tensor([positions + list(range(positions[-1] + 1, positions[-1] + len(sample.ids) - prefix))])
        counts = torch.tensor(sample.weights())[1:]
        each = functional.cross_entropy(model(input_ids=ids, position_ids=at).logits[0, :-1], ids[0, 1:], reduction="none")
        total += float((each * counts).sum().detach())
        weight += float(counts.sum())
    assert loss == pytest.approx(total / weight, rel=1e-4)
    assert loss != pytest.approx(step_backward(model, samples, prefix, 4096)[0], rel=1e-4)


@given(st.integers(0, 300), st.integers(1, 400), st.integers(1, 500), st.integers())
def test_gaps_keep_the_order_and_stay_within_the_window(prefix: int, own: int, window: int, seed: int) -> None:
    positions = stretched(prefix, prefix + own, window, random.Random(seed))
    if positions is None:
        return
    assert len(positions) == prefix + 1 and positions[0] == 0
    assert all(b > a for a, b in zip(positions, positions[1:], strict=False))
    assert positions[-1] + own <= window
