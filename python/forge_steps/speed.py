"""How fast a GGUF reads a prompt and writes an answer, under llama.cpp, on this machine as it is now.

A figure to choose a format by, no measurement of the machine: one sequence, greedy, on a real sample, bounded in time (a model of 14B on two
cores is asked for a few tokens, one of 3M for a few dozen).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forge_steps.llama_cpp import Library

#: Tokens of the prompt that is read, as many as fit one batch of what this is compared with elsewhere (llama-bench has 512).
PROMPT_TOKENS = 256
#: Tokens written at most, and the seconds after which no further one is asked for.
WRITTEN_TOKENS = 48
MOST_SECONDS = 4.0
#: The prompt is read again while it takes less than this in all; the fastest time counts.
AGAIN_SECONDS = 1.0


def speed(library: Library, gguf: Path, tokens: Sequence[int], threads: int) -> dict[str, Any]:
    """Figures: `prompt_tokens_per_second`, `tokens_per_second` (written, after that prompt) and `speed_threads`.

    `tokens`: a sample; its first `PROMPT_TOKENS` are the prompt, repeated where it is shorter.
    """
    prompt = [tokens[i % len(tokens)] for i in range(PROMPT_TOKENS)]
    with library.model(gguf) as model, model.context(PROMPT_TOKENS + WRITTEN_TOKENS + 16, PROMPT_TOKENS, threads) as context:
        context.logits(prompt[:16], 0, 1)  # what is set up on first use
        fastest, spent = float("inf"), 0.0
        while spent < AGAIN_SECONDS:
            context.forget(0)
            since = time.perf_counter()
            last = context.logits(prompt, 0, 1)
            took = time.perf_counter() - since
            fastest, spent = min(fastest, took), spent + took
        since, written = time.perf_counter(), 0
        while written < WRITTEN_TOKENS and time.perf_counter() - since < MOST_SECONDS:
            last = context.logits([int(last[0].argmax())], PROMPT_TOKENS + written, 1)
            written += 1
        took = time.perf_counter() - since
    return {
        "prompt_tokens_per_second": float(f"{PROMPT_TOKENS / fastest:.3g}"),
        "tokens_per_second": float(f"{written / took:.3g}"),
        "speed_threads": threads,
    }


def measured_speed(library: Library, gguf: Path, rows: Path, threads: int) -> dict[str, Any]:
    """`speed` on the first sample of `rows` (rendered.jsonl)."""
    from forge_steps.verify import read_rows

    with library.model(gguf, vocab_only=True) as model:
        tokens = [token for text in read_rows(rows)[0] for token in model.tokenize(text)]
    return speed(library, gguf, tokens, threads)
