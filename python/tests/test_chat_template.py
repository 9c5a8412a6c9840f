"""The chat templates render the same bytes in transformers as in forge, and tokenize to the same ids.

The expectations are in tests/models/fixtures/renderings.json, which tests/models/render.test.ts checks from the
TypeScript side. `python python/tests/test_chat_template.py` writes them anew, from Python's side: texts by
transformers, ids by the base model's own tokenizer (its GGUF, by MCP_FORGE_TEST_BASE or forge's cache). The same conversations by
every other template are in renderings-of-others.json (`python python/tests/test_chat_template.py others`), texts alone. What the templates
of models that think make of thoughts is in renderings-of-thoughts.json, whose conversations stand here (`… thoughts`).

A model's own template is rendered by forge too where it can be (src/models/official), so templates in the styles of the makers are in
tests/models/fixtures/official: what transformers makes of them is in renderings-of-official.json (`… official`). There the conversations are as forge
shows them to any template (arguments as objects, a content always), and the clock stands still.
"""

from __future__ import annotations

import datetime
import functools
import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "tests" / "models" / "fixtures" / "renderings.json"
OTHERS = FIXTURE.with_name("renderings-of-others.json")
THOUGHTS = FIXTURE.with_name("renderings-of-thoughts.json")
OFFICIAL = FIXTURE.with_name("renderings-of-official.json")
#: What a template is told of its tokens, and of the day: src/models/official/python-text.ts has the same.
NAMED = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}
NOW = datetime.datetime(2024, 7, 26)


def rows() -> list[dict]:
    return json.loads(FIXTURE.read_text(encoding="utf-8"))["rows"]


def other_rows() -> list[dict]:
    """Each conversation of the first file by each template of the second."""
    texts = json.loads(OTHERS.read_text(encoding="utf-8"))["texts"]
    return [{**row, "template": template, "text": texts[template][row["name"]]} for template in texts for row in rows()]


def thought_rows() -> list[dict]:
    data = json.loads(THOUGHTS.read_text(encoding="utf-8"))
    return [{**row, "template": template, "text": data["texts"][template][row["name"]]} for template in data["texts"] for row in data["rows"]]


def render(row: dict) -> str:
    from transformers.utils.chat_template_utils import render_jinja_template

    template = (ROOT / "templates" / "chat" / row["template"]).read_text(encoding="utf-8")
    texts, _ = render_jinja_template(
        [row["messages"]],
        tools=row["tools"] or None,
        chat_template=template,
        add_generation_prompt=row["add_generation_prompt"],
    )
    return texts[0]


def as_forge_shows(messages: list[dict]) -> list[dict]:
    """Messages as forge hands them to any template."""

    def call(made: dict) -> dict:
        name, arguments = made["function"]["name"], made["function"]["arguments"]
        return {"type": "function", "function": {"name": name, "arguments": json.loads(arguments) if isinstance(arguments, str) else arguments}}

    shown = []
    for message in messages:
        words = {"role": message["role"], "content": message.get("content") or ""}
        if message.get("reasoning_content"):
            words["reasoning_content"] = message["reasoning_content"]
        if message.get("tool_calls"):
            words["tool_calls"] = [call(made) for made in message["tool_calls"]]
        shown.append(words)
    return shown


def render_official(template: str, row: dict, named: dict[str, str] = NAMED) -> str | None:
    """What transformers makes of a model's own template; None where the template refuses the conversation."""
    from jinja2.exceptions import TemplateError
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        texts, _ = render_jinja_template(
            [as_forge_shows(row["messages"])],
            tools=row["tools"] or None,
            chat_template=template,
            add_generation_prompt=row["add_generation_prompt"],
            strftime_now=NOW.strftime,
            **named,
        )
    except TemplateError:
        return None
    return texts[0]


def official_templates() -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in sorted((FIXTURE.parent / "official").glob("*.jinja"))}


def render_given() -> None:
    """Renders what stands on stdin, `[{template, messages, tools, add_generation_prompt, named}]`, to a list of texts; for tests/slow/official-templates."""
    given = json.load(sys.stdin)
    json.dump([render_official(row["template"], row, row["named"]) for row in given], sys.stdout)


def rows_for(template: str) -> list[dict]:
    """The conversations for a template: with thoughts, where it lets a model think."""
    return json.loads(THOUGHTS.read_text(encoding="utf-8"))["rows"] if template == "thinking.jinja" else rows()


def base_gguf() -> Path | None:
    """The untuned model's file, where there is one on this machine."""
    named = os.environ.get("MCP_FORGE_TEST_BASE")
    if named:
        return Path(named)
    cache = os.environ.get("MCP_FORGE_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "mcp-forge"
    )
    return next(iter(sorted(Path(cache, "models").glob("smollm2-default-*/model.gguf"))), None)


@functools.lru_cache(maxsize=1)
def tokenizer(gguf: Path):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)


@pytest.mark.parametrize("row", rows(), ids=lambda r: r["name"])
def test_transformers_renders_the_same_text(row: dict) -> None:
    assert render(row) == row["text"]


@pytest.mark.parametrize("row", other_rows(), ids=lambda r: f"{r['template']}: {r['name']}")
def test_transformers_renders_every_template_the_same(row: dict) -> None:
    assert render(row) == row["text"]


@pytest.mark.parametrize("row", thought_rows(), ids=lambda r: f"{r['template']}: {r['name']}")
def test_transformers_renders_thoughts_the_same(row: dict) -> None:
    assert render(row) == row["text"]


@pytest.mark.parametrize("template", official_templates())
def test_transformers_renders_models_own_templates_the_same(template: str) -> None:
    texts = json.loads(OFFICIAL.read_text(encoding="utf-8"))["texts"][template]
    text = official_templates()[template]
    assert {row["name"]: render_official(text, row) for row in rows_for(template)} == texts


