"""Tokens that a base model's vocabulary lacks, added while it is converted: its GGUF has them, and whatever reads that sees single tokens.

A token takes the place of a reserved one where the vocabulary has some that nobody uses (Llama 3's `<|reserved_special_token_0|>`); else the next free id,
which may lie in rows that the matrices have beyond the vocabulary (Qwen2.5's do), or makes them longer. Its rows, of the embedding and of a head of its own,
are the mean of those of all tokens that were there: what transformers' `resize_token_embeddings` begins with (modeling_utils.py,
`_init_added_embeddings_weights_with_mean`, release 5.17), which draws around it with a billionth of the covariance. We draw nothing, so that
the bytes are the same everywhere. Why the mean: next to no probability is taken from the tokens that there are (Hewitt 2021,
https://nlp.stanford.edu/~johnhew/vocab-expansion.html). Training moves the rows from there (token_rows.py).

Guarantees: ids, texts and rows of all other tokens stay; the folder itself is not changed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forge_steps.protocol import Spec, StepError

if TYPE_CHECKING:
    from torch import Tensor

#: The matrices that have a row for each token, as transformers names them; the second where it is not the first.
MATRICES = ("model.embed_tokens.weight", "lm_head.weight")
#: Rows that are added up at once.
_AT_ONCE = 1 << 12
_TOKENIZER, _ABOUT, _MAP, _CONFIG = "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json"
_ADD_AGAIN = "Describe the model anew: `forge models add … --thinking`."


@dataclass(frozen=True)
class Grown:
    """A model's folder whose vocabulary has the tokens; its weights are not changed yet."""

    folder: Path
    #: Of the tokens that were added, in their order.
    ids: tuple[int, ...]
    #: Of all tokens that were there before, those that were replaced left out.
    before: tuple[int, ...]
    #: Of the matrices.
    rows: int

    def weight(self, name: str, weight: Tensor) -> Tensor:
        """A weight by its name in the folder: a matrix with a row for each token with those of the new ones, any other as it is. In its own precision."""
        if name not in MATRICES:
            return weight
        import torch

        if weight.shape[0] > self.rows or max(self.before) >= weight.shape[0]:
            raise StepError("models/unconvertible", f"the base model's {name} has {weight.shape[0]} rows, and its vocabulary other ones", "Fetch config.json and the weights again, both of one revision.")
        # In float64, so that the order of the sum, which the number of cores decides, is not seen.
        total = torch.zeros(weight.shape[1], dtype=torch.float64)
        known = torch.tensor(self.before)
        for part in known.split(_AT_ONCE):
            total += weight[part].double().sum(dim=0)
        grown = torch.zeros((self.rows, weight.shape[1]), dtype=weight.dtype)
        grown[: weight.shape[0]] = weight
        grown[list(self.ids)] = (total / len(known)).to(weight.dtype)
        return grown


def new_tokens(spec: Spec) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The spec's `{tokens: [text], slots: [text]}`: what is added, and the reserved tokens whose places they take (one each, or none at all)."""
    tokens, slots = (spec.raw().get(key) for key in ("tokens", "slots"))
    if not _texts(tokens) or not _texts(slots) or not tokens or len(slots) not in (0, len(tokens)) or len({*tokens, *slots}) != len(tokens) + len(slots):
        raise StepError("step/spec", "the spec's `add` names no tokens, or not a slot for each")
    return tuple(tokens), tuple(slots)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and text for text in value)


