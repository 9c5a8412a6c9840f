"""The shared prefix: many samples that begin with the same tokens cost one computation of that beginning.

Every sample of a recipe starts with the same system prompt and tool list, often many times longer than what
follows. A step of the optimiser runs that prefix once and keeps its keys and values; the samples, cut into
rows that memory can hold, attend to them and to themselves. Gradients are those of the padded batch: each
row's backward pass leaves its share on the prefix's keys and values, and one last backward pass takes their
sum through the prefix. Positions go on after the prefix in every sample, as they would on its own.

The same idea in reinforcement learning: PrefixGrouper (arXiv:2506.05433). This module holds the parts that
know no training: encoding, the prefix, rows, and the forward and backward pass of one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forge_steps.rows import SEQUENCE_MULTIPLE, Row, Weigh, layer_masks, make_pack, make_pass, make_row, make_sequence, packs, passes, rows

if TYPE_CHECKING:
    import torch

#: Models under so many parameters gain nothing from a second thread (measured, docs/measurements.md).
SMALL_PARAMETERS = 20_000_000

#: Positions whose logits are held at once; 512 x 49,152 x 4 bytes is 100 MB.
LOGITS_AT_ONCE = 512

#: Weights in the loss of an assistant turn's first token (call a tool or answer?) and of the next ones (which tool, with what?),
#: against 1 for all the rest. Unweighted, they drown among the many that copy a result into an answer (docs/measurements.md).
FIRST_TOKEN_WEIGHT = 8.0
DECISION_WEIGHT = 4.0
#: Tokens of a turn that count as its decision: a call's name and some short arguments.
DECISION_TOKENS = 40


@dataclass(frozen=True)
class Encoded:
    """One sample as tokens; `learn[i]` says whether token i is an answer's (predicted from what is before it), `thought[i]` whether it is of a thought
    before one (empty where there is none in the whole sample)."""

    id: str
    ids: tuple[int, ...]
    learn: tuple[bool, ...]
    thought: tuple[bool, ...] = ()

    def weights(self) -> tuple[float, ...]:
        """Each token's weight in the loss: 0 where nothing is learned, more than 1 where a turn decides what it is, which is after its thought."""
        result: list[float] = []
        since = 0
        for i, learned in enumerate(self.learn):
            if learned and self.thought and self.thought[i]:
                since = 0
                result.append(1.0)
                continue
            since = since + 1 if learned else 0
            result.append(0.0 if since == 0 else FIRST_TOKEN_WEIGHT if since == 1 else DECISION_WEIGHT if since <= DECISION_TOKENS else 1.0)
        return tuple(result)

    def first_learned(self) -> int:
        """Index of the first learned token; the length when there is none."""
        return self.learn.index(True) if True in self.learn else len(self.ids)


def encode(tokenizer: Any, id: str, segments: Iterable[dict[str, Any]]) -> Encoded:
    """Tokenises a rendered sample, each segment on its own, so that no token reaches over the edge of an answer.

    Inference has the same edges: a prompt ends where an answer begins. Control tokens are read in any segment:
    the renderer has already neutralised their texts in everything that it did not write itself.
    """
    ids: list[int] = []
    learn: list[bool] = []
    thought: list[bool] = []
    for segment in segments:
        part = tokenizer(segment["text"], add_special_tokens=False)["input_ids"]
        ids.extend(part)
        learn.extend([bool(segment["learn"])] * len(part))
        thought.extend([bool(segment.get("thought"))] * len(part))
    if learn:
        learn[0] = False  # Nothing comes before the first token to predict it from.
    return Encoded(id, tuple(ids), tuple(learn), tuple(thought) if any(thought) else ())


def shared_prefix(samples: Sequence[Encoded]) -> int:
    """Length of the longest common token prefix that leaves every sample its first learned token and the one before.

    The one before is what the first learned token is predicted from, so every prediction is made in the sample's own part.
    """
    if not samples:
        return 0
    limit = min(max(0, s.first_learned() - 1) for s in samples)
    first = samples[0].ids
    length = min(limit, len(first))
    for sample in samples:
        length = min(length, len(sample.ids))
        while sample.ids[:length] != first[:length]:  # Seldom entered: bisecting would be no clearer.
            length = next(i for i in range(length) if sample.ids[i] != first[i])
    return length


def weight_of(samples: Sequence[Encoded], prefix: int, weigh: Weigh = Encoded.weights) -> float:
    """The weights of all tokens that the samples predict; those of the prefix count once."""
    return sum(sum(weigh(s)[prefix + 1 :]) for s in samples) + sum(weigh(samples[0])[1:prefix])


