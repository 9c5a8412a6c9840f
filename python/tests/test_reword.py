"""The step that drives synthetic-data-kit: what the kit is given, what is made of its answers, and how it ends. The kit is played here; tests/slow has the real one."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_steps import reword
from forge_steps.protocol import Spec, Step, StepError, Stopped

ENTRY = {"id": "train/1#0", "person": "a nurse", "writes": "in a hurry", "example": "1", "keep": [["Oslo", '"{x}"'], []], "messages": ['Oslo "{x}" 😀?', "and there?"]}


class Client:
    """As much of the kit's client as the step uses."""

    made: ClassVar[list[Client]] = []

    def __init__(self, config_path: Path) -> None:
        import yaml

        self.config = yaml.safe_load(config_path.read_text("utf-8"))
        self.key = os.environ["API_ENDPOINT_KEY"]
        self.openai_client = self
        self.options: dict[str, Any] = {}
        Client.made.append(self)

    def with_options(self, **options: Any) -> Client:
        self.options = options
        return self


class Generator:
    """The kit's generator as it is in 0.0.5, but for the request."""

    answer: Any = staticmethod(lambda prompt: "")

    def __init__(self, client: Client, config_path: Path) -> None:
        self.config = client.config

    def enhance_with_cot(self, conversations: list[dict[str, Any]], include_simple_steps: bool = False) -> Any:
        text = json.dumps(conversations, ensure_ascii=False, indent=2)
        prompt = self.config["prompts"]["cot_enhancement"].format(conversations=text, include_simple_steps="false")
        said = Generator.answer(prompt)
        return conversations if said is None else said


