"""Before the weights are loaded: what a training will need of memory, disk and time, in figures, and whether it can be had at all.

Memory is counted from the model's configuration, for what the backward pass of `lean.py` keeps: of each layer and token the norms' inputs and results,
queries, keys, values and what attention gives, and of the MLP its two branches and their product (docs/training.md has the estimates beside what
was measured). What is refused is only what plainly cannot be: one sample a row is more than all of the memory, or the files are more than
the disk has free. Less than that is told, and training cuts its rows smaller by itself where it has to.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forge_steps.prefix import LOGITS_AT_ONCE
from forge_steps.protocol import StepError

#: Bytes of an adapter's weight while it trains: the true one, its gradient and AdamW's two moments in float32, and the model's own in two bytes.
ADAPTER_BYTES = 4 * 4 + 2
#: Python, PyTorch and the tokenizer, on a CPU and on a GPU (CUDA's context).
PROCESS_BYTES = {"cpu": 450_000_000, "cuda": 500_000_000}
#: Floating-point operations a token and parameter of LoRA's forward and backward pass: two each way, and no gradient of the base's weights.
OPERATIONS = 4
#: Share of a plain matrix product's speed that training reaches.
EFFICIENCY = 0.5


@dataclass(frozen=True)
class Shape:
    """What of a model's configuration decides its memory."""

    hidden: int
    intermediate: int
    layers: int
    query: int
    key: int
    vocabulary: int
    tied: bool

    @staticmethod
    def of(config: Any) -> Shape:
        heads = config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // heads
        keys = getattr(config, "num_key_value_heads", None) or heads
        return Shape(config.hidden_size, config.intermediate_size, config.num_hidden_layers, heads * width, keys * width, config.vocab_size, bool(config.tie_word_embeddings))

    @property
    def parameters(self) -> int:
        """Of the model; biases and norms are not counted."""
        return self.linear + self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def linear(self) -> int:
        """Those of the layers' matrices, which is all but embeddings and head."""
        return self.layers * (2 * self.hidden * self.query + 2 * self.hidden * self.key + 3 * self.hidden * self.intermediate)

    def adapter(self, rank: int) -> int:
        """Parameters of an adapter on every linear layer but the head."""
        return self.layers * rank * (2 * (self.hidden + self.query) + 2 * (self.hidden + self.key) + 3 * (self.hidden + self.intermediate))

    def kept_a_token(self) -> int:
        """Numbers that a layer keeps of a token for its backward pass: both norms' inputs and results and the residual; queries before and after they
        are turned, what attention gives; keys and values so; the MLP's two branches and their product."""
        return 5 * self.hidden + 3 * self.query + 3 * self.key + 3 * self.intermediate


@dataclass(frozen=True)
class Needs:
    """Bytes that a training takes, and tokens that go through the model."""

    #: While the weights are loaded (one process after the other; all at once), and while it trains: with rows as the recipe has them, and with one sample a
    #: row. Of several processes on a CPU together, on GPUs of each.
    loading: int
    loading_at_once: int
    training: int
    least: int
    #: Checkpoints and adapter; and what the stages after it write.
    disk: int
    later: int
    tokens: int
    parameters: int
    processes: int


def estimate(
    shape: Shape,
    *,
    rank: int,
    row_tokens: int,
    longest: int,
    tokens: int,
    bytes_each: int,
    device: str,
    rank_below: int = 0,
    recomputed: bool = False,
    checkpoints: int = 2,
    best: bool = False,
    later: int = 0,
    bytes_a_weight: float | None = None,
    processes: int = 1,
) -> Needs:
    """`bytes_each`: of a number in the precision that trains; `bytes_a_weight`: of a weight of a linear layer, where that is another; `longest`: tokens of the
    longest sample; `rank_below`: of a head start, which is saved with the adapter; `recomputed`: whether layers keep their inputs alone (gradient checkpointing); `checkpoints`: how many lie on the disk, one that is
    being written not counted; `best`: whether each holds the best adapter too; `processes`: how many train, each with a model of its own."""
    adapter = shape.adapter(rank)
    beside = processes if device == "cpu" else 1
    linear = round(shape.linear * (bytes_each if bytes_a_weight is None else bytes_a_weight))
    # In fewer bits a matrix is written out while its layer computes.
    written = 0 if bytes_a_weight in (None, bytes_each) else shape.hidden * max(shape.intermediate, shape.query) * bytes_each
    weights = linear + (shape.parameters - shape.linear) * bytes_each
    fixed = PROCESS_BYTES[device] + weights + written + adapter * ADAPTER_BYTES + 3 * LOGITS_AT_ONCE * shape.vocabulary * 4
    layer = shape.kept_a_token()
    # Recomputed, one layer at a time keeps everything, the others what they are given.
    a_token = bytes_each * (layer * shape.layers if not recomputed else layer + shape.hidden * shape.layers)
    state = adapter * 4 * (3 + best)
    # A GGUF's tensors are written out in float32, on the CPU, before they become what trains; a model in fewer bits is compared with one so when it is done.
    loading = PROCESS_BYTES["cpu"] + 4 * shape.parameters + (linear if written else 0)
    return Needs(
        loading=loading + (beside - 1) * (PROCESS_BYTES["cpu"] + weights),
        loading_at_once=processes * loading,
        training=beside * (fixed + a_token * max(row_tokens, longest)),
        least=beside * (fixed + a_token * longest),
        disk=state * (checkpoints + 1) + 4 * (adapter + shape.adapter(rank_below)),
        later=later,
        tokens=tokens,
        parameters=shape.parameters,
        processes=processes,
    )


