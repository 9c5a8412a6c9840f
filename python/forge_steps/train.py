"""Step `train`: LoRA fine-tuning of the base model on rendered samples.

Spec: `{v: 1, base: {gguf, sha256}, family, rows: rendered.jsonl ({id, segments: [{text, learn, thought?}], group?}), hyper: {rank, alpha,
dropout, learning_rate, epochs, samples_per_step, warmup_steps, max_tokens, batching, row_tokens, weight_decay}, seed,
output: folder for the adapter, checkpoints: folder, checkpoint_seconds?, checkpoint_steps?, checkpoints_kept?, head_start?: {adapter: PEFT folder, sha256},
start?: PEFT folder, thinking?: {open, close, add?}, evaluation?: {rows, steps?, patience?}, curve?: file, gradient_checkpointing?: on | off | auto,
later_bytes?, limits?: {memory, free, gpu, disk}, backend?: transformers | qlora | unsloth, gpus?: so many | all, processes?, killed?: how often}`.

All samples share one beginning, the recipe's tools. Where there are several (toolsets, or orders of one's tools), `group` names a
sample's: the samples of a group stay together in a step and share theirs.

Guarantees: an optimiser step is always `samples_per_step` samples (the last group makes it a few more), whatever memory there is; the loss is the mean over
all learned tokens of a step; the order of the samples, and so the run, follows from the seed alone. On SIGTERM the last
finished optimiser step is saved within seconds, and a later run with the same spec goes on from it. Where memory does not suffice, a step is done
again in smaller rows, with the same gradients; where the system killed the process for it, whoever started it does so once more with `killed`, and training
goes on from its last checkpoint in smaller rows (memory_cut.py). The adapter appears
in `output` whole, in PEFT's own form, in float32, for the base as it is: a head start is part of it (see head_start.py).
`start` is an adapter of the same rank and alpha whose weights are the first ones, where an earlier training is to go on with other rows. `thinking` names the
texts around a thought, of a family that thinks: each has to be one token, before anything is learned. With `add` they were added to the base's vocabulary when
it was converted (new_tokens.py): nothing has taught their rows of it, which are trained with the adapter, saved in it and merged with it (token_rows.py).

`evaluation` names samples that are not learned from (`rows`, of the same form): their loss is measured every `steps` optimiser steps (by default ten times)
and after the last one. With `patience` training stops after so many evaluations without a better one, and the adapter that is saved is the one of
the best. Checkpoints are saved every `checkpoint_steps`, or where that is not given every `checkpoint_seconds`; `checkpoints_kept` of them stay. `curve` is where the
learning curve is told (learning_curve.py). What training needs is estimated before the weights are loaded (preflight.py): `later_bytes` is what the
stages after it write, and `limits`, in bytes, stands for what the machine has. `backend` is what trains (backends.py).

`gpus` processes train together, each on a GPU (`all`: as many as there are); on a CPU it is `processes` (default 1), which share the cores. Each computes its
share of every step (deal.py), and all make the same update (team.py): the steps, the losses and the adapter are those of one process, but for the order in which
sums are rounded (and the masks of dropout, where there is any). A checkpoint says nothing of how many there were. The first process alone reports and saves.
"""

from __future__ import annotations

import errno
import json
import math
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from forge_steps.backends import Backend, Base, backend_of
from forge_steps.deal import deal
from forge_steps.evaluation import Evaluations
from forge_steps.learning_curve import LearningCurve
from forge_steps.memory_cut import Memory, out_of_memory
from forge_steps.protocol import Spec, Step, StepError, Stopped
from forge_steps.ranks import RankLost, gather
from forge_steps.team import Team

