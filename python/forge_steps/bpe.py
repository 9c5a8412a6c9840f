"""A small byte-level BPE tokenizer, learned from a text, whose ids llama.cpp computes alike.

It declares the pre-tokenizer of Qwen2, which llama.cpp knows (`qwen2`), and that one binds a space, a quote or a slash to the word
after it. Merges are therefore learned on finer pieces: runs of letters, runs of marks, single digits, single spaces. None
joins a space or a mark to a letter, so a word has the same tokens whatever stands before it, and copying one from a request into
an argument is copying tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

#: Qwen2's expression, as in llama.cpp's src/llama-vocab.cpp (LLAMA_VOCAB_PRE_TYPE_QWEN2, release v0.5.0).
QWEN2 = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
#: What a merge may be made of.
PIECES = r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+|\s"

END, BEGIN_TURN, END_TURN = "<|endoftext|>", "<|im_start|>", "<|im_end|>"


def qwen2_pre_tokenizer() -> Any:
    """Qwen2's pre-tokenizer: its expression, then bytes."""
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(QWEN2), behavior="isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )


def learn_tokenizer(texts: Iterable[str], vocabulary: int, special: Iterable[str]) -> Any:
    """Learns merges from `texts` and returns a transformers tokenizer of at most `vocabulary` tokens.

    `special`: texts that are one token each, beside the three of ChatML. Deterministic in the texts and their order.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    own = [END, BEGIN_TURN, END_TURN, *special]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2), behavior="isolated"),
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(own),
        min_frequency=2,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((_without(text, own) for text in texts), trainer)
    tokenizer.pre_tokenizer = qwen2_pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel()
    # Control tokens are never shown in an answer; what a model says of its own accord must be.
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in own[:3]])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in own[3:]])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END_TURN,
        pad_token=END,
        clean_up_tokenization_spaces=False,
    )


def _without(text: str, special: list[str]) -> str:
    """Special tokens are not text: nothing is learned from their letters."""
    for token in special:
        text = text.replace(token, " ")
    return text
