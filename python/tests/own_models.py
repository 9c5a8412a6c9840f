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


def _split(expression: str, inverted: bool = False) -> dict[str, Any]:
    split = {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Removed" if inverted else "Isolated", "invert": inverted}
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
    #: What the model's own files have put before every text.
    before: tuple[str, ...] = ()
    tokenizer_class: str = "PreTrainedTokenizerFast"
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
    "phi-4": Kind(
        "phi3", "dbrx", "phi-4.jinja", _split(_LLAMA3, inverted=True),
        ("<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|im_start|>", "<|im_end|>", "<|im_sep|>", "<|endofprompt|>"),
        "<|endoftext|>", "<|im_end|>", ("<|im_end|>", "<|endoftext|>"),
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '<|im_sep|>' + message['content'] + '<|im_end|>' }}{% endfor %}",
        tokenizer_class="GPT2Tokenizer",
        config={"tie_word_embeddings": False, "rope_theta": 250000.0, "original_max_position_embeddings": 2048, "sliding_window": None},
    ),
    "glm-4": Kind(
        "glm4", "glm4", "glm-4.jinja", _split(_LLAMA3),
        ("<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
        None, "<|endoftext|>", ("<|endoftext|>", "<|user|>"),
        "[gMASK]<sop>{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] }}{% endfor %}",
        before=("[gMASK]", "<sop>"), config={"tie_word_embeddings": False, "head_dim": 48, "attention_bias": True, "partial_rotary_factor": 0.5, "rope_theta": 10000.0},
    ),
    "gemma-3": Kind(
        "gemma3_text", "default", "gemma-3.jinja",
        {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
        ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"), "<bos>", "<eos>", ("<end_of_turn>", "<eos>"),
        "{{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + message['role'] + '\n' + message['content'] + '<end_of_turn>\n' }}{% endfor %}",
        plain=("\n", "\n\n", "\n\n\n", "\u2581\u2581", "\u2581\u2581\u2581", "\u2581\u2581\u2581\u2581", "<table>", "</table>"), normalizer={"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        before=("<bos>",), tokenizer_class="GemmaTokenizer",
        config={
            "tie_word_embeddings": True, "head_dim": 32, "query_pre_attn_scalar": 32, "num_hidden_layers": 6, "sliding_window": 64, "hidden_activation": "gelu_pytorch_tanh",
            "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0, "sliding_window_pattern": 6,
        },
    ),
}  # fmt: skip


def pieces(kind: Kind, size: int = 1500) -> bytes:
    """tokenizer.model as Gemma's: SentencePiece's BPE with bytes to fall back to, single digits, line breaks and rows of spaces as tokens of their own."""
    import io

    from sentencepiece import SentencePieceTrainer

    made = io.BytesIO()
    texts = [line for file in sorted((ROOT / "docs").glob("*.md")) for line in file.read_text("utf-8").splitlines()]
    SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=made, model_type="bpe", vocab_size=size, byte_fallback=True, split_digits=True, minloglevel=2,
        add_dummy_prefix=False, remove_extra_whitespaces=False, normalization_rule_name="identity", pad_id=0, eos_id=1, bos_id=2, unk_id=3, num_threads=1,
        pad_piece="<pad>", eos_piece="<eos>", bos_piece="<bos>", user_defined_symbols=[*kind.special[4:], *kind.plain],
    )  # fmt: skip
    return made.getvalue()


def vocabulary_of_pieces(kind: Kind, model: bytes) -> dict[str, Any]:
    """The tokenizer.json that transformers has for such a model."""
    from sentencepiece import SentencePieceProcessor

    from forge_steps.tokenizer import of_pieces

    read = SentencePieceProcessor(model_proto=model)
    tokens = [read.IdToPiece(i) for i in range(read.vocab_size())]
    types = [1 if not (read.IsUnknown(i) or read.IsControl(i) or read.IsByte(i) or tokens[i] in (*kind.special, *kind.plain)) else 3 for i in range(len(tokens))]
    found: dict[str, Any] = json.loads(of_pieces(tokens, types, [read.GetScore(i) for i in range(len(tokens))]).to_str())
    added = [{"content": t, "special": t in kind.special, "normalized": False, "lstrip": False, "rstrip": False, "single_word": False} for t in (*kind.special, *kind.plain)]
    found["added_tokens"] = sorted(({"id": tokens.index(a["content"]), **a} for a in added), key=lambda a: a["id"])
    found["pre_tokenizer"], found["normalizer"] = kind.pre_tokenizer, kind.normalizer
    return found


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
    return put_before(kind, found)


def put_before(kind: Kind, found: dict[str, Any]) -> dict[str, Any]:
    """A tokenizer.json that puts the kind's tokens before every text."""
    from forge_steps.tokenizer import WHOLE_PIECES

    before = kind.before or ((kind.bos,) if kind.bos is not None and kind.pre in WHOLE_PIECES else ())  # Llama 3 and Mistral put it before every text
    if before:
        ids = {text: {"id": text, "ids": [token["id"] for token in found["added_tokens"] if token["content"] == text], "tokens": [text]} for text in before}
        single = [*({"SpecialToken": {"id": text, "type_id": 0}} for text in before), {"Sequence": {"id": "A", "type_id": 0}}]
        found["post_processor"] = {"type": "TemplateProcessing", "single": single, "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": ids}
    return found


def make(name: str, folder: Path, window: int = 8192) -> Path:
    """Writes the model to `folder`."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kind = KINDS[name]
    folder.mkdir(parents=True, exist_ok=True)
    about: dict[str, Any] = {}
    if kind.pre == "default":
        (folder / "tokenizer.model").write_bytes(model_file := pieces(kind))
        tokens = put_before(kind, vocabulary_of_pieces(kind, model_file))
        about["added_tokens_decoder"] = {str(token["id"]): {k: v for k, v in token.items() if k != "id"} for token in tokens["added_tokens"]}
    else:
        tokens = vocabulary(kind)
    ids = {token["content"]: token["id"] for token in tokens["added_tokens"]}
    (folder / "tokenizer.json").write_text(json.dumps(tokens, ensure_ascii=False), "utf-8")
    about |= {"tokenizer_class": kind.tokenizer_class, "eos_token": kind.eos, "chat_template": kind.chat_template, "model_max_length": window}
    if kind.bos is not None:
        about["bos_token"] = kind.bos
    (folder / "tokenizer_config.json").write_text(json.dumps(about, indent=2), "utf-8")
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind.model_type,
        **{
            "vocab_size": -(-(len(tokens["model"]["vocab"]) + len(ids)) // 64) * 64, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": window, "initializer_range": 0.08, "eos_token_id": ids[kind.eos],
            "bos_token_id": ids.get(kind.bos or ""), "pad_token_id": None, **kind.config,
        },
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