#: Gradients longer than this are scaled down, as the common trainers do (transformers' `max_grad_norm`).
MAX_GRAD_NORM = 1.0
#: Seconds between checkpoints; one takes about 0.2 s.
CHECKPOINT_SECONDS = 60.0
#: How those say it that raise no OutOfMemoryError, in lower case: the runtimes of CUDA, ROCm and Metal; PyTorch's allocator on the CPU (c10/core/impl/alloc_cpu.cpp), on
#: Windows too; cuBLAS and cuDNN, which allocate for themselves (and hipBLAS).
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory: you tried to allocate", "_status_alloc_failed")
#: Steps over which the final loss is averaged.
FINAL_STEPS = 3


@dataclass(frozen=True)
class Hyper:
    """The spec's `hyper`, checked. Every value is decided by the caller; there are no defaults here."""

    rank: int
    alpha: float
    dropout: float
    learning_rate: float
    epochs: float
    samples_per_step: int
    warmup_steps: int
    max_tokens: int
    batching: str
    row_tokens: int
    weight_decay: float

    @staticmethod
    def read(spec: Spec) -> Hyper:
        return Hyper(
            rank=spec.integer("rank", minimum=1),
            alpha=spec.number("alpha", minimum=0),
            dropout=spec.number("dropout", minimum=0),
            learning_rate=spec.number("learning_rate", minimum=0),
            epochs=spec.number("epochs", minimum=0),
            samples_per_step=spec.integer("samples_per_step", minimum=1),
            warmup_steps=spec.integer("warmup_steps", minimum=0),
            max_tokens=spec.integer("max_tokens", minimum=1),
            batching=spec.text("batching", choices=("shared_prefix", "packed", "padded")),
            row_tokens=spec.integer("row_tokens", minimum=1),
            weight_decay=spec.number("weight_decay", minimum=0),
        )