@pytest.fixture(autouse=True)
def kit(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = {name: ModuleType(name) for name in ("synthetic_data_kit", "synthetic_data_kit.generators", "synthetic_data_kit.models")}
    modules["synthetic_data_kit.generators.cot_generator"] = generator = ModuleType("cot_generator")
    modules["synthetic_data_kit.models.llm_client"] = client = ModuleType("llm_client")
    generator.COTGenerator = Generator  # type: ignore[attr-defined]
    client.LLMClient = Client  # type: ignore[attr-defined]
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("API_ENDPOINT_KEY", "planted-key")
    Client.made.clear()


def play(tmp_path: Path, entries: list[dict[str, Any]], answer: Any, step: Step | None = None) -> list[dict[str, Any]]:
    (tmp_path / "requests.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries), "utf-8")
    spec = {"requests": str(tmp_path / "requests.jsonl"), "output": str(tmp_path / "out.jsonl"), "address": "http://127.0.0.1:1/v1", "model": "m", "temperature": 0.5, "max_tokens": 600}
    step = step or Step("reword", Spec({}), os.open(os.devnull, os.O_WRONLY))
    step.spec = Spec(spec)
    Generator.answer = staticmethod(answer)
    figures = reword.run(step)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert figures == {"asked": len(entries), "unusable": sum(line["messages"] is None for line in lines)}
    return lines


def users(*texts: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text} for text in texts]


def test_the_kit_is_given_the_entry_and_nothing_of_it_is_lost_in_its_prompt(tmp_path: Path) -> None:
    seen: list[str] = []

    def answer(prompt: str) -> Any:
        seen.append(prompt)
        return users("new one", "new two")

    assert play(tmp_path, [ENTRY], answer) == [{"id": "train/1#0", "messages": ["new one", "new two"]}]
    (prompt,) = seen
    conversation = json.loads(prompt[prompt.index("Conversation:\n") + len("Conversation:\n") :])
    assert conversation[0] == {"role": "system", **{k: ENTRY[k] for k in ("person", "writes", "example", "keep")}}
    assert conversation[1:] == users(*ENTRY["messages"])
    # The braces of the form that is asked for are single ones by now.
    assert '{"conversation": [{"role": "user"' in prompt and "{{" not in prompt


def test_the_kit_asks_once_and_waits_and_its_configuration_has_no_key(tmp_path: Path) -> None:
    play(tmp_path, [ENTRY], lambda _: users("a", "b"))
    (client,) = Client.made
    assert client.options == {"max_retries": 0, "timeout": None} and client.key == "planted-key"
    assert client.config["api-endpoint"] == {"api_base": "http://127.0.0.1:1/v1", "api_key": None, "model": "m", "max_retries": 1, "retry_delay": 0.1}
    assert client.config["generation"] == {"temperature": 0.5, "top_p": 1.0, "max_tokens": 600}
    written = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert b"planted" not in written and not list(tmp_path.glob("*.part"))


def test_answers_stand_in_the_order_of_the_entries_whichever_comes_first(tmp_path: Path) -> None:
    entries = [{**ENTRY, "id": str(i), "example": str(i), "messages": ["x"]} for i in range(40)]

    def answer(prompt: str) -> Any:
        number = json.loads(prompt[prompt.rindex("Conversation:\n") + 14 :])[0]["example"]
        time.sleep(0.02 if int(number) % 3 == 0 else 0)
        return users(f"said {number}") if int(number) % 5 else None

    lines = play(tmp_path, entries, answer)
    assert [line["id"] for line in lines] == [str(i) for i in range(40)]
    assert [line["messages"] for line in lines] == [[f"said {i}"] if i % 5 else None for i in range(40)]


@pytest.mark.parametrize(
    ("made", "texts"),
    [
        (users("a", "b"), ["a", "b"]),
        ([users("a", "b")], ["a", "b"]),
        ([{"role": "system", "content": "s"}, *users("a", "b")], ["a", "b"]),
        ([{"content": "a"}, {"content": "b"}], ["a", "b"]),
        (users("a"), None),
        (users("a", "b", "c"), None),
        (users("a", " "), None),
        ([*users("a"), {"role": "assistant", "content": "b"}], None),
        ([*users("a"), {"role": "user", "content": 3}], None),
        (["a", "b"], None),
        ([], None),
        ({"conversation": users("a", "b")}, None),
        ("ab", None),
        (None, None),
    ],
)
def test_only_as_many_texts_of_the_person_as_there_were_count(made: Any, texts: list[str] | None) -> None:
    assert reword.texts_of(made, 2) == texts


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "x"]), inner, max_size=3), max_leaves=12), st.integers(1, 3))
def test_whatever_a_model_makes_of_it_is_texts_or_nothing(made: Any, count: int) -> None:
    texts = reword.texts_of(made, count)
    assert texts is None or (len(texts) == count and all(isinstance(t, str) and t.strip() for t in texts))


def test_a_request_without_an_answer_ends_the_step_and_leaves_no_output(tmp_path: Path) -> None:
    def answer(prompt: str) -> Any:
        raise RuntimeError("Failed to get api-endpoint completion after 1 attempts: Error code: 424\nmore of it")

    with pytest.raises(StepError, match="424") as caught:
        play(tmp_path, [ENTRY] * 3, answer)
    assert caught.value.code == "kit/no-answer" and "more of it" not in caught.value.message
    assert not (tmp_path / "out.jsonl").exists()


def test_a_step_that_is_to_stop_does_not_wait_for_answers(tmp_path: Path) -> None:
    release = threading.Event()
    step = Step("reword", Spec({}), os.open(os.devnull, os.O_WRONLY))
    threading.Timer(0.3, step.request_stop).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        play(tmp_path, [ENTRY] * 3, lambda _: release.wait(20) and None, step)
    assert time.monotonic() - began < 5
    release.set()


def test_a_missing_kit_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "synthetic_data_kit.generators.cot_generator", None)
    with pytest.raises(StepError, match="lacks the package") as caught:
        play(tmp_path, [ENTRY], lambda _: None)
    assert caught.value.code == "step/package-missing" and "MCP_FORGE_KIT_PYTHON" in (caught.value.hint or "")
