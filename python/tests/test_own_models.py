"""A model that a project brings, from the hub's form to a GGUF that llama.cpp runs as it was trained: every architecture and vocabulary that is offered."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from export_support import BUNDLE, ROOT, fuzzed, libraries, run_step, run_together
from own_models import KINDS, make

pytestmark = pytest.mark.skipif(not BUNDLE.is_file() or not libraries().is_dir(), reason="node_modules holds no llama.cpp for this machine")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def base(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The GGUF of a kind, beside it the files that it was made of (`hub`). Made once."""
    made: dict[str, Path] = {}

    def of(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            make(name, folder / "hub", 2048)
            made[name] = convert(name, folder, cache)
        return made[name]

    return of


def convert(name: str, folder: Path, cache: Path, **changes: Any) -> Path:
    target = folder / "base.gguf"
    converter = {"bundle": str(BUNDLE), "cache": str(cache)}
    spec = {"folder": str(folder / "hub"), "output": str(target), "pre_tokenizer": KINDS[name].pre, "metadata": {"general.name": "Tiny"}, "converter": converter}
    last, log = run_step("convert_base", {**spec, **changes}, folder)
    assert last["type"] == "result", (last, log)
    return target


def rows(name: str, count: int = 16) -> list[dict[str, Any]]:
    """Samples as the renderer would write them, some of whose texts are what tokenizers disagree on."""
    from transformers.utils.chat_template_utils import render_jinja_template

    template = (ROOT / "templates" / "chat" / KINDS[name].template).read_text("utf-8")
    tools = [{"type": "function", "function": {"name": "get_weather", "description": "The weather.", "parameters": {"type": "object", "properties": {"location": {"type": "string"}}}}}]

    def render(messages: list[dict[str, Any]], generate: bool) -> str:
        return render_jinja_template([messages], tools=tools, chat_template=template, add_generation_prompt=generate)[0][0]

    made = []
    for i, strange in enumerate(fuzzed(count)):
        asked = [{"role": "system", "content": "You are a helpful AI assistant."}, {"role": "user", "content": f"In  {i} days: {strange['segments'][0]['text']}?"}]
        call = {"type": "function", "function": {"name": "get_weather", "arguments": {"location": f"Oslo {i * 1117}"}}}
        prompt, whole = render(asked, True), render([*asked, {"role": "assistant", "content": "", "tool_calls": [call]}], False).rstrip("\n")
        assert whole.startswith(prompt)
        made.append({"id": str(i), "segments": [{"text": prompt, "learn": False}, {"text": whole[len(prompt) :], "learn": True}]})
    return made


# One with a template of each form and one with sliding windows; the others with the slow tests.
QUICK = {"llama-3", "gemma-3"}


@pytest.mark.parametrize("name", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS])
def test_is_trained_exported_and_run_as_the_same_model(name: str, base: Callable[[str], Path], cache: Path, tmp_path: Path) -> None:
    gguf = base(name)
    samples = tmp_path / "rows.jsonl"
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows(name)), "utf-8")
    hyper = {
        "rank": 8, "alpha": 16, "dropout": 0, "learning_rate": 0.01, "epochs": 2, "samples_per_step": 4, "warmup_steps": 1, "max_tokens": 2048,
        "batching": "shared_prefix", "row_tokens": 2048, "weight_decay": 0,
    }  # fmt: skip
    spec = {"base": {"gguf": str(gguf)}, "family": "tiny", "rows": str(samples), "hyper": hyper, "seed": 1, "output": str(tmp_path / "adapter")}
    last, log = run_step("train", {**spec, "checkpoints": str(tmp_path / "checkpoints")}, tmp_path)
    assert last["type"] == "result", (last, log)
    assert last["figures"]["steps"] == 8
    template = ROOT / "templates" / "chat" / KINDS[name].template
    export = {
        "base": {"gguf": str(gguf)}, "adapter": str(tmp_path / "adapter"), "template": str(template), "stop_tokens": list(KINDS[name].stop),
        "output": str(tmp_path / "model.gguf"), "metadata": {"general.name": "no-phi3"}, "converter": {"bundle": str(BUNDLE), "cache": str(cache)},
        "libraries": str(libraries()), "scratch": str(tmp_path / "scratch"), "threads": 2, "verify": {"rows": str(samples), "positions": 400},
    }  # fmt: skip
    last, log = run_step("export", export, tmp_path)
    assert last["type"] == "result", (last, log)
    assert last["figures"]["kl"] <= 1e-4 and last["figures"]["top1_clear"] == 1 and last["figures"]["tokens_equal"] > 2000
    # What the adapter brought is in it: the untuned model is another one.
    untuned, _ = run_step("verify", {"reference": str(tmp_path / "model.gguf"), "input": str(gguf), "rows": str(samples), "libraries": str(libraries())}, tmp_path)
    assert untuned["type"] == "result" and untuned["figures"]["kl"] > 1e-3, untuned


