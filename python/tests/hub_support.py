"""A tiny model in the hub's form, as a repository on the model hub holds one: bfloat16 weights, config, tokenizer.

`python hub_support.py FOLDER` makes it; the tests of both languages fetch and convert it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from export_support import TEMPLATE, byte_tokenizer


def save_hub_folder(folder: Path) -> Path:
    """Writes config.json, generation_config.json, model.safetensors and the tokenizer's files to `folder`."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = byte_tokenizer()
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=96, intermediate_size=160, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1,
        max_position_embeddings=512, bos_token_id=1, eos_token_id=2, pad_token_id=2, tie_word_embeddings=True, initializer_range=0.08,
    )  # fmt: skip
    LlamaForCausalLM(config).to(torch.bfloat16).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for file in folder.glob("*.jinja"):  # older repositories, SmolLM2's among them, have the template in tokenizer_config.json
        file.unlink()
    return folder


if __name__ == "__main__":
    save_hub_folder(Path(sys.argv[1]))
