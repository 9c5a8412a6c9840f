"""Step `pretrain`: a small Qwen3 from nothing, on rendered conversations about many toolsets.

Spec: `{v: 1, rows: rendered.jsonl ({id, segments: [{text, learn}], group}), shape: {vocabulary, hidden, intermediate, layers, heads,
key_heads, head_width, window, rope_theta}, special: [text], hyper: {learning_rate, samples_per_step, warmup_steps, row_tokens, weight_decay,
prompt_weight, doubled_after?,
decision_weight?, text_weight?}, seed, start?: folder of a model to go on from, output: folder, checkpoints: folder, checkpoint_seconds?}`.

The rows are read in their order (a curriculum goes from short to long): a group, one toolset's conversations, is one shared prefix.
Every token counts in the loss, an answer's 1, any other `prompt_weight`: a model that knows no language yet learns it from
the prompts. The tokenizer is learned first, from the rows.

Guarantees: the order of the samples, and so the run, follows from the rows and the seed alone; on SIGTERM the last finished optimiser
step is saved within seconds, and a later run with the same spec goes on from it. `output` appears whole, in the hub's form, in bfloat16.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from forge_steps.helpers import Learn
from forge_steps.protocol import Spec, Step, StepError, Stopped
from forge_steps.train import CHECKPOINT_SECONDS, FINAL_STEPS, MAX_GRAD_NORM

#: Between GPT-3's second 0.95 and AdamW's 0.999: the fewer tokens a step has, the longer it must remember (arXiv:2507.07101).
BETAS = (0.9, 0.98)
#: Standard deviation of the first weights; GPT-2's.
INITIAL = 0.02
#: Rows that the tokenizer learns from, spread over all.
TOKENIZER_ROWS = 6_000
#: Share of the toolsets whose prompt stands as if it were longer than it is.
STRETCHED = 0.4
#: At most so many gaps has such a prompt.
GAPS = 3
#: At most so many processes share a step; its toolsets are few.
MOST_PROCESSES = 2
#: What begins a call, what stands between it and the tool's name, and how many tokens of a name decide which it is.
CALL, BEFORE_NAME, NAME_TOKENS = "<tool_call>", '\n{"name":"', 3
#: Where a conversation's own part begins. A control token: tokens before it are the same whatever comes after.
TURN = "<|im_start|>user\n"


@dataclass(frozen=True)
class Shape:
    """The model's size. `hidden` a multiple of 256 lets every K-quant of llama.cpp apply."""

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_heads: int
    head_width: int
    window: int
    rope_theta: float

    @staticmethod
    def read(spec: Spec) -> Shape:
        whole = ("vocabulary", "hidden", "intermediate", "layers", "heads", "key_heads", "head_width", "window")
        return Shape(**{name: spec.integer(name, minimum=1) for name in whole}, rope_theta=spec.number("rope_theta", minimum=1))


@dataclass(frozen=True)
class Hyper:
    """The spec's `hyper`, checked."""

    learning_rate: float
    samples_per_step: int
    warmup_steps: int
    row_tokens: int
    weight_decay: float
    prompt_weight: float
    #: What the tokens count that decide most: an answer's first, by which it calls or not, and half of it those of the tool's name.
    decision_weight: float
    #: What the other tokens of an answer in words count: there are many ways to say it, and their noise drowns what can be learned.
    text_weight: float
    #: Share of the steps after which a step takes twice as many samples: small steps learn early, large ones late (arXiv:1711.00489).
    doubled_after: float

    @staticmethod
    def read(spec: Spec) -> Hyper:
        return Hyper(
            learning_rate=spec.number("learning_rate", minimum=0),
            samples_per_step=spec.integer("samples_per_step", minimum=1),
            warmup_steps=spec.integer("warmup_steps", minimum=0),
            row_tokens=spec.integer("row_tokens", minimum=1),
            weight_decay=spec.number("weight_decay", minimum=0),
            prompt_weight=spec.number("prompt_weight", minimum=0),
            decision_weight=spec.number("decision_weight", 1.0, minimum=0),
            text_weight=spec.number("text_weight", 1.0, minimum=0),
            doubled_after=spec.number("doubled_after", 1.0, minimum=0),
        )