class Schedule:
    """Which samples each optimiser step takes, and at what learning rate. Decided by the seed alone.

    Epochs are shuffles of the samples, one after the other; a step takes the next `samples_per_step` of that stream. The
    last step is filled from the next shuffle, so that no step is smaller and noisier than the others. With groups it is
    groups that are shuffled, and a step takes whole ones until it has so many samples.
    """

    def __init__(self, samples: int, hyper: Hyper, seed: int, groups: list[list[int]] | None = None) -> None:
        self._hyper = hyper
        size = min(hyper.samples_per_step, samples)
        together = groups if groups is not None else [[i] for i in range(samples)]
        wanted = max(1, math.ceil(round(samples * hyper.epochs) / size)) * size
        self._batches: list[list[list[int]]] = []
        self._ends: list[int] = []
        seen, epoch, step = 0, 0, []
        while seen < wanted:
            shuffled = list(together)
            random.Random(f"{seed}/{epoch}").shuffle(shuffled)
            epoch += 1
            for group in shuffled:
                step.append(group)
                if sum(map(len, step)) >= size:
                    seen += sum(map(len, step))
                    self._batches.append(step if groups is not None else [[i for [i] in step]])
                    self._ends.append(seen)
                    step = []
                    if seen >= wanted:
                        break
        self.steps = len(self._batches)
        #: Steps of warm-up, a third of all at most.
        self.warmup = min(hyper.warmup_steps, self.steps // 3)

    def batches(self, step: int) -> list[list[int]]:
        """Indices of the samples of a step, counted from 0: a list for each common beginning."""
        return self._batches[step]

    def samples(self, step: int) -> list[int]:
        """The same in one list."""
        return [i for batch in self._batches[step] for i in batch]

    def seen(self, step: int) -> int:
        """How many samples the steps before this one take."""
        return self._ends[step - 1] if step > 0 else 0

    def learning_rate(self, step: int) -> float:
        """Linear from zero to the peak over the warm-up, then linear to zero after the last step.

        A warm-up longer than a third of the run is cut to that (`warmup`): the recipe's number is meant for long runs.
        """
        warmup = self.warmup
        if step < warmup:
            return self._hyper.learning_rate * (step + 1) / (warmup + 1)
        return self._hyper.learning_rate * (self.steps - step) / max(1, self.steps - warmup)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rendered samples; complains about the first line that is none."""
    rows: list[dict[str, Any]] = []
    with path.open(encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                good = isinstance(row["id"], str) and isinstance(row.get("group", ""), str) and all(isinstance(s["text"], str) and isinstance(s["learn"], bool) for s in row["segments"])
            except (ValueError, KeyError, TypeError):
                good = False
            if not good:
                raise StepError("train/rows", f"line {number} of {path.name} is no rendered sample")
            rows.append(row)
    if not rows:
        raise StepError("train/no-samples", "there are no samples to train on")
    return rows


def groups_of(rows: list[dict[str, Any]]) -> list[list[int]] | None:
    """Indices of the samples by their group, in order of appearance; None where no sample names one."""
    found: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if "group" in row:
            found.setdefault(row["group"], []).append(i)
    if found and sum(map(len, found.values())) != len(rows):
        raise StepError("train/rows", "some samples name a group and others do not")
    return list(found.values()) or None


def encode_rows(tokenizer: Any, rows: list[dict[str, Any]], window: int, step: Step) -> list[Any]:
    """All samples as tokens; fails when one has nothing to learn or does not fit the model's window (nothing is ever cut)."""
    from forge_steps.prefix import encode

    samples = []
    for row in rows:
        sample = encode(tokenizer, row["id"], row["segments"])
        if not any(sample.learn):
            raise StepError("train/nothing-to-learn", f"sample {sample.id} has no answer to learn from")
        if len(sample.ids) > window:
            raise StepError(
                "train/too-long",
                f"sample {sample.id} has {len(sample.ids)} tokens, more than the model's window of {window}",
                "Use fewer or shorter tools, or a family with a longer context.",
            )
        samples.append(sample)
    step.check()
    return samples


def thinking_ids(tokenizer: Any, words: tuple[str, str]) -> list[int]:
    """Ids of the texts around a thought. A text of several tokens is none that the model knows as such: it would be learned letter by letter, and other
    programs would not find it. No token is added here: what a family has added is in its base."""
    ids = []
    for word in words:
        found = tokenizer(word, add_special_tokens=False)["input_ids"]
        if len(found) != 1:
            raise StepError(
                "train/thinking-tokens",
                f"the model's vocabulary has no token {word}: it reads that as {len(found)}, and a thought cannot be told by it",
                "Describe the model anew (`forge models add`): with --thinking, which has it added where the vocabulary takes more tokens, or without, and it thinks no more.",
            )
        ids.append(int(found[0]))
    return ids


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: Python's own, PyTorch's, and what reaches PyTorch as a plain RuntimeError (or AcceleratorError) and is told by
    its text alone (`_OUT_OF_MEMORY`)."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or any(text in said for text in _OUT_OF_MEMORY)


def added_tokens(spec: Spec, ids: list[int], backend: Backend) -> list[int]:
    """Of the texts around a thought, by their ids, those that were added to the base's vocabulary: both or none. Raises StepError where nothing can train them."""
    if not spec.object("thinking").has("add"):
        return []
    if not backend.ours:
        raise StepError(
            "train/thinking-tokens",
            f"the backend {backend.name} does not train the rows of tokens that were added to the vocabulary",
            "Write `train.backend: transformers`, or qlora; or use a base whose vocabulary has the tokens.",
        )
    if spec.has("head_start"):
        raise StepError("train/head-start", "a head start knows nothing of tokens that were added to the vocabulary", "Write `head_start: false` under `model`.")
    return ids


def _start_of(spec: Spec, hyper: Hyper, tokens: list[int]) -> Path | None:
    """The spec's `start`, checked against the adapter that is to go on from it, which trains the rows of `tokens` too."""
    from forge_steps.head_start import read_adapter
    from forge_steps.token_rows import ids_of

    if not spec.has("start"):
        return None
    folder = spec.path("start", exists=True)
    config = read_adapter(folder)[1]
    if (config["r"], config["lora_alpha"]) != (hyper.rank, hyper.alpha):
        raise StepError(
            "train/start",
            f"the adapter in {folder.name} has rank {config['r']} and alpha {config['lora_alpha']}, this training {hyper.rank} and {hyper.alpha}",
            "Go on from an adapter of the same rank and alpha.",
        )
    if ids_of(config) != sorted(tokens):
        raise StepError("train/start", f"the adapter in {folder.name} holds rows of other tokens than this training", "Go on from an adapter of the same base model.")
    return folder


def run(step: Step) -> dict[str, Any]:
    """Trains, in as many processes as the spec asks for; figures as `train` has them."""
    with gather(step) as team:
        return train(step, team)


def train(step: Step, team: Team) -> dict[str, Any]:
    """One process's part of a training. Figures, of the first one: `final_loss`, `first_loss`, `examples` seen, `steps`, `epochs`, `seconds`, `examples_per_second`,
    `peak_memory_bytes`, `prefix_tokens`, `learned_tokens`, `longest_tokens`, `precision`, `resumed_from`; with an evaluation `eval_loss` (of the adapter
    that is saved), `eval_examples`, and with patience `best_step` and `stopped_early`; `backend` where it is not transformers, and of qlora what merging
    changes (merging.py); `row_tokens` where memory made rows smaller than the recipe has them, `recomputed` where it had layers computed once more, `killed` where the system killed
    training so often; `processes` where there are several: `peak_memory_bytes` and `peak_gpu_memory_bytes` are then of the one that took most."""
    spec = step.spec
    hyper = Hyper.read(spec.object("hyper"))
    backend = backend_of(spec)
    seed = spec.integer("seed")
    rows = read_rows(spec.path("rows", exists=True))
    evaluation = spec.object("evaluation") if spec.has("evaluation") else None
    held_rows = read_rows(evaluation.path("rows", exists=True)) if evaluation is not None else None
    output, checkpoints = spec.path("output"), spec.path("checkpoints")
    save_every = spec.integer("checkpoint_steps", minimum=1) if spec.has("checkpoint_steps") else None
    save_seconds = spec.number("checkpoint_seconds", CHECKPOINT_SECONDS, minimum=0)
    step.progress(0, 0, "examples", message="loading the base model")

    from forge_steps.model import base_file, pick_device, pick_dtype, usable_cores

    backend.check()
    # The bytes are compared with the digest once.
    gguf = base_file(spec.object("base")) if team.first else spec.object("base").path("gguf", exists=True)

    import torch

    from forge_steps.adapter import Trainee
    from forge_steps.attention import fall_back, install, may_fall_back
    from forge_steps.checkpoint import KEPT, Checkpoints, digest_of
    from forge_steps.gguf_once import read_once
    from forge_steps.device import begin_count, give_back, most_held, random_states, set_random_states
    from forge_steps.head_start import head_start_folder
    from forge_steps.heap import Heap
    from forge_steps.model import load_config, load_tokenizer, peak_memory_bytes
    from forge_steps.decisions import Work, decide
    from forge_steps.preflight import largest_row, smallest_side, step_tokens
    from forge_steps.prefix import held_out_loss, shared_prefix, threads_of, weight_of
    from forge_steps.shared_attention import forget_scratch

    cores = max(1, usable_cores() // team.size)
    torch.set_num_threads(cores)
    below = head_start_folder(spec.object("head_start")) if spec.has("head_start") else None
    kept = spec.integer("checkpoints_kept", KEPT, minimum=1)
    device = pick_device(team.size)
    if device.type == "cuda":
        torch.cuda.set_device(team.rank)
    dtype = pick_dtype(device)
    tokens: list[int] = []
    with read_once():
        tokenizer = load_tokenizer(gguf)
        if spec.has("thinking"):
            thinking = spec.object("thinking")
            tokens = added_tokens(spec, thinking_ids(tokenizer, (thinking.text("open"), thinking.text("close"))), backend)
        config = load_config(gguf)
        hyper = replace(hyper, batching=backend.batching(config, hyper.batching, step.log))
        samples = encode_rows(tokenizer, rows, config.max_position_embeddings, step)
        held_out = encode_rows(tokenizer, held_rows, config.max_position_embeddings, step) if held_rows is not None else []
        longest = max(len(s.ids) for s in samples + held_out)
        if longest > hyper.max_tokens:
            step.log("info", f"the longest sample has {longest} tokens; `max_tokens` is raised from {hyper.max_tokens} to that")
        groups = groups_of(rows)
        schedule = Schedule(len(samples), hyper, seed, groups)
        if schedule.warmup < hyper.warmup_steps:
            step.log("info", f"`warmup_steps` is cut from {hyper.warmup_steps} to {schedule.warmup}: a third of the {plural(schedule.steps, 'step')} there are")
        if hyper.samples_per_step > len(samples):
            step.log("info", f"a step takes all {len(samples)} examples there are: `train.batch` x `train.accumulation` is {hyper.samples_per_step}")
        if hyper.rank > (most := smallest_side(config)):
            step.log("warning", f"`train.rank` is {hyper.rank}, and the smallest side of the model's matrices {most}: a rank above that takes memory and time, and can learn no more")
        # Without groups all samples have one beginning: looked for once, not in each step's few.
        prefix = shared_prefix(samples) if hyper.batching == "shared_prefix" and groups is None else 0
        held_prefix = shared_prefix(held_out) if hyper.batching == "shared_prefix" else 0

        def beginning(batch: list[Any]) -> int:
            return shared_prefix(batch) if hyper.batching == "shared_prefix" and groups is not None else prefix

        def batches_of(position: int) -> list[list[Any]]:
            return [[samples[i] for i in batch] for batch in schedule.batches(position)]

        tokens_of = [step_tokens(batches, [beginning(b) for b in batches]) for batches in map(batches_of, range(schedule.steps))]
        largest = max(largest_row(batch, beginning(batch), hyper.batching) for at in range(schedule.steps) for batch in batches_of(at))
        digest = digest_of(spec.raw(), rows, held_rows)
        memory = Memory(checkpoints, digest, hyper.row_tokens)
        work = Work(config, hyper.rank, sum(tokens_of), longest, largest, kept, device, dtype, backend)
        decided = decide(step, work, hyper.row_tokens, memory, team)
        cut = decided.cut
        room = checkpoints.with_name(f".{backend.name}-base{team.rank or ''}")
        model = team.in_turn(decided.in_turn, lambda: backend.load(Base(gguf, below, config, dtype, device), longest, cut.recomputed, seed, room))
    step.check()

    torch.manual_seed(seed)
    if backend.ours:
        install(model, step.log)
    if device.type == "cpu":
        torch.set_num_threads(threads_of(model.num_parameters(), cores))
    trainee = Trainee(model, hyper.rank, hyper.alpha, hyper.dropout, hyper.weight_decay, team.check, start=_start_of(spec, hyper, tokens), backend=backend, tokens=tokens)
    if cut.recomputed:
        backend.recompute(trainee.model)

    store = Checkpoints(checkpoints, digest, kept)
    state = store.load()
    for path in store.damaged:
        step.log("warning", f"the checkpoint {path} cannot be read: it is damaged, and passed over for {'the one before' if state is not None else 'none, as there is no other: training begins anew'}")
    position, losses, seconds_before = 0, [], 0.0
    packed = hyper.batching == "packed"
    may_recompute = backend.recomputes_late and spec.text("gradient_checkpointing", "auto") != "off"
    patience = evaluation.integer("patience", minimum=1) if evaluation is not None and evaluation.has("patience") else None
    evaluations = Evaluations(
        schedule.steps, evaluation.integer("steps", minimum=1) if evaluation is not None and evaluation.has("steps") else None, patience
    )
    best_weights: Any = None
    curve = LearningCurve(spec.path("curve") if spec.has("curve") and team.first else None)
    if state is not None:
        trainee.load_state(state["trainee"])
        position, losses, seconds_before = state["position"], state["losses"], state["seconds"]
        set_random_states(state["rng"], device)
        evaluations.losses = [(int(at), loss) for at, loss in state.get("evaluations", [])]
        best_weights = state.get("best")
        step.log("info", f"going on after step {position} of {schedule.steps}")
    # Before anybody writes a checkpoint all have read the same one.
    if len({at for (at,) in team.tell([position])}) > 1:
        raise StepError("train/checkpoint", "the processes that train read different checkpoints", "Run the same command again.")
    if team.size > 1:
        weights = trainee.weights()
        team.hand_out(weights)
        trainee.load_weights(weights)
    curve.begin(state.get("curve") if state is not None else None)
    resumed_from = position
    # Bytes of the GPU's memory, the most over all steps: it is counted anew for each.
    most_on_gpu = 0
    # As the last finished step left it: what half a step drew is drawn again.
    random_state = random_states(device)
    # Whether an update has begun and is not finished: then the weights are of no step.
    halfway = False

    total = schedule.seen(schedule.steps)
    started = saved_at = time.monotonic()
    rate_from = schedule.seen(position)

    def seconds_so_far() -> float:
        return seconds_before + time.monotonic() - started

    def save() -> None:
        """A checkpoint; one that cannot be written costs no more than it could have saved."""
        if not team.first:
            return
        content = {
            "trainee": trainee.state(),
            "position": position,
            "losses": losses,
            "seconds": seconds_so_far(),
            "rng": random_state,
            "curve": curve.state(),
            **({"evaluations": evaluations.losses, "best": best_weights} if evaluation is not None else {}),
        }
        try:
            path = store.save(content)
        except OSError as e:
            step.log("warning", f"the checkpoint after step {position} could not be written ({e.strerror}: {e.filename}); an interruption would go back to the one before")
            return
        step.artifact("checkpoint", path)

    def told(in_step: int) -> None:
        done = schedule.seen(position) + in_step
        rate = (done - rate_from) / max(1e-9, time.monotonic() - started)
        step.progress(done, total, "examples", eta_s=round((total - done) / rate, 1) if rate > 0 else None)

    def in_memory(work: Callable[[int], float]) -> float:
        """The sum of what `work` gives in each process with rows of so many tokens; where memory does not suffice it is done again in a smaller cut."""
        nonlocal cut
        while True:
            part, short, failed = 0.0, False, ""
            try:
                part = work(cut.row_tokens)
            except (MemoryError, RuntimeError) as e:
                short = is_out_of_memory(e)
                if not short and not may_fall_back(trainee.model):
                    raise
                failed = "" if short else f"{type(e).__name__}: {e}"
            # All of them or none: where it does not suffice in one process, all do the step again.
            heard = team.tell([part, short, failed != ""])
            if not any(short or failed for _, short, failed in heard):
                return sum(part for part, _, _ in heard)
            # Here what the failed step held is free: the exception is gone, with the frames that it names.
            trainee.drop_gradients()
            set_random_states(random_state, device)
            forget_scratch()
            give_back(device)
            if any(failed for _, _, failed in heard):
                fall_back(trainee.model, failed or "in another process")
                continue
            smaller = cut.smaller(longest, largest, may_recompute)
            if smaller is None:
                if team.first:
                    memory.forget()
                raise out_of_memory(longest, cut.recomputed)
            if smaller.recomputed and not cut.recomputed:
                backend.recompute(trainee.model)
            cut = smaller
            if team.first:
                memory.write(cut, "training", decided.starts)
            which = "" if team.size == 1 else f" in process {1 + [bool(short) for _, short, _ in heard].index(True)} of {team.size}"
            step.log("warning", f"memory does not suffice{which}: the step is done again {cut.words()}")

    def learn(row_tokens: int) -> float:
        # Gradients of several batches add up; the optimiser does not mind their scale (Adam), and their length is cut anyway.
        batches = batches_of(position)
        begins = [beginning(batch) for batch in batches]
        whole = sum(weight_of(batch, begin) for batch, begin in zip(batches, begins, strict=True))
        share = deal([[len(s.ids) for s in batch] for batch in batches], begins, team.size)[team.rank]
        # What the others do at the same time is taken to go as fast.
        scale = sum(map(len, batches)) / max(1, sum(map(len, share)))
        if not team.first:
            # Masks of dropout that no other process draws, the same when the step is done again.
            torch.manual_seed(random.Random(f"{seed}/{position}/{team.rank}").getrandbits(63))
        loss, before = 0.0, 0
        for batch, begin, places in zip(batches, begins, share, strict=True):
            if not places:
                continue
            mine = [batch[i] for i in places]
            part, _ = backend.step_backward(
                trainee.model, mine, begin, row_tokens, lambda n, before=before: told(round(scale * (before + n))), whole=whole, packed=packed
            )
            loss += part
            before += len(mine)
        return loss

    def evaluate() -> None:
        nonlocal best_weights
        whole = weight_of(held_out, held_prefix)
        [places] = deal([[len(s.ids) for s in held_out]], [held_prefix], team.size)[team.rank]
        mine = [held_out[i] for i in places]

        def held(rows: int) -> float:
            if not mine:
                return 0.0
            return held_out_loss(trainee.model, mine, held_prefix, rows, lambda _: told(0), whole=whole, packed=packed, backward=backend.step_backward)

        loss = in_memory(held)
        if not math.isfinite(loss):
            raise _not_finite(f"the loss on held-out samples after step {position}", hyper)
        better = evaluations.add(position, loss)
        if better and patience is not None and team.first:
            best_weights = trainee.weights().cpu()
        curve.evaluated(position, loss)
        step.metric("eval_loss", loss, at=position)

    if team.first:
        memory.write(cut, "training", decided.starts)
    heap = Heap()
    try:
        while True:
            if evaluation is not None and evaluations.due(position):
                evaluate()
            if position >= schedule.steps or evaluations.exhausted:
                break
            began = time.monotonic()
            loss = in_memory(learn)
            rate = schedule.learning_rate(position)
            if math.isfinite(loss):
                team.add_up(trainee.flat_gradients())
            halfway = math.isfinite(loss)
            norm = trainee.step(rate, MAX_GRAD_NORM) if halfway else math.nan
            if not math.isfinite(norm):
                raise _not_finite(f"the loss at step {position + 1} of {schedule.steps}", hyper)
            losses.append(loss)
            position += 1
            heap.after_step()
            random_state = random_states(device)
            halfway = False
            speed = tokens_of[position - 1] / max(1e-9, time.monotonic() - began)
            step.metric("loss", loss, at=position)
            step.metric("learning_rate", rate, at=position)
            step.metric("grad_norm", norm, at=position)
            step.metric("tokens_per_second", round(speed, 1), at=position)
            row = [position, schedule.seen(position), loss, rate, norm, round(speed, 1), round(seconds_so_far(), 3)]
            if device.type != "cpu":
                row.append(most_held(device))
                most_on_gpu = max(most_on_gpu, row[-1])
                begin_count(device)
                step.metric("gpu_memory_bytes", row[-1], at=position)
            curve.step(row)
            due = position % save_every == 0 if save_every is not None else time.monotonic() - saved_at >= save_seconds
            if due and position < schedule.steps:
                save()
                saved_at = time.monotonic()
        peaks = team.tell([peak_memory_bytes(), max(most_on_gpu, most_held(device))])
    except (Stopped, RankLost):
        # What the interrupted optimiser step had computed is dropped; the adapter still is what the last finished one left.
        save()
        raise
    except Exception:
        # So it is after any other error outside of the update. Where not even that can be read (a GPU that gave up), the checkpoint before stays, and the error is
        # what is told.
        if not halfway:
            with suppress(Exception):
                save()
        raise
    if not team.first:
        return {}
    memory.write(cut, "trained", decided.starts)
    trained = time.monotonic() - started
    # The checkpoint stays until the caller has the adapter safe: nothing after the last step may cost the training.
    save()
    best = evaluations.best
    if patience is not None and best is not None and best[0] != position:
        trainee.load_weights(best_weights)
        stop = f"stopped after step {position} of {schedule.steps}: no better one in {plural(patience, 'evaluation')}. " if position < schedule.steps else ""
        step.log("info", f"{stop}The adapter is the one after step {best[0]}, whose loss on held-out samples was the least ({best[1]:.4f})")
    try:
        trainee.save(output, below)
    except Exception as e:
        said = _unwritten(output, 4 * sum(p.numel() for p in trainee.model.parameters() if p.requires_grad), e)
        if said is None:
            raise
        raise said from e
    curve.end()
    step.artifact("adapter", output)
    seen = schedule.seen(position)
    figures: dict[str, Any] = {
        "final_loss": round(sum(losses[-FINAL_STEPS:]) / len(losses[-FINAL_STEPS:]), 6),
        "first_loss": round(losses[0], 6),
        "examples": seen,
        "steps": position,
        "epochs": round(seen / len(samples), 4),
        "seconds": round(seconds_before + trained, 2),
        "examples_per_second": round((seen - schedule.seen(resumed_from)) / trained, 4) if position > resumed_from else 0.0,
        "peak_memory_bytes": int(max(memory for memory, _ in peaks)),
        "prefix_tokens": beginning([samples[i] for i in schedule.batches(0)[0]]),
        "learned_tokens": sum(sum(samples[i].learn) for s in range(position) for i in schedule.samples(s)),
        "longest_tokens": longest,
        "precision": str(dtype).removeprefix("torch."),
        "resumed_from": resumed_from,
    }
    if evaluation is not None and best is not None:
        figures["eval_examples"] = len(held_out)
        figures["eval_loss"] = round(best[1] if patience is not None else evaluations.losses[-1][1], 6)
        if patience is not None:
            figures["best_step"] = best[0]
            figures["stopped_early"] = position < schedule.steps
    if device.type != "cpu":
        figures["peak_gpu_memory_bytes"] = int(max(gpu for _, gpu in peaks))
    if cut.row_tokens < hyper.row_tokens:
        figures["row_tokens"] = cut.row_tokens
    if cut.recomputed and spec.text("gradient_checkpointing", "auto") != "on":
        figures["recomputed"] = True
    if spec.has("killed"):
        figures["killed"] = spec.integer("killed", minimum=0)
    if team.size > 1:
        figures["processes"] = team.size
    if backend.name != "transformers":
        figures["backend"] = backend.name
    if backend.rounds:
        from forge_steps.merging import distance_of_merging

        step.progress(total, total, "examples", message="comparing the trained model with the merged one")
        figures |= distance_of_merging(trainee.model, gguf, output, tokenizer, spec.path("rows"), step, spec.path("checkpoints") / "merged")
    return figures


def plural(count: int, word: str) -> str:
    """`1 evaluation`, `2 evaluations`."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def _unwritten(output: Path, size: int, error: Exception) -> StepError | None:
    """What is said where the adapter of a finished training, of `size` bytes, cannot be written; None of any other error. safetensors has its own for the
    file system's."""
    if not isinstance(error, OSError) and "os error" not in str(error):
        return None
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    full = "os error 28" in str(error) or (isinstance(error, OSError) and error.errno == errno.ENOSPC)
    return StepError(
        "step/no-space" if full else "step/file",
        f"the trained adapter could not be written to {output} ({why}); it needs about {-(-size // 10**6)} MB",
        f"{'Free some disk' if full else 'Make the folder one that can be written to'} and run the same command again: training goes on from its last checkpoint.",
    )


def _not_finite(what: str, hyper: Hyper) -> StepError:
    return StepError("train/not-finite", f"{what} is no longer a number", f"Lower `train.learning_rate` (it is {hyper.learning_rate:g}).")
