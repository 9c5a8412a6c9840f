"""The tokenizer inside a GGUF, built so that it cuts text exactly as llama.cpp will at inference.

transformers can read a GGUF's vocabulary but not its pre-tokenizer (`tokenizer.ggml.pre`), and takes GPT-2's instead;
for SmolLM2 that gives other tokens for "\\n\\n12" or "in  5", so the model would be trained on sequences that it never
meets, and it names the wrong end-of-text token. Here the pre-tokenizer is the one that the file declares. Export
proves the ids equal to llama.cpp's on the training samples.

The table of pre-tokenizers restates llama.cpp's (src/llama-vocab.cpp, release v0.5.0) in the terms of `tokenizers`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from forge_steps.bpe import QWEN2, qwen2_pre_tokenizer

#: `enum llama_token_type` (gguf.TokenType): ends of turns and the like, and texts that are one token whatever surrounds them.
_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4


def _smollm() -> Any:
    from tokenizers import pre_tokenizers

    # Each digit on its own, then GPT-2's expression on the pieces between.
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])


def _expression(expression: str) -> Any:
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(expression), behavior="isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )


#: Llama 3's expression: Qwen2's, with numbers in threes (LLAMA_VOCAB_PRE_TYPE_LLAMA3).
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
#: Tekken's (Mistral), as llama.cpp has it: its letters of one case are all but those of the other (LLAMA_VOCAB_PRE_TYPE_TEKKEN).
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+|[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))+((?=[\p{L}])([^A-Z]))*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

#: `tokenizer.ggml.pre` -> the pre-tokenizer.
PRE_TOKENIZERS = {
    "dbrx": lambda: _expression(LLAMA3),
    "default": lambda: None,  # SentencePiece's (`of_pieces`): nothing is cut beforehand
    "glm4": lambda: _expression(LLAMA3),
    "llama-bpe": lambda: _expression(LLAMA3),
    "qwen2": qwen2_pre_tokenizer,
    "smollm": _smollm,
    "tekken": lambda: _expression(TEKKEN),
}
#: What files with SentencePiece's vocabulary say.
PIECES = "default"
#: Of these llama.cpp takes a piece that is a token as that token, whatever its merges say (`ignore_merges`), and puts the
#: begin-of-text token before a text unless the file says that it must not.
WHOLE_PIECES = frozenset({"llama-bpe", "tekken"})
#: Those whose files say that nobody is to put a token before a text: a template of ours holds it where the model wants one, and the model's own files may
#: ask for it (GLM-4's do).
BEGUN_BY_TEMPLATE = WHOLE_PIECES | {"dbrx", "glm4", PIECES}

#: Key of a folder's tokenizer_config.json that names the pre-tokenizer in llama.cpp's words, for tokenizers of our own: llama.cpp's converter
#: knows others' by a digest of their ids.
PRE_TOKENIZER_KEY = "llama_cpp_pre_tokenizer"


def pre_tokenizer_of(path: Path) -> str | None:
    """The `tokenizer.ggml.pre` of a GGUF, or what a folder in the hub's form names; None where neither says."""
    if path.is_dir():
        config = path / "tokenizer_config.json"
        named = json.loads(config.read_text("utf-8")).get(PRE_TOKENIZER_KEY) if config.is_file() else None
        return named if isinstance(named, str) else None
    import gguf

    field = gguf.GGUFReader(path).fields.get("tokenizer.ggml.pre")
    return None if field is None else str(field.contents())


def tokenizer_from_gguf(path: Path) -> Any | None:
    """A transformers tokenizer with the vocabulary, merges, pre-tokenizer and special tokens of the file, which adds
    nothing of its own to a text. None when the file's kind of tokenizer is not in our table."""
    import gguf

    fields = gguf.GGUFReader(path).fields

    def value(key: str) -> Any:
        field = fields.get(f"tokenizer.ggml.{key}")
        return None if field is None else field.contents()

    pieces = value("model") == "llama" and value("add_space_prefix") is False
    if not pieces and (value("model") != "gpt2" or value("pre") not in PRE_TOKENIZERS or value("pre") == PIECES):
        return None
    from tokenizers import AddedToken, Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    tokens, types = value("tokens"), value("token_type")
    if pieces:
        backend = of_pieces(tokens, types, value("scores"))
    else:
        backend = Tokenizer(
            models.BPE(
                {token: i for i, token in enumerate(tokens)},
                [tuple(merge.split(" ", 1)) for merge in value("merges")],
                ignore_merges=value("pre") in WHOLE_PIECES,
            )
        )
        backend.pre_tokenizer = PRE_TOKENIZERS[value("pre")]()
        backend.decoder = decoders.ByteLevel()
    added = [(token, kind) for token, kind in zip(tokens, types, strict=True) if kind in (_CONTROL, _USER_DEFINED)]
    backend.add_tokens([AddedToken(token, special=kind == _CONTROL, normalized=False) for token, kind in added])
    named = {ours: value(f"{theirs}_token_id") for ours, theirs in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"))}
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        clean_up_tokenization_spaces=False,
        **{f"{name}_token": tokens[i] for name, i in named.items() if i is not None},
    )


def of_pieces(tokens: list[str], types: list[int], scores: list[float]) -> Any:
    """SentencePiece's byte pair encoding (Gemma's): of two neighbours those are joined first whose piece has the highest score, what is no piece falls
    back to bytes, and spaces are letters. llama.cpp does the same (src/llama-vocab.cpp, `llm_tokenizer_spm`, release v0.5.0)."""
    from tokenizers import Tokenizer, decoders, models, normalizers

    normal = {token: score for token, kind, score in zip(tokens, types, scores, strict=True) if kind == _NORMAL}
    merges = [
        (-score, (token[:at], token[at:]))
        for token, score in normal.items()
        for at in range(1, len(token))
        if token[:at] in normal and token[at:] in normal
    ]
    merges.sort(key=lambda merge: merge[0])
    vocabulary = {token: i for i, token in enumerate(tokens)}
    backend = Tokenizer(models.BPE(vocabulary, [pair for _, pair in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    backend.normalizer = normalizers.Replace(" ", "\u2581")
    backend.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    return backend