class Rows:
    """A file of rendered conversations, read group by group: a curriculum may be larger than memory."""

    def __init__(self, path: Path) -> None:
        """Reads it once. Raises StepError on a line that is no rendered sample with a group, or a group that comes twice."""
        self._path = path
        #: Where each group's lines lie: (offset, bytes, lines).
        self.groups: list[tuple[int, int, int]] = []
        names: set[str] = set()
        digest = hashlib.sha256()
        last, offset = None, 0
        with path.open("rb") as f:
            for number, line in enumerate(f, 1):
                digest.update(line)
                try:
                    row = json.loads(line)
                    group, good = row["group"], isinstance(row["id"], str) and all(isinstance(s["text"], str) and isinstance(s["learn"], bool) for s in row["segments"])
                except (ValueError, KeyError, TypeError):
                    group, good = "", False
                if not good or not isinstance(group, str):
                    raise StepError("train/rows", f"line {number} of {path.name} is no rendered sample that names a group")
                if group == last:
                    start, size, lines = self.groups[-1]
                    self.groups[-1] = (start, size + len(line), lines + 1)
                elif group in names:
                    raise StepError("train/rows", f"line {number} of {path.name}: the samples of the group {group} do not stand together")
                else:
                    self.groups.append((offset, len(line), 1))
                    names.add(group)
                    last = group
                offset += len(line)
        if not self.groups:
            raise StepError("train/no-samples", "there are no samples to train on")
        self.digest = digest.hexdigest()

    def __len__(self) -> int:
        return sum(lines for _, _, lines in self.groups)

    def read(self, group: int) -> list[dict[str, Any]]:
        """The rows of one group."""
        start, size, _ = self.groups[group]
        with self._path.open("rb") as f:
            f.seek(start)
            return [json.loads(line) for line in f.read(size).splitlines()]

    def texts(self, most: int) -> Iterator[str]:
        """At most so many whole conversations, spread over all groups: of a group its beginning is told once."""
        every = max(1, math.ceil(len(self) / most))
        for group in range(len(self.groups)):
            for i, row in enumerate(self.read(group)):
                text = "".join(s["text"] for s in row["segments"])
                if i == 0:
                    yield text
                elif i % every == 0:
                    yield text[max(0, text.find(TURN)) :]


def encode_group(tokenizer: Any, rows: Sequence[dict[str, Any]], window: int) -> list[Any]:
    """The conversations of a group as tokens; what they begin with is cut into tokens once."""
    from forge_steps.prefix import Encoded, encode

    begun: dict[str, tuple[int, ...]] = {}
    samples = []
    for row in rows:
        text = row["segments"][0]["text"]
        cut = text.find(TURN)
        if cut <= 0 or row["segments"][0]["learn"]:
            sample = encode(tokenizer, row["id"], row["segments"])
        else:
            if text[:cut] not in begun:
                begun[text[:cut]] = encode(tokenizer, "", [{"text": text[:cut], "learn": False}]).ids
            begin = begun[text[:cut]]
            own = encode(tokenizer, row["id"], [{"text": text[cut:], "learn": False}, *row["segments"][1:]])
            sample = Encoded(row["id"], begin + own.ids, (False,) * len(begin) + own.learn)
        if len(sample.ids) > window:
            raise StepError("train/too-long", f"sample {sample.id} has {len(sample.ids)} tokens, more than the model's window of {window}")
        samples.append(sample)
    return samples


