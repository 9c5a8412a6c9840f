"""Backend `unsloth`: Unsloth's kernels (https://unsloth.ai, 2026.10.9) for LoRA on a CUDA GPU; the base in 16 bits.

Written against the source of that release; python/tests/test_unsloth_contract.py compares every call with the signatures in its wheel. It has never been run
on a GPU. docs/decisions/0020-backends.md says what was found in the source, in short: its forward passes drop attention masks in training, and after a cache
they hide nothing of what comes later, so neither form of our shared prefix can be given to them. They have one of their own, made for GRPO (`prefix_seg_info`,
a FlexAttention kernel): a row that holds the shared beginning once and the samples after it, each of which sees the beginning and itself. Rows here are of
that form, so a beginning is computed once a row, not once a step; the gradients are those of `transformers`, to rounding. Only Llama, Mistral, Qwen2 and Qwen3
have these passes. Other models are trained in padded rows, where a causal mask is all that is needed.

Loss, samples, optimiser and checkpoints are ours, as for every backend. Neither the base nor what Unsloth compiles is kept: both go with `scratch`.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forge_steps.backends import Backend, Base, load_plain
from forge_steps.protocol import StepError

if TYPE_CHECKING:
    from forge_steps.prefix import Encoded
    from forge_steps.rows import Row, Weigh

#: Model types of transformers that Unsloth gives forward passes of its own (unsloth/models/loader.py), which know `prefix_seg_info` and `packed_seq_lengths`.
FAST_TYPES = frozenset({"llama", "mistral", "qwen2", "qwen3"})
#: Their linear layers: those that Unsloth has kernels for (`accepted_modules` of unsloth/models/llama.py).
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class Unsloth(Backend):
    name = "unsloth"
    ours = False
    recomputes_late = False
    loads_on_host = True

    def __init__(self) -> None:
        self._checkpointing: str | bool = False
        self._seed = 0
        self._longest = 0

    def check(self) -> None:
        """Also imports Unsloth, which has to come before transformers and PEFT: it changes them."""
        from forge_steps.device import pick_device

        if pick_device().type != "cuda":
            raise StepError("train/no-gpu", "the backend unsloth needs a CUDA GPU; here is none", "Write `train.backend: transformers` or `qlora`.")
        os.environ["UNSLOTH_DISABLE_STATISTICS"] = "1"
        # Else it writes sources of its own making into the folder that this process stands in, and imports from there.
        os.environ["UNSLOTH_COMPILE_LOCATION"] = compiled = tempfile.mkdtemp(prefix="forge-unsloth-")
        atexit.register(shutil.rmtree, compiled, ignore_errors=True)
        import forge_steps.model  # noqa: F401  Tells the libraries that the hub is never asked.

        try:
            import unsloth  # noqa: F401
        except (ImportError, NotImplementedError, RuntimeError) as e:
            raise StepError(
                "step/package-missing",
                f"the backend unsloth cannot be loaded: {e}",
                "Run `forge doctor --fix` with the recipe, or unset MCP_FORGE_UNSLOTH_PYTHON to let forge make the environment.",
            ) from e

    def batching(self, config: Any, wished: str, log: Callable[[str, str], None]) -> str:
        if wished == "padded" or (config.model_type in FAST_TYPES and getattr(config, "sliding_window", None) is None):
            return wished
        why = "whose layers look at a window" if config.model_type in FAST_TYPES else f"of the type {config.model_type}"
        log("warning", f"Unsloth has no `{wished}` rows for a model {why}: it is trained in padded rows, with the same gradients and in more time")
        return "padded"

    def load(self, base: Base, longest: int, recomputed: bool, seed: int, scratch: Path) -> Any:
        import torch
        from unsloth import FastLanguageModel

        from forge_steps.model import load_tokenizer

        # "unsloth" keeps the layers' inputs in the CPU's memory.
        self._checkpointing, self._seed, self._longest = "unsloth" if recomputed else False, seed, longest
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            plain = load_plain(base)
            vocabulary = plain.get_input_embeddings().weight.shape
            plain.save_pretrained(scratch)
            del plain
            load_tokenizer(base.gguf).save_pretrained(scratch)
            model, _ = FastLanguageModel.from_pretrained(
                model_name=str(scratch),
                max_seq_length=longest,
                dtype=base.dtype,
                load_in_4bit=False,
                load_in_16bit=True,
                device_map={"": torch.cuda.current_device()},
                use_gradient_checkpointing=self._checkpointing,
                use_exact_model_name=True,
                fix_tokenizer=False,
                random_state=seed,
                local_files_only=True,
            )
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if model.get_input_embeddings().weight.shape != vocabulary:
            raise StepError("train/unsloth", "Unsloth changed the size of the model's vocabulary", "Use `train.backend: transformers`.")
        return model

    def adapt(self, model: Any, config: Any) -> Any:
        from unsloth import FastLanguageModel

        adapted = FastLanguageModel.get_peft_model(
            model,
            r=config.r,
            target_modules=TARGETS if model.config.model_type in FAST_TYPES else "all-linear",
            lora_alpha=config.lora_alpha,
            lora_dropout=config.lora_dropout,
            bias="none",
            use_gradient_checkpointing=self._checkpointing,
            random_state=self._seed,
            max_seq_length=self._longest,
        )
        FastLanguageModel.for_training(adapted, use_gradient_checkpointing=bool(self._checkpointing))
        return adapted

    def recompute(self, model: Any) -> None:
        """Done when it was loaded."""

    def step_backward(self, *args: Any, **named: Any) -> tuple[float, int]:
        return unsloth_step_backward(*args, **named)


def unsloth_step_backward(
    model: Any,
    samples: Sequence[Encoded],
    prefix: int,
    row_tokens: int,
    on_row: Callable[[int], None] = lambda _: None,
    weigh: Weigh | None = None,
    whole: float | None = None,
    learn: bool = True,
    packed: bool = False,
) -> tuple[float, int]:
    """As `prefix.step_backward`, by Unsloth's forward pass: nothing of the prefix is predicted (`shared_prefix` sees to that), and it is part of every row.

    Kernels that it compiles take 16-bit numbers where the adapter's weights are in float32: all under autocast, as its trainer does it.
    """
    import torch

    from forge_steps.prefix import Encoded, _loss_backward, _parts, weight_of
    from forge_steps.rows import packs, rows

    weigh = weigh if weigh is not None else Encoded.weights
    decoder, head = _parts(model)
    device, dtype = head.weight.device, head.weight.dtype
    if prefix > 0 and any(weigh(samples[0])[:prefix]):
        raise ValueError("something is learned in what all samples share")
    weight = whole if whole is not None else weight_of(samples, prefix, weigh)
    lengths = [len(s.ids) - prefix for s in samples]
    budget = max(1, row_tokens - prefix)
    total, done = 0.0, 0
    for indices in (packs if prefix > 0 or packed else rows)(lengths, budget):
        row, named, skipped = unsloth_row([samples[i] for i in indices], prefix, packed, device, weigh)
        with torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
            hidden = decoder(input_ids=row.ids, use_cache=False, **named).last_hidden_state
        total += _loss_backward(hidden[:, skipped:], _after(row, skipped), head, weight, learn)
        done += len(indices)
        on_row(done)
    return total, sum(sum(s.learn) for s in samples)


def unsloth_row(samples: Sequence[Encoded], prefix: int, packed: bool, device: Any, weigh: Weigh) -> tuple[Row, dict[str, Any], int]:
    """A row, what Unsloth's forward pass is told about it, and how many positions at its beginning predict nothing.

    With a prefix: [prefix, sample, sample, …] in one sequence, positions going on after the prefix in every sample (unsloth/utils/prefix_grouper.py's
    layout for GRPO). `packed`: whole samples one after the other. Else side by side, padded on the right, where causal attention sees no padding.
    """
    import torch

    from forge_steps.rows import Row, make_row

    if prefix == 0 and not packed:
        row = make_row(samples, 0, device, weigh)
        return row, {"position_ids": torch.arange(row.ids.shape[1], device=device).expand(len(samples), -1)}, 0
    own = [make_row([s], prefix, device, weigh) for s in samples]
    widths = [r.ids.shape[1] for r in own]
    begin = torch.tensor([samples[0].ids[:prefix]], dtype=torch.long, device=device)
    nothing = torch.full_like(begin, -100)
    row = Row(
        torch.cat([begin, *(r.ids for r in own)], dim=1),
        torch.cat([nothing, *(r.targets for r in own)], dim=1),
        torch.cat([torch.zeros(begin.shape, device=device), *(r.weights for r in own)], dim=1),
    )
    at = torch.cat([torch.arange(prefix), *(torch.arange(prefix, prefix + width) for width in widths)])[None].to(device)
    if prefix == 0:
        return row, {"position_ids": at, "packed_seq_lengths": torch.tensor(widths, dtype=torch.int32, device=device)}, 0
    from unsloth.utils.prefix_grouper_kernel import build_seg_info_multigroup

    segments, _ = build_seg_info_multigroup([(prefix, widths)], device)
    return row, {"position_ids": at, "prefix_seg_info": segments}, prefix


def _after(row: Row, skipped: int) -> Row:
    from forge_steps.rows import Row

    return row if skipped == 0 else Row(row.ids[:, skipped:], row.targets[:, skipped:], row.weights[:, skipped:])