def step_tokens(batches: Sequence[Sequence[Any]], beginnings: Sequence[int]) -> int:
    """Tokens of a step that go through the model: each batch's beginning once, and what follows it in every sample."""
    return sum(begin + sum(len(s.ids) - begin for s in batch) for batch, begin in zip(batches, beginnings, strict=True))


@dataclass(frozen=True)
class Machine:
    """What there is, in bytes; None where it cannot be told."""

    #: Of the CPU, or of the control group: all of it, and what is free now.
    memory: int | None
    free: int | None
    #: Of the GPU that trains: free now.
    gpu: int | None
    disk: int | None


def look(device: str, folder: Path) -> Machine:
    """This machine; `folder` is where checkpoints go (it need not be there yet)."""
    total, free = _memory()
    gpu = None
    if device == "cuda":
        import torch

        gpu = int(torch.cuda.mem_get_info()[0])
    at = folder
    while not at.exists() and at != at.parent:
        at = at.parent
    try:
        disk: int | None = shutil.disk_usage(at).free
    except OSError:
        disk = None
    return Machine(total, free, gpu, disk)


def _memory() -> tuple[int | None, int | None]:
    """All memory and free memory of this process's control group (v2, then v1), or of the machine where that is less."""
    total = free = None
    try:
        found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in Path("/proc/meminfo").read_text("ascii").splitlines() if line.split()[1:]}
        total, free = found.get("MemTotal"), found.get("MemAvailable")
    except (OSError, ValueError, IndexError):
        try:
            total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (OSError, ValueError):
            pass
    for limit_file, used_file in (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")):
        try:
            limit = int(Path("/sys/fs/cgroup", limit_file).read_text("ascii"))
            used = int(Path("/sys/fs/cgroup", used_file).read_text("ascii"))
        except (OSError, ValueError):
            continue
        if total is None or limit < total:
            total, free = limit, min(free if free is not None else limit, max(0, limit - used))
        break
    return total, free


def check(needs: Needs, machine: Machine, device: str) -> list[str]:
    """Raises StepError for what plainly cannot be had; gives warnings for what may not."""
    disk = needs.disk + needs.later
    if machine.disk is not None and disk > machine.disk:
        raise StepError(
            "step/no-space",
            f"training and the export after it need about {gb(disk)} of disk ({gb(needs.disk)} for checkpoints and the adapter, {gb(needs.later)} for the model files); {gb(machine.disk)} are free",
            "Free some disk space (`forge gc` removes what nothing names any more), or lower `train.save_total_limit` or `train.rank`.",
        )
    where, has = ("the GPU", machine.gpu) if device == "cuda" else ("this machine", machine.memory)
    least = needs.least if device == "cuda" else max(needs.loading, needs.least)
    if has is not None and least > has:
        raise StepError(
            "step/out-of-memory",
            f"training needs about {gb(least)} of memory even with one sample a row; {where} has {gb(has)}{' free' if device == 'cuda' else ''}",
            f"{'Let fewer processes train (`train.processes`), use' if needs.processes > 1 and device == 'cpu' else 'Use'} a smaller family, fewer or shorter tools, a lower `train.rank`, or `train.gradient_checkpointing: true`.",
        )
    free = machine.gpu if device == "cuda" else machine.free
    if free is not None and needs.training > free:
        return [f"training may need {gb(needs.training)} of memory, and {gb(free)} are free: rows are cut smaller where it does not suffice (`train.row_tokens` lowers it from the start)"]
    return []


def seconds(needs: Needs, operations_a_second: float) -> float:
    """How long training may take where matrix products run at that speed."""
    return OPERATIONS * needs.parameters * needs.tokens / (EFFICIENCY * operations_a_second)


def matrix_speed(device: Any, dtype: Any) -> float:
    """Floating-point operations a second of a matrix product of a small model's size, over some 30 ms."""
    import time

    import torch

    a, b = (torch.ones((512, 512), dtype=dtype, device=device) for _ in range(2))
    done, started = 0, 0.0
    for round in range(1000):
        if round == 2:  # The first ones prepare.
            started = time.monotonic()
        (a @ b)[0, 0].item()
        done = round - 1
        if round > 2 and time.monotonic() - started > 0.03:
            break
    return done * 2 * 512**3 / max(1e-9, time.monotonic() - started)


def gb(count: float) -> str:
    """Bytes in words, as forge's messages have them: decimal units."""
    return f"{count / 1e9:.1f} GB" if count >= 0.95e9 else f"{count / 1e6:.0f} MB"
