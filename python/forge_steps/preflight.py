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

from forge_steps.device import free_memory
from forge_steps.prefix import LOGITS_AT_ONCE
from forge_steps.protocol import StepError

#: Bytes of an adapter's weight while it trains: the true one, its gradient and AdamW's two moments in float32, and the model's own in two bytes.
ADAPTER_BYTES = 4 * 4 + 2
#: Python, PyTorch and the tokenizer, on a CPU; what a GPU's runtime takes in it (CUDA's context; Metal's was not measured).
PROCESS_BYTES = {"cpu": 450_000_000, "cuda": 500_000_000, "mps": 500_000_000}
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

    @property
    def largest(self) -> int:
        """Those of the largest matrix."""
        return self.hidden * max(self.vocabulary, self.intermediate, self.query)

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
    loaded_on_host: bool = False,
) -> Needs:
    """`bytes_each`: of a number in the precision that trains; `bytes_a_weight`: of a weight of a linear layer, where that is another; `longest`: tokens of the
    longest sample; `rank_below`: of a head start, which is saved with the adapter; `recomputed`: whether layers keep their inputs alone (gradient checkpointing); `checkpoints`: how many lie on the disk, one that is
    being written not counted; `best`: whether each holds the best adapter too; `processes`: how many train, each with a model of its own; `loaded_on_host`:
    whether the CPU's memory holds the whole model before a GPU has it. src/models/training-memory.ts says the same before a step starts; a table of cases keeps the
    two together (tests/models/fixtures/training-memory.json)."""
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
    # One tensor after the other is written out in float32, once more while it is computed (weights.py); what is loaded to a GPU at once never lies here whole.
    whole = shape.parameters * bytes_each if device == "cpu" or loaded_on_host else 0
    loading = PROCESS_BYTES["cpu"] + whole + 2 * 4 * shape.largest + (linear if written and device == "cpu" else 0)
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


def smallest_side(config: Any) -> int:
    """Rows or columns of the smallest matrix that an adapter lies on: no update of it has a higher rank."""
    shape = Shape.of(config)
    return min(shape.hidden, shape.intermediate, shape.query, shape.key)


def largest_row(batch: Sequence[Any], beginning: int, batching: str) -> int:
    """Tokens of the row or pass that holds a whole batch: the largest that `row_tokens` could ever allow it."""
    if batching == "padded":
        return len(batch) * max(len(s.ids) for s in batch)
    return step_tokens([batch], [beginning if batching == "shared_prefix" else 0])


@dataclass(frozen=True)
class Machine:
    """What there is, in bytes; None where it cannot be told."""

    #: Of the CPU, or of the control group: all of it, and what is free now.
    memory: int | None
    free: int | None
    #: Of the GPU that trains: free now.
    gpu: int | None
    disk: int | None
    #: Where the disk was looked at.
    folder: Path | None = None


def look(device: str, folder: Path) -> Machine:
    """This machine; `folder` is where checkpoints go (it need not be there yet)."""
    total, free = available()
    gpu = free_memory(device)
    if device == "mps" and free is not None and gpu is not None:
        gpu = min(gpu, free)  # It is the same memory.
    at = folder
    while not at.exists() and at != at.parent:
        at = at.parent
    try:
        disk: int | None = shutil.disk_usage(at).free
    except OSError:
        disk = None
    return Machine(total, free, gpu, disk, folder)


def available(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> tuple[int | None, int | None]:
    """All memory and free memory, in bytes: the machine's, or that of this process's control groups (of its own and of those above it; version 2, then 1)
    where it is less. Files that lie in memory (the page cache) are free: the system gives them up when it is asked for more. src/platform/memory-limits.ts is
    the same for what forge says before a step starts."""
    total = free = None
    try:
        lines = (proc / "meminfo").read_text("ascii").splitlines()
        found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.split()[1:]}
        total, free = found.get("MemTotal"), found.get("MemAvailable")
    except (OSError, ValueError, IndexError):
        try:
            total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (OSError, ValueError):
            pass
    for limit, used in _limits(proc, cgroup):
        total = limit if total is None else min(total, limit)
        free = max(0, limit - used) if free is None else min(free, max(0, limit - used))
    return total, free


