"""A tiny random Llama with a tokenizer of its own, and rendered samples for it: everything that training needs, in a second."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


#: What makes a tiny model one of another architecture, by its type in transformers.
OTHERS: dict[str, dict[str, Any]] = {
    "gemma3_text": {
        "sliding_window": 24,  # less than the shared beginning of the samples below
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        "query_pre_attn_scalar": 8,
    },
    "phi3": {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}},
    "glm4": {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}, "attention_bias": True},
    "mistral": {"sliding_window": None},
    "qwen2": {},
    "qwen3": {},
}


def tiny_model(seed: int = 0, layers: int = 3, vocabulary: int = 320, kind: str = "llama") -> Any:
    """A Llama (or a key of `OTHERS`) with grouped-query attention, as the real ones have it, in float32. Of the others norms and biases are drawn too: as
    they are initialised, ones and zeros, leaving one out would change nothing."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(seed)
    config = AutoConfig.for_model(
        kind,
        vocab_size=vocabulary,
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=layers,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        initializer_range=0.2,
        attn_implementation="sdpa",
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        **OTHERS.get(kind, {}),
    )
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()
    if kind in OTHERS:
        with torch.no_grad():
            for weight in model.parameters():
                if weight.ndim == 1:
                    weight.add_(torch.randn_like(weight), alpha=0.3)
    return model


def byte_tokenizer() -> Any:
    """One token a byte, and the control tokens of ChatML."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|im_end|>", bos_token="<|im_start|>", additional_special_tokens=SPECIAL
    )


def save_base(folder: Path) -> Path:
    """The tiny model and tokenizer in the hub's form."""
    tiny_model().save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


def rendered(count: int, seed: int = 0, thinking: bool = False) -> list[dict[str, Any]]:
    """Samples on one system prompt: some with a call, its result and an answer, some with two calls, some plain. `thinking`: each turn of the model's
    begins with a thought of its own length."""
    rng = random.Random(seed)
    system = "<|im_start|>system\nTools: f(x), g(y).<|im_end|>\n"
    rows = []

    def thought() -> str:
        return f"<think>\n{'So it is. ' * rng.randint(0, 4)}\n</think>\n\n" if thinking else ""

    for i in range(count):
        turns = rng.choice([0, 1, 1, 2])
        segments: list[dict[str, Any]] = [{"text": f"{system}<|im_start|>user\nq{rng.randint(0, 999)}?<|im_end|>\n<|im_start|>assistant\n", "learn": False}]
        for _ in range(turns):
            n = rng.randint(0, 9999)
            segments += [
                {"text": f'{thought()}<tool_call>\n{{"name":"f","arguments":{{"x":{n}}}}}\n</tool_call><|im_end|>', "learn": True},
                {"text": f"\n<|im_start|>user\n<tool_response>\n{n * 7}\n</tool_response><|im_end|>\n<|im_start|>assistant\n", "learn": False},
            ]
        segments += [{"text": f"{thought()}It is {rng.randint(0, 99)}.<|im_end|>", "learn": True}, {"text": "\n", "learn": False}]
        rows.append({"id": f"r{i}", "segments": segments})
    return rows
