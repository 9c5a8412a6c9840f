"""Models that think: what is learned of a turn, what its tokens weigh, and that the texts around a thought are single tokens from the base to the GGUF."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from export_support import BUNDLE, ROOT, libraries, run_step
from own_models import KINDS, make

from forge_steps.prefix import DECISION_WEIGHT, FIRST_TOKEN_WEIGHT, Encoded, encode

WORDS = {"open": "<think>", "close": "</think>"}
#: A kind of model, its template, how a learned turn begins, and how it ends.
FAMILIES = [("qwen3", "qwen3-thinking.jinja", "<think>\n", "<|im_end|>"), ("deepseek-r1", "deepseek-r1-thinking.jinja", "", "<｜end▁of▁sentence｜>")]


def conversation(i: int) -> list[dict[str, Any]]:
    call = {"type": "function", "function": {"name": "get_weather", "arguments": {"location": f"Oslo {i}"}}}
    return [
        {"role": "system", "content": "You are a helpful AI assistant."},
        {"role": "user", "content": f"How is Oslo {i}?"},
        {"role": "assistant", "content": "", "reasoning_content": f"They ask for Oslo {i}.\n\nThe tool has it.", "tool_calls": [call]},
        {"role": "tool", "content": f"It has {i} degrees."},
        {"role": "assistant", "content": f"{i} degrees.", "reasoning_content": "The result says it."},
        {"role": "user", "content": "Thanks!"},
        {"role": "assistant", "content": "Glad to help."},
    ]


def rows_of(template: str, i: int) -> list[dict[str, Any]]:
    """A row for each of the assistant's messages, as the renderer writes them (src/models/render.ts)."""
    from transformers.utils.chat_template_utils import render_jinja_template

    text = (ROOT / "templates" / "chat" / template).read_text("utf-8")

    def render(messages: list[dict[str, Any]], generate: bool) -> str:
        return render_jinja_template([messages], chat_template=text, add_generation_prompt=generate)[0][0]

    messages, rows = conversation(i), []
    for at, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before, whole = render(messages[:at], True), render(messages[: at + 1], False).rstrip("\n")
        assert whole.startswith(before)
        written = whole[len(before) :]
        end = written.index("</think>\n\n") + len("</think>\n\n")
        segments = [{"text": before, "learn": False}, {"text": written[:end], "learn": True, "thought": True}, {"text": written[end:], "learn": True}]
        rows.append({"id": f"{i}#turn{len(rows) + 1}", "segments": segments})
    return rows