def grow(folder: Path, to: Path, tokens: Sequence[str], slots: Sequence[str]) -> Grown:
    """Makes `to` the folder with the tokens in its vocabulary: links to the files of `folder`, those that speak of the vocabulary written anew. Raises StepError
    where it is no byte-level BPE, has one of the tokens already, or lacks a slot."""
    tokenizer, config = _read(folder / _TOKENIZER), _read(folder / _CONFIG)
    model, added = tokenizer.get("model"), tokenizer.get("added_tokens")
    if not isinstance(model, dict) or model.get("type") != "BPE" or model.get("byte_fallback") or not isinstance(model.get("vocab"), dict) or not isinstance(added, list):
        raise StepError("models/unconvertible", "the base model's vocabulary is no byte-level BPE: no token can be added to it", "Describe the model without --thinking.")
    ids = {**model["vocab"], **{token["content"]: token["id"] for token in added}}
    there = next((token for token in tokens if token in ids), None)
    if there is not None:
        raise StepError("models/unconvertible", f"the base model's vocabulary has the token {there} already", _ADD_AGAIN)
    by_text = {token["content"]: token for token in added}
    lacking = next((slot for slot in slots if slot not in by_text), None)
    if lacking is not None:
        raise StepError("models/unconvertible", f"the base model's vocabulary has no reserved token {lacking}", _ADD_AGAIN)
    end = max(ids.values()) + 1
    chosen = tuple(by_text[slot]["id"] for slot in slots) if slots else tuple(range(end, end + len(tokens)))
    rows = max(int(config.get("vocab_size") or 0), end, max(chosen) + 1)

    shutil.rmtree(to, ignore_errors=True)  # left by a killed run
    to.mkdir(parents=True)
    written = {
        _TOKENIZER: _with_tokens(tokenizer, tokens, slots, chosen),
        _CONFIG: {**config, "vocab_size": rows},
        **{name: _without_slots(_read(folder / name), tokens, slots, chosen) for name in (_ABOUT, _MAP) if (folder / name).is_file()},
    }
    for file in folder.iterdir():
        if file.name not in written and file.is_file():
            _link(file, to / file.name)
    for name, content in written.items():
        (to / name).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return Grown(to, chosen, tuple(sorted(set(ids.values()).difference(chosen))), rows)


def _with_tokens(tokenizer: dict[str, Any], tokens: Sequence[str], slots: Sequence[str], chosen: Sequence[int]) -> dict[str, Any]:
    """A tokenizer.json with the tokens: no control tokens, so that a program which leaves those out of its answers shows where a thought ends, as in Qwen3's."""
    added = [token for token in tokenizer["added_tokens"] if token["content"] not in slots]
    added += [{"id": id, **_entry(token)} for token, id in zip(tokens, chosen, strict=True)]
    vocab = tokenizer["model"]["vocab"]
    if any(slot in vocab for slot in slots):  # Some list their reserved tokens there too.
        named = dict(zip(slots, tokens, strict=True))
        vocab = {named.get(text, text): id for text, id in vocab.items()}
    return {**tokenizer, "model": {**tokenizer["model"], "vocab": vocab}, "added_tokens": sorted(added, key=lambda token: token["id"])}


def _entry(token: str) -> dict[str, Any]:
    return {"content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}


def _without_slots(about: Mapping[str, Any], tokens: Sequence[str], slots: Sequence[str], chosen: Sequence[int]) -> dict[str, Any]:
    """What tokenizer_config.json and special_tokens_map.json say of tokens: transformers would add a slot that they name once more."""
    known = dict(about)
    for key in ("additional_special_tokens", "extra_special_tokens"):
        if isinstance(known.get(key), list):
            known[key] = [token for token in known[key] if (token.get("content") if isinstance(token, dict) else token) not in slots]
    if isinstance(decoder := known.get("added_tokens_decoder"), dict):
        known["added_tokens_decoder"] = {**decoder, **{str(id): _entry(token) for token, id in zip(tokens, chosen, strict=True)}}
    return known


def _read(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as e:
        raise StepError("models/unconvertible", f"the base model's {path.name} cannot be read: {e}") from e
    if not isinstance(read, dict):
        raise StepError("models/unconvertible", f"the base model's {path.name} holds no JSON object")
    return read


def _link(file: Path, to: Path) -> None:
    try:
        os.link(file.resolve(), to)
    except OSError:  # on another disk, or one that has no links
        shutil.copyfile(file, to)