def threads_of(parameters: int, cores: int) -> int:
    """Threads that help a model of so many parameters: a small one gains nothing from a second, and waits for it wherever a core is shared."""
    return 1 if parameters < SMALL_PARAMETERS else cores


def step_backward(
    model: Any,
    samples: Sequence[Encoded],
    prefix: int,
    row_tokens: int,
    on_row: Callable[[int], None] = lambda _: None,
    weigh: Weigh = Encoded.weights,
    positions: Sequence[int] | None = None,
    whole: float | None = None,
    learn: bool = True,
    packed: bool = False,
) -> tuple[float, int]:
    """Forward and backward pass of one optimiser step; gradients are left on the model's parameters.

    The loss is the weighted mean cross-entropy over the step's tokens, however it is cut into rows; `weigh` says what each counts
    (by default only what is learned). Those of the prefix count once, as the first sample has them; the first one after it
    counts nothing.
    `row_tokens` bounds the tokens whose activations are alive: the prefix's and those of one pass or row.
    `positions`: where the prefix's tokens stand and, last, where the samples go on; by default 0, 1, 2 and so on.
    `whole`: the weight of all tokens of the optimiser step, where these samples are a part of it; by default their own.
    `learn`: without it there is no backward pass, for a loss alone (see `held_out_loss`).
    `on_row` hears how many samples are done. Returns the loss and the number of learned tokens.
    With `prefix` 0 this is the padded batch in its textbook form; `packed` then puts several samples into one row in place of padding, each seeing
    itself alone. (Where attention is ours they stand so anyway.)
    """
    import torch
    from transformers import DynamicCache

    from forge_steps import attention, recompute, shared_attention

    device, dtype = ((p := next(model.parameters())).device, p.dtype)
    learned = sum(sum(s.learn) for s in samples)
    begin = weigh(samples[0])[:prefix]
    weight = whole if whole is not None else weight_of(samples, prefix, weigh)
    decoder, head = _parts(model)
    recomputes = getattr(decoder, "forge_recomputes", False)
    cached: list[tuple[torch.Tensor, torch.Tensor]] = []
    leaves: list[tuple[torch.Tensor, torch.Tensor]] = []
    if prefix > 0:
        # What fills up the sequence comes after the prefix, which cannot see it; nor do the samples (`length` below).
        fill = -prefix % SEQUENCE_MULTIPLE if attention.is_banded(decoder) else 0
        ids = torch.tensor([[*samples[0].ids[:prefix], *[0] * fill]], dtype=torch.long, device=device)
        where = torch.tensor([[*(range(prefix) if positions is None else positions[:prefix]), *[0] * fill]], dtype=torch.long, device=device)
        # A cache that keeps all of it: one by the model's config drops what is out of the last token's window.
        cache = recompute.PrefixCache() if recomputes else DynamicCache()
        run = decoder(input_ids=ids, position_ids=where, past_key_values=cache, use_cache=True)
        cached = cache.pairs() if isinstance(cache, recompute.PrefixCache) else [(layer.keys, layer.values) for layer in cache.layers]
        leaves = [(k.detach().requires_grad_(), v.detach().requires_grad_()) for k, v in cached] if learn else cached
    start = prefix if positions is None else positions[prefix]
    total = 0.0
    done = 0
    told: tuple[torch.Tensor, torch.Tensor] | None = None
    if any(begin):
        # The prefix's own predictions: their gradient waits at its last hidden states for the pass through the prefix.
        counts = torch.tensor([begin], dtype=torch.float32)[:, 1:].to(device)
        own = Row(ids[:, : prefix - 1], torch.where(counts > 0, ids[:, 1:prefix], -100), counts)
        leaf = run.last_hidden_state[:, : prefix - 1].detach().requires_grad_()
        total += _loss_backward(leaf, own, head, weight, learn)
        told = (run.last_hidden_state[:, : prefix - 1], leaf.grad)
    lengths = [len(s.ids) - prefix for s in samples]
    budget = max(1, row_tokens - prefix)
    banded, merged = attention.is_banded(decoder), attention.is_merged(decoder)
    seen = shared_attention.Prefix(leaves, prefix, where[0]) if prefix > 0 and (banded or merged) else None
    if banded:
        for cut in passes(lengths, prefix, budget):
            row, at, bands = make_pass(samples, cut, prefix, start, device, dtype, weigh)
            hidden = decoder(input_ids=row.ids, position_ids=at, use_cache=False, shared_prefix=seen, bands=bands).last_hidden_state
            total += _loss_backward(hidden, row, head, weight, learn)
            done += len(cut.samples())
            on_row(done)
    elif merged:
        for indices in packs(lengths, budget):
            row, at, segments = make_sequence([samples[i] for i in indices], prefix, start, device, weigh)
            hidden = decoder(input_ids=row.ids, position_ids=at, use_cache=False, shared_prefix=seen, segments=segments).last_hidden_state
            total += _loss_backward(hidden, row, head, weight, learn)
            done += len(indices)
            on_row(done)
    elif packed and prefix == 0:
        for indices in packs(lengths, budget):
            row, at, mask = make_pack([samples[i] for i in indices], decoder.config, device, weigh)
            hidden = decoder(input_ids=row.ids, attention_mask=mask, position_ids=at, use_cache=False).last_hidden_state
            total += _loss_backward(hidden, row, head, weight, learn)
            done += len(indices)
            on_row(done)
    else:
        for indices in rows(lengths, budget):
            row = make_row([samples[i] for i in indices], prefix, device, weigh)
            count, width = row.ids.shape
            past: Any = DynamicCache()
            if recomputes and prefix > 0:
                past = recompute.PastCache(leaves, count)
            else:
                for layer, (k, v) in enumerate(leaves):
                    past.update(k.expand(count, -1, -1, -1), v.expand(count, -1, -1, -1), layer)
            hidden = decoder(
                input_ids=row.ids,
                attention_mask=layer_masks(decoder.config, where[0] if prefix > 0 else None, start, width, device),
                position_ids=torch.arange(start, start + width, device=device).expand(count, -1),
                past_key_values=past if prefix > 0 else None,
                use_cache=prefix > 0,
            ).last_hidden_state
            total += _loss_backward(hidden, row, head, weight, learn)
            done += count
            on_row(done)
    if prefix > 0 and learn:
        outputs = [t for pair in cached for t in pair]
        grads = [t.grad for pair in leaves for t in pair]
        pairs = [(o, g) for o, g in [*zip(outputs, grads, strict=True), *([told] if told is not None else [])] if g is not None and o.requires_grad]
        torch.autograd.backward([o for o, _ in pairs], [g for _, g in pairs])
    return total, learned