def tokenizer_of(name: str, folder: Path) -> Any:
    from transformers import AutoTokenizer

    make(name, folder, 512)
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(("name", "template", "opening", "end"), FAMILIES)
def test_what_is_learned_is_the_thought_its_closing_what_follows_and_the_end(name: str, template: str, opening: str, end: str, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(name, tmp_path / "hub")
    rows = rows_of(template, 7)
    encoded = [encode(tokenizer, row["id"], row["segments"]) for row in rows]

    def decoded(sample: Encoded, keep: list[bool]) -> str:
        return str(tokenizer.decode([t for t, k in zip(sample.ids, keep, strict=True) if k], skip_special_tokens=False, clean_up_tokenization_spaces=False))

    assert [decoded(s, list(s.learn)) for s in encoded] == [
        f'{opening}They ask for Oslo 7.\n\nThe tool has it.\n</think>\n\n<tool_call>\n{{"name":"get_weather","arguments":{{"location":"Oslo 7"}}}}\n</tool_call>{end}',
        f"{opening}The result says it.\n</think>\n\n7 degrees.{end}",
        f"{opening}\n</think>\n\nGlad to help.{end}",
    ]
    # Of the context the last turn has the answers, and no thought.
    assert "The result says it." not in decoded(encoded[2], [not learned for learned in encoded[2].learn])
    for sample, row in zip(encoded, rows, strict=True):
        # Cut where the thought ends, a turn is the tokens that it is uncut.
        written = "".join(s["text"] for s in row["segments"][1:])
        own = tokenizer(written, add_special_tokens=False)["input_ids"]
        assert list(sample.ids[-len(own) :]) == own
        # What a turn decides, it decides after its thought.
        weights = [w for w, learned in zip(sample.weights(), sample.learn, strict=True) if learned]
        thought = sum(sample.thought)
        assert set(weights[:thought]) == {1.0}
        assert weights[thought] == FIRST_TOKEN_WEIGHT and weights[thought + 1] == DECISION_WEIGHT


def test_a_text_that_is_no_token_of_the_model_s_is_refused(tmp_path: Path) -> None:
    from forge_steps.protocol import StepError
    from forge_steps.train import thinking_ids

    tokenizer = tokenizer_of("qwen3", tmp_path / "hub")
    assert tokenizer.convert_ids_to_tokens(thinking_ids(tokenizer, ("<think>", "</think>"))) == ["<think>", "</think>"]
    with pytest.raises(StepError, match="no token <thought>") as refused:
        thinking_ids(tokenizer, ("<thought>", "</think>"))
    assert refused.value.code == "train/thinking-tokens" and "--thinking" in (refused.value.hint or "")


def test_a_sample_without_a_thought_weighs_as_ever() -> None:
    learn = (False, True, True, False, True)
    assert Encoded("a", (1, 2, 3, 4, 5), learn).weights() == Encoded("a", (1, 2, 3, 4, 5), learn, (False,) * 5).weights()


@pytest.mark.skipif(not BUNDLE.is_file() or not libraries().is_dir(), reason="node_modules holds no llama.cpp for this machine")
def test_the_texts_around_a_thought_are_single_tokens_from_the_base_to_the_gguf(tmp_path: Path) -> None:
    make("qwen3", tmp_path / "hub", 1024)
    converter = {"bundle": str(BUNDLE), "cache": str(tmp_path / "cache")}
    base = tmp_path / "base.gguf"
    folder = {"folder": str(tmp_path / "hub"), "output": str(base), "pre_tokenizer": KINDS["qwen3"].pre, "metadata": {"general.name": "Tiny"}, "converter": converter}
    last, log = run_step("convert_base", folder, tmp_path)
    assert last["type"] == "result", (last, log)
    samples = tmp_path / "rows.jsonl"
    samples.write_text("".join(json.dumps(row) + "\n" for i in range(4) for row in rows_of("qwen3-thinking.jinja", i)), "utf-8")
    hyper = {
        "rank": 4, "alpha": 8, "dropout": 0, "learning_rate": 0.01, "epochs": 1, "samples_per_step": 6, "warmup_steps": 1, "max_tokens": 1024,
        "batching": "shared_prefix", "row_tokens": 1024, "weight_decay": 0,
    }  # fmt: skip
    train = {
        "base": {"gguf": str(base)}, "family": "tiny", "rows": str(samples), "hyper": hyper, "seed": 1, "output": str(tmp_path / "adapter"),
        "checkpoints": str(tmp_path / "checkpoints"), "thinking": WORDS,
    }  # fmt: skip
    last, log = run_step("train", train, tmp_path)
    assert last["type"] == "result", (last, log)
    export = {
        "base": {"gguf": str(base)}, "adapter": str(tmp_path / "adapter"), "template": str(ROOT / "templates/chat/qwen3-thinking.jinja"),
        "stop_tokens": list(KINDS["qwen3"].stop), "output": str(tmp_path / "model.gguf"), "metadata": {"general.name": "tiny"}, "converter": converter,
        "libraries": str(libraries()), "scratch": str(tmp_path / "scratch"), "threads": 2, "thinking": WORDS, "verify": {"rows": str(samples), "positions": 100},
    }  # fmt: skip
    last, log = run_step("export", export, tmp_path)
    assert last["type"] == "result", (last, log)
    assert last["figures"]["tokens_equal"] > 500

    from forge_steps.llama_cpp import Library
    from forge_steps.protocol import StepError
    from forge_steps.verify import check_thinking

    class Other:
        def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
            return {"input_ids": [3]}

    with Library(libraries()).model(tmp_path / "model.gguf") as model:
        assert [len(model.tokenize(word)) for word in WORDS.values()] == [1, 1]
        with pytest.raises(StepError, match="was trained"):
            check_thinking(model, Other(), ("<think>", "</think>"))
