"""A tiny model, its adapter and its rows for the tests of export; steps run as forge runs them, in processes of their own.

The tokenizer is SmolLM2's where `MCP_FORGE_TEST_BASE` names its GGUF, else a byte-level one of our own of the same kind.
"""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
STOP_TOKENS = ["<|im_end|>", "<|endoftext|>"]
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
BUNDLE = ROOT / "node_modules" / "node-llama-cpp" / "llama" / "gitRelease.bundle"

_MACHINES = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def libraries() -> Path:
    """Folder of libllama in the repository's node_modules."""
    system, machine = platform.system(), _MACHINES[platform.machine()]
    name = {"Linux": f"linux-{machine}", "Darwin": "mac-arm64-metal" if machine == "arm64" else "mac-x64", "Windows": "win-x64"}[system]
    return ROOT / "node_modules" / "@node-llama-cpp" / name / "bins" / name


def run_step(name: str, spec: dict[str, Any], folder: Path) -> tuple[dict[str, Any], str]:
    """Runs a step; returns its last event and what it wrote on stderr."""
    file = folder / f"{name}.spec.json"
    file.write_text(json.dumps({"v": 1, **spec}), "utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "forge_steps", name, "--spec", str(file)], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events, done.stderr
    return events[-1], done.stderr


@dataclass
class Tiny:
    base: Path
    adapter: Path
    rows: Path
    template: Path
    converter: dict[str, str]

    def export_spec(self, folder: Path, **changes: Any) -> dict[str, Any]:
        return {
            "base": {"gguf": str(self.base)},
            "adapter": str(self.adapter),
            "template": str(self.template),
            "stop_tokens": STOP_TOKENS,
            "output": str(folder / "model.gguf"),
            "metadata": {
                "general.name": "tiny",
                "general.license": "apache-2.0",
                "mcp_forge.toolset_hash": "sha256:0",
                "mcp_forge.tools": ["get_weather", "get_alerts"],
                "mcp_forge.training.steps": 3,
                "mcp_forge.training.final_loss": 0.25,
            },
            "converter": self.converter,
            "libraries": str(libraries()),
            "scratch": str(folder / "scratch"),
            "threads": 2,
            "verify": {"rows": str(self.rows), "positions": 600},
            **changes,
        }


def byte_tokenizer() -> Any:
    """A tokenizer of single bytes and a few merges, of the kind that GGUF calls gpt2/smollm."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from forge_steps.tokenizer import PRE_TOKENIZERS

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("i", "n"), ("Ċ", "Ċ"), ("Ġ", "Ġ")]
    vocabulary = {token: i for i, token in enumerate([*CONTROL, *letters, *(a + b for a, b in merges)])}
    backend = Tokenizer(models.BPE(vocabulary, merges))
    backend.pre_tokenizer = PRE_TOKENIZERS["smollm"]()
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in CONTROL])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=CONTROL[1], eos_token=CONTROL[2], unk_token=CONTROL[0], pad_token=CONTROL[2])


def save_folder(model: Any, tokenizer: Any, folder: Path) -> None:
    """By transformers' own means: weights, config and tokenizer to `folder`, with `TEMPLATE` as the chat template."""
    model.generation_config.do_sample = False
    model.save_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)


def make_tiny(folder: Path) -> Tiny:
    """Makes the base as a GGUF (by the converter itself), a random adapter and rendered rows. Run in a process of its own:
    the converter brings its own `gguf`."""
    from forge_steps.convert import convert, find_converter, use_converter
    from forge_steps.protocol import Spec

    tiny = Tiny(
        folder / "base.gguf", folder / "adapter", folder / "rows.jsonl", folder / "template.jinja", {"bundle": str(BUNDLE), "cache": str(folder / "cache")}
    )
    use_converter(find_converter(Spec(tiny.converter)))

    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    from forge_steps.tokenizer import tokenizer_from_gguf

    given = os.environ.get("MCP_FORGE_TEST_BASE")
    tokenizer = tokenizer_from_gguf(Path(given)) if given else byte_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=2048, bos_token_id=1, eos_token_id=2, pad_token_id=2, tie_word_embeddings=True, initializer_range=0.08,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    save_folder(model, tokenizer, folder / "hub")
    convert(folder / "hub", tiny.base, {"general.name": "tiny base"}, "smollm")
    tuned = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(0, 0.2)
    tuned.save_pretrained(tiny.adapter)
    tiny.template.write_text(TEMPLATE, "utf-8")
    system = "<|im_start|>system\nYou can call get_weather and get_alerts, the two tools there are.<|im_end|>\n"
    with tiny.rows.open("w", encoding="utf-8") as file:
        for i in range(12):
            segments = [
                {"text": f"{system}<|im_start|>user\nIn  {i} days,\n\n{i + 12} places: is the weather naïve 🌦 in Oslo?<|im_end|>\n<|im_start|>assistant\n", "learn": False},
                {"text": f'<tool_call>\n{{"name":"get_weather","arguments":{{"days":{i}}}}}\n</tool_call><|im_end|>', "learn": True},
                {"text": "\n", "learn": False},
            ]
            file.write(json.dumps({"id": str(i), "segments": segments}) + "\n")
    return tiny