def held_out_loss(
    model: Any,
    samples: Sequence[Encoded],
    prefix: int,
    row_tokens: int,
    on_row: Callable[[int], None] = lambda _: None,
    weigh: Weigh = Encoded.weights,
    packed: bool = False,
    whole: float | None = None,
    backward: Callable[..., tuple[float, int]] = step_backward,
) -> float:
    """The loss of samples that are not learned from: weighted as in training, the prefix computed once, no gradient and no dropout. `backward` is what
    trains (backends.py). `whole`: the weight of all samples, where these are a part of them.

    The model is left in the mode it was in; no random number is drawn, so that the training that goes on is the one without it.
    """
    import torch

    was = model.training
    model.eval()
    try:
        with torch.no_grad():
            return backward(model, samples, prefix, row_tokens, on_row, weigh, whole=whole, learn=False, packed=packed)[0]
    finally:
        model.train(was)


def _parts(model: Any) -> tuple[Any, Any]:
    """The decoder and the output projection of a causal language model, wrapped by PEFT or not."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return base.get_decoder() if hasattr(base, "get_decoder") else base.model, base.get_output_embeddings()


def _loss_backward(hidden: torch.Tensor, row: Row, head: Any, weight: float, learn: bool = True) -> float:
    """Weighted cross-entropy at the learned positions only, summed and divided by `weight`, and (to `learn`) its backward pass.

    Logits exist for `LOGITS_AT_ONCE` positions at a time; the gradient is gathered at the hidden states first.
    """
    import torch
    from torch.nn import functional

    where = row.targets.reshape(-1) != -100
    picked = hidden.reshape(-1, hidden.shape[-1])[where]
    wanted = row.targets.reshape(-1)[where]
    counts = row.weights.reshape(-1)[where]
    leaf = picked.detach().requires_grad_()
    total = 0.0
    for start in range(0, len(wanted), LOGITS_AT_ONCE):
        part = slice(start, start + LOGITS_AT_ONCE)
        logits = head(leaf[part]).float()
        loss = (functional.cross_entropy(logits, wanted[part], reduction="none") * counts[part]).sum() / weight
        if learn:
            loss.backward()
        total += loss.item()
    if leaf.grad is not None:
        torch.autograd.backward(picked, leaf.grad)
    return total
