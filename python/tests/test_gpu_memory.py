"""A GPU that really runs out of memory: training goes through PyTorch's own OutOfMemoryError, in the order that memory_cut.py promises, to the curve of one that
had all the memory. Skipped without CUDA; **it has never been run**, as no GPU was at hand when it was written (PyTorch 2.13's documentation is what it follows).

`npm run test:slow`, or on the machine with the GPU: `node scripts/pytest.mjs -m gpu`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from forge_steps import prefix
from forge_steps.protocol import StepError
from test_train import in_process, told, values, write_spec
from tiny import byte_tokenizer

pytestmark = [pytest.mark.slow, pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU")]

#: No layers recomputed by the estimate before the weights are loaded: it is the error that is to decide. Rows hold a whole step.
PLENTY = {"limits": {"free": 10**12, "memory": 10**12, "gpu": 10**12, "disk": 10**13}, "hyper": {"row_tokens": 1 << 20, "samples_per_step": 24, "epochs": 4}}
MIB = 1 << 20


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2-135M's layers with random weights and a vocabulary of bytes: activations are what takes memory."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=320, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
        max_position_embeddings=2048, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=2,
    )
    folder = tmp_path_factory.mktemp("base")
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def uncapped() -> Iterator[None]:
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    _clean()


def _clean() -> None:
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()


def _cap(allowed: int) -> None:
    """From here on PyTorch's allocator gives this process so many bytes in all, and raises OutOfMemoryError beyond."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, allowed / torch.cuda.get_device_properties(0).total_memory))


class Tried:
    """What each pass of a step was given and how it ended: `(row_tokens, whether layers were recomputed, whether memory sufficed)`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, allowed: int | None) -> None:
        """`allowed`: bytes beyond what is held when the first step begins (the weights and the adapter); None: all there are."""
        self.passes: list[tuple[int, bool, bool]] = []
        #: Bytes held when the first step began.
        self.held = 0
        real = prefix.step_backward

        def step_backward(model: Any, samples: Any, begin: int, row_tokens: int, *more: Any, **named: Any) -> Any:
            if not self.passes:
                self.held = torch.cuda.memory_allocated()
                if allowed is not None:
                    _cap(torch.cuda.memory_reserved() + allowed)
            recomputed = bool(getattr(model.get_base_model().get_decoder(), "forge_recomputes", False))
            try:
                found = real(model, samples, begin, row_tokens, *more, **named)
                # PyTorch computes by itself, later: what is short of memory says so when it allocates, which is before this line.
                torch.cuda.synchronize()
            except torch.OutOfMemoryError:
                self.passes.append((row_tokens, recomputed, False))
                raise
            self.passes.append((row_tokens, recomputed, True))
            return found

        monkeypatch.setattr(prefix, "step_backward", step_backward)

    def cuts(self) -> list[tuple[int, bool, bool]]:
        """The same without repetitions."""
        return [p for i, p in enumerate(self.passes) if i == 0 or p != self.passes[i - 1]]


def _run(base: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, allowed: int | None, **changes: Any) -> tuple[dict[str, Any], dict[int, float], Tried]:
    with monkeypatch.context() as patched:
        tried = Tried(patched, allowed)
        figures = in_process(write_spec(folder, base, **{**PLENTY, **changes}), folder / "events.jsonl")
    return figures, values(told(folder / "events.jsonl"), "loss"), tried


def test_rows_are_halved_until_they_fit_and_the_curve_is_the_same(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _clean()
    whole, straight, free = _run(base, tmp_path / "whole", monkeypatch, None)
    assert free.cuts() == [(1 << 20, False, True)] and "row_tokens" not in whole
    beside = whole["peak_gpu_memory_bytes"] - free.held
    assert beside > 64 * MIB, "too little to tell: the model of this test is too small"
    _clean()
    figures, losses, tried = _run(base, tmp_path / "short", monkeypatch, beside // 2)
    cuts = tried.cuts()
    # The whole step does not fit; then rows of half the size, as often as it takes, and from the first that fits on no other.
    assert [ok for *_, ok in cuts] == [False] * (len(cuts) - 1) + [True] and len(cuts) >= 2
    rows = [row for row, *_ in cuts]
    assert rows == sorted(rows, reverse=True) and figures["row_tokens"] == rows[-1] >= figures["longest_tokens"]
    assert figures["peak_gpu_memory_bytes"] < whole["peak_gpu_memory_bytes"]
    assert losses.keys() == straight.keys()
    for step, loss in straight.items():
        assert losses[step] == pytest.approx(loss, rel=2e-2), step  # bfloat16: sums are rounded in another order.


def test_layers_are_recomputed_last_and_then_it_is_refused_with_advice(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less and less memory, until it is refused: rows come first, recomputing after one sample a row, and the error names both."""
    _clean()
    whole, _, free = _run(base, tmp_path / "whole", monkeypatch, None)
    allowed = whole["peak_gpu_memory_bytes"] - free.held
    saw_recomputed = False
    while True:
        allowed = round(allowed * 0.8)
        assert allowed > MIB
        _clean()
        try:
            figures, losses, tried = _run(base, tmp_path / str(allowed), monkeypatch, allowed)
        except StepError as e:
            assert e.code == "step/out-of-memory" and "with layers recomputed" in e.message
            break
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        # Once recomputed they stay so, and only rows of one sample come to that.
        recomputed = [r for _, r, _ in tried.cuts()]
        assert recomputed == sorted(recomputed) and len(losses) == figures["steps"]
        if figures.get("recomputed"):
            saw_recomputed = True
            assert figures["row_tokens"] == figures["longest_tokens"]
    assert saw_recomputed