# The others with the slow tests.
@pytest.mark.parametrize("name", [kind if kind == "gemma-3" else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS])
def test_the_quantizer_s_f16_file_of_a_base_is_that_of_the_export(name: str, base: Callable[[str], Path], cache: Path, tmp_path: Path) -> None:
    """A benchmark's untuned model is made the short way (src/models/export.ts, `exportBase`): the weights are those of the long one, and so is what is read of a text."""
    from gguf import GGUFReader

    template = ROOT / "templates" / "chat" / KINDS[name].template
    long, short = tmp_path / "long.gguf", tmp_path / "short.gguf"
    export = {
        "base": {"gguf": str(base(name))}, "template": str(template), "stop_tokens": list(KINDS[name].stop), "output": str(long), "metadata": {"general.name": "base"},
        "converter": {"bundle": str(BUNDLE), "cache": str(cache)}, "libraries": str(libraries()), "scratch": str(tmp_path / "scratch"),
    }  # fmt: skip
    quantize = {"input": str(base(name)), "output": str(short), "format": "f16", "libraries": str(libraries())}
    for end in run_together([("export", export), ("quantize", quantize)], tmp_path):
        assert end["type"] == "result", end
    files = [GGUFReader(path) for path in (long, short)]
    weights = [{t.name: (t.tensor_type, t.data.tobytes()) for t in file.tensors} for file in files]
    assert weights[0] == weights[1] and len(weights[0]) > 10
    fields = [{key: field.contents() for key, field in file.fields.items() if not key.startswith("GGUF.")} for file in files]
    differing = {key for key in fields[0].keys() | fields[1].keys() if fields[0].get(key) != fields[1].get(key)}
    # What is said of the file, a sampler's setting that nobody asks for, and that places past the vocabulary's end are called unused.
    assert differing <= {"general.name", "general.license", "tokenizer.chat_template", "general.sampling.temp", "tokenizer.ggml.token_type"}
    kinds = zip(*(file["tokenizer.ggml.token_type"] for file in fields), fields[0]["tokenizer.ggml.tokens"], strict=True)
    assert all(one == other or token.startswith("[PAD") for one, other, token in kinds)


def test_what_transformers_loads_from_the_hub_s_form_is_what_we_load(base: Callable[[str], Path]) -> None:
    """Logits of the GGUF's model, which every stage uses, against those of the files themselves, at positions where scaling counts."""
    code = """
import sys, torch
from pathlib import Path
from transformers import AutoModelForCausalLM
from forge_steps.model import load_base
for gguf in map(Path, sys.argv[1:]):
    theirs = AutoModelForCausalLM.from_pretrained(gguf.parent / "hub", dtype=torch.float32).eval()
    ours = load_base(gguf, torch.float32)
    ids = torch.randint(0, 1000, (1, 1500), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        a, b = theirs(ids).logits, ours(ids).logits
    assert (a - b).abs().max() < 2e-3, (gguf, (a - b).abs().max())
print("same")
"""
    done = subprocess.run([sys.executable, "-c", code, *(str(base(name)) for name in ("llama-3", "qwen2", "mistral", "phi-4", "glm-4", "gemma-3"))], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "same", done.stderr


@pytest.mark.parametrize("name", ["phi-4", "glm-4", "gemma-3"])
def test_text_is_cut_as_the_model_s_own_tokenizer_cuts_it(name: str, base: Callable[[str], Path]) -> None:
    from tokenizers import Tokenizer

    from forge_steps.model import load_tokenizer

    own, ours = Tokenizer.from_file(str(base(name).parent / "hub" / "tokenizer.json")), load_tokenizer(base(name))
    for row in fuzzed(40):
        for text in (segment["text"] for segment in row["segments"]):
            if name == "gemma-3":  # Rows of spaces are tokens of their own in llama.cpp, which its tokenizer.json looks for after spaces are letters.
                text = re.sub(" {2,}", " ", text)
            assert ours(text)["input_ids"] == own.encode(text, add_special_tokens=False).ids, text


def test_half_precision_weights_stay_what_they_are(cache: Path, tmp_path: Path) -> None:
    import gguf
    import numpy as np
    import torch
    from safetensors.torch import load_file, save_file

    make("llama-chatml", tmp_path / "hub", 512)
    weights = {name: t.to(torch.float16) for name, t in load_file(tmp_path / "hub" / "model.safetensors").items()}
    save_file(weights, tmp_path / "hub" / "model.safetensors", metadata={"format": "pt"})
    base = convert("llama-chatml", tmp_path, cache, weights="f16")
    tensors = {t.name: t for t in gguf.GGUFReader(base).tensors}
    assert tensors["blk.0.ffn_up.weight"].tensor_type.name == "F16"
    assert np.array_equal(tensors["blk.0.ffn_up.weight"].data, weights["model.layers.0.mlp.up_proj.weight"].numpy())


def test_weights_that_training_would_leave_out_are_refused(cache: Path, tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    make("llama-chatml", tmp_path / "hub", 512)
    config = LlamaConfig.from_pretrained(tmp_path / "hub", attention_bias=True)
    LlamaForCausalLM(config).save_pretrained(tmp_path / "hub")
    base = convert("llama-chatml", tmp_path, cache)
    samples = tmp_path / "rows.jsonl"
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows("llama-chatml", 2)), "utf-8")
    spec = {
        "base": {"gguf": str(base)}, "template": str(ROOT / "templates/chat/chatml.jinja"), "stop_tokens": ["<|im_end|>"], "output": str(tmp_path / "model.gguf"),
        "metadata": {"general.name": "tiny"}, "converter": {"bundle": str(BUNDLE), "cache": str(cache)}, "libraries": str(libraries()), "scratch": str(tmp_path / "scratch"),
    }  # fmt: skip
    last, _ = run_step("export", spec, tmp_path)
    assert last["type"] == "error" and last["code"] == "model/unknown-weights", last