def steps_of(groups: Sequence[int], samples_per_step: int, doubled_after: float = 1.0) -> list[list[int]]:
    """Whole groups, given by their sizes, in their order, as many a step as it takes to reach `samples_per_step`; after that share of the steps,
    two of them are one."""
    steps: list[list[int]] = []
    step: list[int] = []
    held = 0
    for group, size in enumerate(groups):
        step.append(group)
        held += size
        if held >= samples_per_step:
            steps.append(step)
            step, held = [], 0
    if step:
        steps.append(step)
    cut = round(len(steps) * doubled_after)
    return steps[:cut] + [[g for step in steps[i : i + 2] for g in step] for i in range(cut, len(steps), 2)]


def stretched(prefix: int, longest: int, window: int, rng: random.Random) -> list[int] | None:
    """Positions for a prefix with gaps in it, so that a model that reads short prompts learns distances up to its window
    (positional skip-wise training, arXiv:2309.10400). None: as they are. `longest`: tokens of the longest whole conversation."""
    if prefix < 2 or longest >= window or rng.random() >= STRETCHED:
        return None
    spare = rng.randrange(window - longest + 1)
    # Each gap comes before some token, the first one after the prefix included.
    at = sorted(rng.randrange(1, prefix + 1) for _ in range(rng.randint(1, GAPS)))
    ends = sorted(rng.randrange(spare + 1) for _ in at[:-1]) + [spare]
    return [i + max((end for cut, end in zip(at, ends, strict=True) if cut <= i), default=0) for i in range(prefix + 1)]


def weights_of(ids: Sequence[int], learn: Sequence[bool], hyper: Hyper, call: int, before_name: int) -> list[float]:
    """What each token counts. `call`: the token that begins a call; `before_name`: tokens between it and the tool's name."""
    weights = [hyper.prompt_weight] * len(ids)
    i = 0
    while i < len(ids):
        if not learn[i]:
            i += 1
            continue
        end = i
        while end < len(ids) and learn[end]:
            end += 1
        calls = ids[i] == call
        weights[i:end] = [1.0 if calls else hyper.text_weight] * (end - i)
        weights[i] = hyper.decision_weight
        if calls:
            name = i + 1 + before_name
            for j in range(name, min(name + NAME_TOKENS, end)):
                weights[j] = max(1.0, hyper.decision_weight / 2)
        i = end
    return weights


def rate_at(step: int, through: float, hyper: Hyper) -> float:
    """Linear warm-up by steps, then a cosine to a tenth of the peak by how far through the examples it is (0 to 1)."""
    if step < hyper.warmup_steps:
        return hyper.learning_rate * (step + 1) / hyper.warmup_steps
    return hyper.learning_rate * (0.1 + 0.9 * (1 + math.cos(math.pi * through)) / 2)


def new_model(shape: Shape, vocabulary: int, seed: int, ids: dict[str, int]) -> Any:
    """A Qwen3 in float32 with random weights, those back into the residual stream smaller as GPT-2's, and the circuit for copying where it has room."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from forge_steps.induction import has_room, lay_down

    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        head_dim=shape.head_width,
        max_position_embeddings=shape.window,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        tie_word_embeddings=True,
        initializer_range=INITIAL,
        attn_implementation="sdpa",
        **ids,
    )
    model = Qwen3ForCausalLM(config)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                p.div_(math.sqrt(2 * shape.layers))
    if has_room(config):
        lay_down(model, seed)
    return model


def tokenizer_of(folder: Path) -> Any:
    """The tokenizer of a model that an earlier run left."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def go_on_from(folder: Path, weights: Any) -> None:
    """Takes over the weights of a model that an earlier run left. Raises StepError when it is of another shape."""
    from safetensors.torch import load_file

    found = load_file(folder / "model.safetensors")
    for name, own in weights.named().items():
        if name not in found or found[name].shape != own.shape:
            raise StepError("train/other-shape", f"{folder.name} is no model of this shape: {name}")
        own.copy_(found[name].float())
    weights.load_flat(weights.flat())


