"""Tiny random models of every kind that a project may bring, in the form in which the hub gives them out: bfloat16 weights, a vocabulary learned
from our own documentation, and the files beside them as the real ones have them.

`python own_models.py KIND FOLDER [WINDOW]` makes one; the tests of both languages use it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

#: The pre-tokenizers as the models' own tokenizer.json have them.
_QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3 = _QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
_TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _split(expression: str) -> dict[str, Any]:
    split = {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [split, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]}


_SMOLLM = {
    "type": "Sequence",
    "pretokenizers": [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    ],
}
_CHATML = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"


@dataclass(frozen=True)
class Kind:
    model_type: str
    #: What forge is to find out.
    pre: str
    template: str
    pre_tokenizer: dict[str, Any]
    #: Control tokens, in the order of their ids; each at the beginning of the vocabulary where `first`, else at its end.
    special: tuple[str, ...]
    bos: str | None
    eos: str
    stop: tuple[str, ...]
    chat_template: str
    #: Added tokens that are no control tokens.
    plain: tuple[str, ...] = ()
    normalizer: dict[str, Any] | None = None
    config: dict[str, Any] = field(default_factory=dict)


KINDS = {
    "llama-chatml": Kind(
        "llama", "smollm", "chatml.jinja", _SMOLLM, ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), "<|im_start|>", "<|im_end|>",
        ("<|im_end|>", "<|endoftext|>"), _CHATML, config={"tie_word_embeddings": True},
    ),
    "llama-3": Kind(
        "llama", "llama-bpe", "llama-3.jinja", _split(_LLAMA3),
        ("<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"),
        "<|begin_of_text|>", "<|eot_id|>", ("<|eot_id|>", "<|end_of_text|>", "<|eom_id|>"),
        "{{- bos_token }}{% for message in messages %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] + '<|eot_id|>' }}{% endfor %}",
        config={
            "tie_word_embeddings": False, "head_dim": 32, "rope_theta": 500000.0,
            "rope_scaling": {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192},
        },
    ),
    "deepseek-r1": Kind(
        "llama", "llama-bpe", "deepseek-r1.jinja", _split(_LLAMA3),
        ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<|reserved_special_token_0|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"),
        "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", ("<｜end▁of▁sentence｜>",),
        "{{ bos_token }}{% for message in messages %}{{ '<｜User｜>' + message['content'] if message['role'] == 'user' else '<｜Assistant｜>' + message['content'] + eos_token }}{% endfor %}",
        plain=("<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"),
        config={
            "tie_word_embeddings": False, "head_dim": 32, "rope_theta": 500000.0,
            "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192},
        },
    ),
    "qwen2": Kind(
        "qwen2", "qwen2", "chatml.jinja", _split(_QWEN2), ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>"), None, "<|im_end|>",
        ("<|im_end|>", "<|endoftext|>"), _CHATML, plain=("<tool_call>", "</tool_call>"), normalizer={"type": "NFC"},
        config={"tie_word_embeddings": True, "rope_theta": 1000000.0, "use_sliding_window": False, "sliding_window": 32768, "max_window_layers": 21},
    ),
    "qwen3": Kind(
        "qwen3", "qwen2", "qwen3.jinja", _split(_QWEN2), ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), None, "<|im_end|>",
        ("<|im_end|>", "<|endoftext|>"), _CHATML + "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{% endif %}",
        plain=("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"), normalizer={"type": "NFC"},
        config={"tie_word_embeddings": True, "head_dim": 64, "rope_theta": 1000000.0, "attention_bias": False},
    ),
    "mistral": Kind(
        "mistral", "tekken", "mistral.jinja", _split(_TEKKEN), ("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "<pad>"),
        "<s>", "</s>", ("</s>",), "{{ bos_token }}{% for message in messages %}{{ '[INST]' + message['content'] + '[/INST]' }}{% endfor %}",
        config={"tie_word_embeddings": False, "head_dim": 48, "rope_theta": 1000000.0, "sliding_window": None},
    ),
}  # fmt: skip


def vocabulary(kind: Kind, size: int = 1500) -> dict[str, Any]:
    """tokenizer.json: merges learned under llama.cpp's form of the pre-tokenizer, then the model's own form in its place."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    from forge_steps.tokenizer import PRE_TOKENIZERS, WHOLE_PIECES

    tokenizer = Tokenizer(models.BPE(ignore_merges=kind.pre in WHOLE_PIECES))
    tokenizer.pre_tokenizer = PRE_TOKENIZERS[kind.pre]()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    texts = [file.read_text("utf-8") for file in sorted((ROOT / "docs").glob("*.md"))]
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in kind.special])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in kind.plain])
    found: dict[str, Any] = json.loads(tokenizer.to_str())
    found["pre_tokenizer"], found["normalizer"] = kind.pre_tokenizer, kind.normalizer
    if kind.bos is not None and kind.pre in WHOLE_PIECES:  # Llama 3 and Mistral put it before every text
        first = {"SpecialToken": {"id": kind.bos, "type_id": 0}}
        ids = {kind.bos: {"id": kind.bos, "ids": [token["id"] for token in found["added_tokens"] if token["content"] == kind.bos], "tokens": [kind.bos]}}
        single = [first, {"Sequence": {"id": "A", "type_id": 0}}]
        found["post_processor"] = {"type": "TemplateProcessing", "single": single, "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": ids}
    return found


def make(name: str, folder: Path, window: int = 8192) -> Path:
    """Writes the model to `folder`."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kind = KINDS[name]
    folder.mkdir(parents=True, exist_ok=True)
    tokens = vocabulary(kind)
    ids = {token["content"]: token["id"] for token in tokens["added_tokens"]}
    (folder / "tokenizer.json").write_text(json.dumps(tokens, ensure_ascii=False), "utf-8")
    about: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": kind.eos, "chat_template": kind.chat_template, "model_max_length": window}
    if kind.bos is not None:
        about["bos_token"] = kind.bos
    (folder / "tokenizer_config.json").write_text(json.dumps(about, indent=2), "utf-8")
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind.model_type, vocab_size=-(-(len(tokens["model"]["vocab"]) + len(ids)) // 64) * 64, hidden_size=128, intermediate_size=256, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=window, initializer_range=0.08, eos_token_id=ids[kind.eos],
        bos_token_id=ids.get(kind.bos or ""), pad_token_id=None, **kind.config,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config).to(torch.bfloat16).eval()
    for parameter_name, parameter in model.named_parameters():
        if parameter_name.endswith(".bias"):  # begun at zero, where nobody would miss them
            parameter.data.normal_(0, 0.3)
    model.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [ids[token] for token in kind.stop], "temperature": 0.6}), "utf-8")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Tiny\n", "utf-8")
    return folder


if __name__ == "__main__":
    make(sys.argv[1], Path(sys.argv[2]), *(int(a) for a in sys.argv[3:4]))