def run_together(specs: list[tuple[str, dict[str, Any]]], folder: Path) -> list[dict[str, Any]]:
    """Runs several steps in one process of their own, so that transformers is imported once; what each ends with, as `run_step`'s event."""
    (folder / "together.json").write_text(json.dumps(specs), "utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "PYTHONHASHSEED": "0"}
    done = subprocess.run([sys.executable, __file__, str(folder), "together"], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    (folder / "together.json").unlink()
    assert done.returncode == 0, done.stderr
    ended: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"type"')]
    assert len(ended) == len(specs), done.stderr
    return ended


def _together(folder: Path) -> None:
    import importlib

    from forge_steps.protocol import Spec, Step, StepError

    quiet = os.open(os.devnull, os.O_WRONLY)
    for name, spec in json.loads((folder / "together.json").read_text("utf-8")):
        try:
            print(json.dumps({"type": "result", "figures": importlib.import_module(f"forge_steps.{name}").run(Step(name, Spec({"v": 1, **spec}), quiet))}))
        except StepError as e:
            print(json.dumps({"type": "error", "code": e.code, "message": e.message, "hint": e.hint}))


def export_by_peft(base: Path, adapter: Path, converter: dict[str, str], folder: Path) -> None:
    """The same export as forge's, the whole model in memory and everything by the libraries' own means: `peft.gguf` in `folder`; and forge's from many small files,
    `ours.gguf`. Run in a process of its own."""
    from forge_steps import merge
    from forge_steps.convert import convert, find_converter, use_converter
    from forge_steps.lora import Lora
    from forge_steps.protocol import Spec

    use_converter(find_converter(Spec(converter)))

    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from forge_steps.model import load_tokenizer
    from forge_steps.tokenizer import pre_tokenizer_of
    from forge_steps.weights import BaseWeights

    model = AutoModelForCausalLM.from_pretrained(base.parent, gguf_file=base.name, dtype=torch.float32)
    del model.config.quantization_config
    model.hf_quantizer = None
    save_folder(PeftModel.from_pretrained(model, str(adapter)).merge_and_unload(), load_tokenizer(base), folder / "peft")
    merge.SHARD_BYTES = 1 << 20
    merge.merge(BaseWeights(base), Lora.read(adapter), folder / "ours")
    merge.save_tokenizer(load_tokenizer(base), TEMPLATE, folder / "ours")
    for name in ("peft", "ours"):
        convert(folder / name, folder / f"{name}.gguf", {"general.name": "tiny"}, pre_tokenizer_of(base))


if __name__ == "__main__":
    if sys.argv[2:] == ["together"]:
        _together(Path(sys.argv[1]))
    elif sys.argv[2:3] == ["peft"]:
        export_by_peft(Path(sys.argv[3]), Path(sys.argv[4]), json.loads(sys.argv[5]), Path(sys.argv[1]))
    else:
        make_tiny(Path(sys.argv[1]))


#: What tokenizers disagree on, if on anything.
PIECES = ["'street", "don't", " 'x'", "42", "  ", "\n\n", "\t", "é", "日本", "🦊", '{"a":"b"}', "</tools>", "a_b-c.d/e", "C:\\x", " (", "…", "I'LL", "\u00a0", "ﬁ", "\r\n"]


def fuzzed(rows: int, seed: int = 5) -> list[dict[str, Any]]:
    """Rendered samples whose questions are random pieces of text."""
    rng = random.Random(seed)
    texts = ["".join(rng.choice(PIECES) for _ in range(40)) for _ in range(rows)]
    return [{"id": f"fuzz{i}", "segments": [{"text": "q" + text, "learn": False}, {"text": "ok<|im_end|>", "learn": True}]} for i, text in enumerate(texts)]


def compare_with_llama_cpp(model: Path, rows: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Exports a model in the hub's form to an f16 GGUF and has llama.cpp read the rows with it; the export's figures. An id that differs fails."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    (folder / "template.jinja").write_text(TEMPLATE, "utf-8")
    spec = {
        "base": {"gguf": str(model)},
        "template": str(folder / "template.jinja"),
        "stop_tokens": STOP_TOKENS,
        "output": str(folder / "model.gguf"),
        "metadata": {"general.name": "tiny"},
        "converter": {"bundle": str(BUNDLE), "cache": str(folder / "cache")},
        "libraries": str(libraries()),
        "scratch": str(folder / "scratch"),
        "verify": {"rows": str(folder / "rows.jsonl"), "positions": 400},
    }
    last, log = run_step("export", spec, folder)
    assert last["type"] == "result", (last, log)
    figures: dict[str, Any] = last["figures"]
    return figures