@dataclass(frozen=True)
class Learner:
    """Makes the model and what learns from one group of rows: here, and alike in every helper."""

    shape: Shape
    hyper: Hyper
    seed: int
    tokenizer: Any
    rows: Rows
    device: str
    dtype: str

    def model(self) -> Any:
        import torch

        from forge_steps.attention import install
        from forge_steps.lean import make_lean

        own = self.tokenizer
        ids = {"bos_token_id": own.bos_token_id, "eos_token_id": own.eos_token_id, "pad_token_id": own.pad_token_id}
        model = new_model(self.shape, len(own), self.seed, ids).to(device=self.device, dtype=getattr(torch, self.dtype))
        model.train()
        install(model)
        make_lean(model)
        return model

    def learning(self, model: Any) -> Learn:
        from forge_steps.prefix import Encoded, shared_prefix, step_backward

        call = self.tokenizer.convert_tokens_to_ids(CALL)
        before_name = len(self.tokenizer(BEFORE_NAME, add_special_tokens=False)["input_ids"])

        def weigh(sample: Encoded) -> list[float]:
            return weights_of(sample.ids, sample.learn, self.hyper, call, before_name)

        def learn(group: int) -> tuple[float, int]:
            batch = encode_group(self.tokenizer, self.rows.read(group), self.shape.window)
            prefix = shared_prefix(batch)
            positions = stretched(prefix, max(len(s.ids) for s in batch), self.shape.window, random.Random(f"{self.seed}/{group}"))
            loss, _ = step_backward(model, batch, prefix, self.hyper.row_tokens, weigh=weigh, positions=positions)
            return loss, prefix + sum(len(s.ids) - prefix for s in batch)

        return learn

    def __call__(self) -> tuple[Any, Learn]:
        from forge_steps.true_weights import TrueWeights

        model = self.model()
        return TrueWeights(model, self.hyper.weight_decay, BETAS), self.learning(model)