def _reader(architecture: str, blocks: int, names: list[str], **fields: int) -> Any:
    """As much of a GGUFReader as is asked."""
    values = {"general.architecture": architecture, f"{architecture}.block_count": blocks, **{key.replace("_", "."): value for key, value in fields.items()}}
    as_fields = {key: SimpleNamespace(contents=lambda value=value: value) for key, value in values.items()}
    return SimpleNamespace(fields=as_fields, tensors=[SimpleNamespace(name=name) for name in names])


_BLOCK = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")
_GLM4 = ["token_embd.weight", "output_norm.weight"] + [
    f"blk.{i}.{name}.weight"
    for i in range(2)
    for name in "attn_norm attn_q attn_k attn_v attn_output post_attention_norm ffn_norm ffn_up ffn_down post_ffw_norm".split()
]
_LLAMA = ["token_embd.weight", "output_norm.weight", *(f"blk.{i}.{name}.weight" for i in range(2) for name in _BLOCK)]


@pytest.mark.parametrize("more", [[], ["output.weight"], ["output.weight", "rope_freqs.weight"]])
def test_a_whole_file_is_taken(more: list[str]) -> None:
    from forge_steps.base_file import check_tensors

    check_tensors(_reader("llama", 2, [*_LLAMA, *more]))
    check_tensors(_reader("qwen2", 2, [*_LLAMA, *more, *(f"blk.{i}.attn_{x}.bias" for i in range(2) for x in "qkv")]))
    check_tensors(_reader("qwen3", 2, [*_LLAMA, *more, *(f"blk.{i}.attn_{x}_norm.weight" for i in range(2) for x in "qk")]))
    gemma = [f"blk.{i}.{name}.weight" for i in range(2) for name in ("attn_q_norm", "attn_k_norm", "post_attention_norm", "post_ffw_norm")]
    check_tensors(_reader("gemma3", 2, [*_LLAMA, *more, *gemma]))
    check_tensors(_reader("glm4", 2, [*_GLM4, *more]))
    check_tensors(_reader("glm4", 2, [*_GLM4, *more, *(f"blk.{i}.attn_{x}.bias" for i in range(2) for x in "qkv")]))


@pytest.mark.parametrize("missing", _LLAMA)
def test_a_file_that_lacks_weights_is_refused(missing: str) -> None:
    from forge_steps.base_file import check_tensors
    from forge_steps.protocol import StepError

    with pytest.raises(StepError, match=missing.replace(".", r"\.")):
        check_tensors(_reader("llama", 2, [name for name in _LLAMA if name != missing]))


@pytest.mark.parametrize(
    ("reader", "said"),
    [
        (("qwen2", 2, _LLAMA), "attn_q.bias"),
        (("glm4", 2, [*_GLM4, "blk.0.attn_q.bias"]), "attn_k.bias"),
        (("phi3", 2, [*_LLAMA, "rope_factors_long.weight"]), "training would leave out"),
        (("llama", 1, _LLAMA), "training would leave out"),
        (("llama", 0, _LLAMA), "how many blocks"),
        (("llama", 1 << 40, _LLAMA), "how many blocks"),
    ],
)
def test_a_file_whose_weights_are_others_than_it_says_is_refused(reader: tuple[str, int, list[str]], said: str) -> None:
    from forge_steps.base_file import check_tensors
    from forge_steps.protocol import StepError

    with pytest.raises(StepError, match=said):
        check_tensors(_reader(*reader))


def test_a_part_of_a_model_is_refused() -> None:
    from forge_steps.base_file import check_tensors
    from forge_steps.protocol import StepError

    check_tensors(_reader("llama", 2, _LLAMA, split_count=1))
    with pytest.raises(StepError, match="one of several parts"):
        check_tensors(_reader("llama", 2, _LLAMA, split_count=3))


def test_the_factors_of_llama_3_are_those_of_the_converter(base: Callable[[str], Path]) -> None:
    import gguf

    from forge_steps.base_file import llama3_factors

    tensors = {t.name: t for t in gguf.GGUFReader(base("llama-3")).tensors}
    found = [float(x) for x in tensors["rope_freqs.weight"].data]
    assert found == pytest.approx(llama3_factors(500000.0, 32, 32.0), rel=1e-5) and len(set(found)) >= 3