def test_every_template_is_in_the_fixtures() -> None:
    named = {row["template"] for row in [*rows(), *other_rows()]}
    assert named == {file.name for file in (ROOT / "templates" / "chat").glob("*.jinja")}


@pytest.mark.slow
def test_the_model_s_own_template_renders_the_same_text_on_plain_chat() -> None:
    gguf = base_gguf()
    if gguf is None:
        pytest.skip("the base model is not in the cache")
    own = tokenizer(gguf).chat_template
    from transformers.utils.chat_template_utils import render_jinja_template

    plain = [r for r in rows() if not r["tools"] and all(m["role"] != "tool" and "tool_calls" not in m for m in r["messages"])]
    assert plain
    for row in plain:
        texts, _ = render_jinja_template([row["messages"]], chat_template=own, add_generation_prompt=row["add_generation_prompt"])
        assert texts[0] == row["text"]


def test_the_tokenizer_gives_the_same_ids() -> None:
    gguf = base_gguf()
    if gguf is None:
        pytest.skip("the base model is not in the cache")
    tok = tokenizer(gguf)
    for row in rows():
        assert tok.encode(row["text"], add_special_tokens=False) == row["ids"], row["name"]


def write() -> None:
    gguf = base_gguf()
    if gguf is None:
        sys.exit("the base model is not in the cache; name it with MCP_FORGE_TEST_BASE")
    tok = tokenizer(gguf)
    data = json.loads(FIXTURE.read_text(encoding="utf-8"))
    for row in data["rows"]:
        row["text"] = render(row)
        row["ids"] = tok.encode(row["text"], add_special_tokens=False)
    rows_text = ",\n".join(json.dumps(r, ensure_ascii=False) for r in data["rows"])
    FIXTURE.write_text('{"about": ' + json.dumps(data["about"]) + ', "rows": [\n' + rows_text + "\n]}\n", encoding="utf-8")


def write_others() -> None:
    templates = sorted({file.name for file in (ROOT / "templates" / "chat").glob("*.jinja")} - {row["template"] for row in rows()})
    texts = {template: {row["name"]: render({**row, "template": template}) for row in rows()} for template in templates}
    about = "The conversations of renderings.json by the other chat templates. Written by python/tests/test_chat_template.py others."
    OTHERS.write_text(json.dumps({"about": about, "texts": texts}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def thinking_conversations() -> list[dict]:
    """Two requests with calls, thoughts everywhere, cut after each message; then what stands at the edges."""
    call = {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": '{"location":"Oslo"}'}}
    tool = {"name": "get_weather", "description": "The weather.", "parameters": {"type": "object", "properties": {"location": {"type": "string"}}}}
    long = [
        {"role": "system", "content": "You are a helpful AI assistant."},
        {"role": "user", "content": "How is Oslo?"},
        {"role": "assistant", "content": None, "reasoning_content": "They ask for Oslo.\nI call the tool.", "tool_calls": [call]},
        {"role": "tool", "content": '{"temperature_c":3}', "tool_call_id": "c"},
        {"role": "assistant", "content": "It is 3 °C.", "reasoning_content": "The result says 3."},
        {"role": "user", "content": "And Bergen?"},
        {"role": "assistant", "content": "Let me look.", "reasoning_content": "Now Bergen.", "tool_calls": [call, call]},
        {"role": "tool", "content": "a", "tool_call_id": "c"},
        {"role": "tool", "content": "b", "tool_call_id": "c"},
        {"role": "assistant", "content": "The same."},
    ]
    rows = []
    for end in range(2, len(long) + 1):
        for prompt in (True, False):
            name = f"{end} messages{', and what is next' if prompt else ''}"
            rows.append({"name": name, "messages": long[:end], "tools": [{"type": "function", "function": tool}], "add_generation_prompt": prompt})
    hi = {"role": "user", "content": "Hi"}
    edges = {
        "no thought at the end": [hi, {"role": "assistant", "content": "Hello."}],
        "two answers in a row": [hi, {"role": "assistant", "content": "One."}, {"role": "assistant", "content": "Two.", "reasoning_content": "t"}],
        "an answer that nobody asked for": [{"role": "assistant", "content": "Hello.", "reasoning_content": "t"}],
        "nothing but a thought": [hi, {"role": "assistant", "content": "", "reasoning_content": "t"}, hi, {"role": "assistant", "content": "", "reasoning_content": "u"}],
    }
    return rows + [{"name": name, "messages": messages, "tools": [], "add_generation_prompt": p} for name, messages in edges.items() for p in (True, False) if p == name.startswith("two")]


def write_thoughts() -> None:
    conversations = thinking_conversations()
    templates = sorted(file.name for file in (ROOT / "templates" / "chat").glob("*-thinking.jinja"))
    texts = {template: {row["name"]: render({**row, "template": template}) for row in conversations} for template in templates}
    about = "Conversations with thoughts by the templates of models that think. Written by python/tests/test_chat_template.py thoughts."
    THOUGHTS.write_text(json.dumps({"about": about, "rows": conversations, "texts": texts}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def write_official() -> None:
    texts = {name: {row["name"]: render_official(text, row) for row in rows_for(name)} for name, text in official_templates().items()}
    about = "Conversations by templates in the styles of models' makers; null: refused. Written by python/tests/test_chat_template.py official."
    OFFICIAL.write_text(json.dumps({"about": about, "texts": texts}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    {"others": write_others, "thoughts": write_thoughts, "official": write_official, "given": render_given}.get((sys.argv[1:] or [""])[0], write)()