#: Limits from here on are version 1's number for none, which no machine has.
_NO_LIMIT = 2**62


def _limits(proc: Path, cgroup: Path) -> list[tuple[int, int]]:
    """Limit and use of each control group that this process's memory counts in and that has a limit. The kernel counts files in memory as used, and gives them
    up before it kills anything: what its memory.stat has of them on its lists (those of the groups below it too; version 1 calls that `total_…`) is taken off."""
    try:
        own = [line.split(":", 2) for line in (proc / "self/cgroup").read_text("utf-8").splitlines()]
    except OSError:
        own = []
    second = next((line[2] for line in own if line[0] == "0" and len(line) == 3), "/")
    first = next((line[2] for line in own if len(line) == 3 and "memory" in line[1].split(",")), "/")
    for root, path, limit_file, used_file, total in (
        (cgroup, second, "memory.max", "memory.current", ""),
        (cgroup / "memory", first, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    ):
        parts = [part for part in path.split("/") if part not in ("", "..")]
        found, there = [], False
        for n in range(len(parts), -1, -1):
            folder = root.joinpath(*parts[:n])
            # In a container the path may be the host's, and its own group is the root that it sees: a folder that is not there is passed over.
            there = there or (folder / used_file).exists() or (folder / limit_file).exists()
            try:
                limit = int((folder / limit_file).read_text("ascii"))
                used = int((folder / used_file).read_text("ascii"))
                found.append((limit, max(0, used - _files_in_memory(folder / "memory.stat", total))))
            except (OSError, ValueError):
                continue  # Not there, or `max`.
        if there:
            return [(limit, used) for limit, used in found if limit < _NO_LIMIT]
    return []


def _files_in_memory(stat: Path, total: str) -> int:
    """Bytes of the page cache by a control group's memory.stat, `total` before its keys; 0 where it cannot be read."""
    try:
        lines = [line.split() for line in stat.read_text("ascii").splitlines()]
        return sum(int(line[1]) for line in lines if line and line[0] in (f"{total}inactive_file", f"{total}active_file"))
    except (OSError, ValueError, IndexError):
        return 0


def check(needs: Needs, machine: Machine, device: str) -> list[str]:
    """Raises StepError for what plainly cannot be had; gives warnings for what may not."""
    disk = needs.disk + needs.later
    if machine.disk is not None and disk > machine.disk:
        at = "" if machine.folder is None else f" at {machine.folder}"
        raise StepError(
            "step/no-space",
            f"training and the export after it need about {gb(disk)} of disk ({gb(needs.disk)} for checkpoints and the adapter, {gb(needs.later)} for the model files); "
            f"{gb(machine.disk)} are free{at}",
            "Free some disk space (`forge gc` removes what nothing names any more), or lower `train.save_total_limit` or `train.rank`.",
        )
    where, has = ("the GPU", machine.gpu) if device != "cpu" else ("this machine", machine.memory)
    least = needs.least if device != "cpu" else max(needs.loading, needs.least)
    if device != "cpu" and machine.memory is not None and needs.loading > machine.memory:
        raise StepError(
            "step/out-of-memory",
            f"loading the model to the GPU needs about {gb(needs.loading)} of the machine's memory, and there are {gb(machine.memory)}",
            "Use a smaller family, fewer GPUs, or a machine (a container) with more memory.",
        )
    if has is not None and least > has:
        raise StepError(
            "step/out-of-memory",
            f"training needs about {gb(least)} of memory even with one sample a row; {where} has {gb(has)}{' free' if device != 'cpu' else ''}",
            f"{'Let fewer processes train (`train.processes`), use' if needs.processes > 1 and device == 'cpu' else 'Use'} a smaller family, fewer or shorter tools, a lower `train.rank`, or `train.gradient_checkpointing: true`.",
        )
    free = machine.gpu if device != "cpu" else machine.free
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