def run(step: Step) -> dict[str, Any]:
    """Trains. Figures: `parameters`, `vocabulary`, `final_loss`, `first_loss`, `examples`, `tokens` seen, `steps`, `seconds`, `tokens_per_second`,
    `peak_memory_bytes`, `precision`, `resumed_from`."""
    spec = step.spec
    shape, hyper, seed = Shape.read(spec.object("shape")), Hyper.read(spec.object("hyper")), spec.integer("seed")
    step.progress(0, 0, "examples", message="reading the examples")
    rows = Rows(spec.path("rows", exists=True))
    output, checkpoints = spec.path("output"), spec.path("checkpoints")
    special = spec.raw().get("special")
    if not isinstance(special, list) or not all(isinstance(text, str) and text for text in special):
        raise StepError("step/spec", "the spec's `special` is no list of texts")

    import torch

    from forge_steps.bpe import learn_tokenizer
    from forge_steps.checkpoint import Checkpoints
    from forge_steps.helpers import Helpers
    from forge_steps.model import file_sha256, peak_memory_bytes, pick_device, pick_dtype, usable_cores
    from forge_steps.true_weights import TrueWeights

    device = pick_device()
    dtype = pick_dtype(device)
    # One process a core: so small a model is slower on two threads than two models on one each.
    helpers_wanted = min(usable_cores(), MOST_PROCESSES) - 1 if device.type == "cpu" else 0
    torch.set_num_threads(1 if helpers_wanted > 0 else usable_cores())
    step.progress(0, 0, "examples", message="learning the tokenizer")
    start = spec.path("start", exists=True) if spec.has("start") else None
    tokenizer = learn_tokenizer(rows.texts(TOKENIZER_ROWS), shape.vocabulary, special) if start is None else tokenizer_of(start)
    learner = Learner(shape, hyper, seed, tokenizer, rows, str(device), str(dtype).removeprefix("torch."))
    model = learner.model()
    learn = learner.learning(model)
    weights = TrueWeights(model, hyper.weight_decay, BETAS)
    if start is not None:
        go_on_from(start, weights)
    plan = steps_of([lines for _, _, lines in rows.groups], hyper.samples_per_step, hyper.doubled_after)
    begun = {} if start is None else {"start": file_sha256(start / "model.safetensors")}
    decisive = {**begun, "shape": asdict(shape), "hyper": asdict(hyper), "seed": seed, "special": special, "rows": rows.digest}
    store = Checkpoints(checkpoints, hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest())
    position, losses, tokens, seconds_before = 0, [], 0, 0.0
    state = store.load()
    if state is not None:
        weights.load_state(state["weights"])
        position, losses, tokens, seconds_before = state["position"], state["losses"], state["tokens"], state["seconds"]
        step.log("info", f"going on after step {position} of {len(plan)}")
    resumed_from, tokens_from = position, tokens
    done = sum(rows.groups[g][2] for s in plan[:position] for g in s)
    total, before = len(rows), done
    started = saved_at = time.monotonic()

    def save() -> None:
        seconds = seconds_before + time.monotonic() - started
        store.save({"weights": weights.state(), "position": position, "losses": losses, "tokens": tokens, "seconds": seconds})

    helpers = Helpers(helpers_wanted, learner, weights)
    try:
        while position < len(plan):
            step.check()
            groups = plan[position]
            loss, count = helpers.learn(groups, learn)
            loss /= len(groups)
            tokens += count
            done += sum(rows.groups[g][2] for g in groups)
            rate = rate_at(position, done / total, hyper)
            norm = weights.step(rate, MAX_GRAD_NORM) if math.isfinite(loss) else math.nan
            if not math.isfinite(norm):
                raise StepError("train/not-finite", f"the loss is no longer a number at step {position + 1} of {len(plan)}", "Lower the learning rate.")
            losses.append(loss)
            position += 1
            step.metric("loss", loss, at=position)
            per_second = (done - before) / max(1e-9, time.monotonic() - started)
            step.progress(done, total, "examples", eta_s=round((total - done) / per_second, 1))
            if time.monotonic() - saved_at >= spec.number("checkpoint_seconds", CHECKPOINT_SECONDS, minimum=0) and position < len(plan):
                save()
                saved_at = time.monotonic()
    except Stopped:
        save()
        raise
    finally:
        helpers.close()
    trained = time.monotonic() - started
    _write(output, model, weights.named(), tokenizer, losses)
    step.artifact("model", output)
    store.clear()
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "vocabulary": len(tokenizer),
        "final_loss": round(sum(losses[-FINAL_STEPS:]) / len(losses[-FINAL_STEPS:]), 6),
        "first_loss": round(losses[0], 6),
        "examples": total,
        "tokens": tokens,
        "steps": len(plan),
        "seconds": round(seconds_before + trained, 2),
        "tokens_per_second": round((tokens - tokens_from) / max(1e-9, trained), 1),
        "peak_memory_bytes": peak_memory_bytes(),
        "precision": str(dtype).removeprefix("torch."),
        "resumed_from": resumed_from,
    }


def _write(output: Path, model: Any, weights: dict[str, Any], tokenizer: Any, losses: Sequence[float]) -> None:
    """The model, rounded once from its true weights, the tokenizer and the losses (loss.csv), to a folder that appears whole."""
    import torch

    from forge_steps.tokenizer import PRE_TOKENIZER_KEY

    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(weights[name])
    # Norms' own implementations and the attention that training used are no part of the model.
    model.to(torch.bfloat16).save_pretrained(part)
    tokenizer.save_pretrained(part)
    config = part / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), PRE_TOKENIZER_KEY: "qwen2"}, indent=2, sort_keys=True) + "\n", "utf-8")
    (part / "loss.csv").write_text("step,loss\n" + "".join(f"{i},{loss:.5f}\n" for i, loss in enumerate(losses, 1)), "utf-8")
    shutil.rmtree(output, ignore_errors=True)
    part.replace(output)
