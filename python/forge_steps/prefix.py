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

if TYPE_CHECKING:
    import torch

#: What a row costs besides its tokens, in tokens: the calls into some 2,000 operators.
ROW_COST = 60

#: The same for models under so many parameters, whose tokens are computed in less time (both measured, docs/measurements.md).
SMALL_ROW_COST = 500
SMALL_PARAMETERS = 20_000_000
SMALL_WIDTHS = 16

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
    """One sample as tokens; `learn[i]` says whether token i is an answer's (predicted from what is before it)."""

    id: str
    ids: tuple[int, ...]
    learn: tuple[bool, ...]

    def weights(self) -> tuple[float, ...]:
        """Each token's weight in the loss: 0 where nothing is learned, more than 1 where a turn decides what it is."""
        result: list[float] = []
        since = 0
        for learned in self.learn:
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
    for segment in segments:
        part = tokenizer(segment["text"], add_special_tokens=False)["input_ids"]
        ids.extend(part)
        learn.extend([bool(segment["learn"])] * len(part))
    if learn:
        learn[0] = False  # Nothing comes before the first token to predict it from.
    return Encoded(id, tuple(ids), tuple(learn))


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


def row_cost_of(parameters: int) -> int:
    """What one more row costs a model of so many parameters, in tokens."""
    return SMALL_ROW_COST if parameters < SMALL_PARAMETERS else ROW_COST


def widths_of(parameters: int) -> int:
    """What rows' widths are rounded up to: the matrix library prepares its kernels anew for every shape, which a small model feels."""
    return SMALL_WIDTHS if parameters < SMALL_PARAMETERS else 1


def threads_of(parameters: int, cores: int) -> int:
    """Threads that help a model of so many parameters: a small one gains nothing from a second, and waits for it wherever a core is shared."""
    return 1 if parameters < SMALL_PARAMETERS else cores


def rows(lengths: Sequence[int], budget: int, row_cost: int = ROW_COST) -> list[list[int]]:
    """Cuts samples into rows (lists of indices) so that a row's tokens, padding included, stay within `budget`.

    Of all ways to cut the samples in order of length, the one with the least padding, where one more row counts as
    `row_cost` tokens. A sample longer than the budget has a row of its own.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    # best[k]: cost of the k longest samples, and where the last row of them begins.
    best: list[tuple[int, int]] = [(0, 0)]
    for end in range(1, len(order) + 1):
        options = []
        for start in range(end - 1, -1, -1):
            tokens = lengths[order[start]] * (end - start)
            if tokens > budget and end - start > 1:
                break  # An earlier start makes the row wider and longer still.
            options.append((best[start][0] + tokens + row_cost, start))
        best.append(min(options))
    result: list[list[int]] = []
    end = len(order)
    while end > 0:
        start = best[end][1]
        result.append(order[start:end])
        end = start
    return result[::-1]


@dataclass(frozen=True)
class Row:
    """Samples side by side, padded on the right. Padding is never seen: what it could disturb comes before it."""

    ids: torch.Tensor  # [samples, width], without the prefix
    targets: torch.Tensor  # [samples, width]: the token to predict at this position, or -100
    weights: torch.Tensor  # [samples, width], float32: what that prediction counts in the loss


#: How much each token of a sample counts in the loss.
Weigh = Callable[[Encoded], Sequence[float]]


def make_row(samples: Sequence[Encoded], prefix: int, device: torch.device, weigh: Weigh = Encoded.weights, multiple: int = 1) -> Row:
    """A row of the samples' own parts (what follows the prefix); its width is rounded up to a multiple of `multiple`."""
    import torch

    width = max(len(s.ids) for s in samples) - prefix
    width += -width % multiple
    ids = torch.zeros((len(samples), width), dtype=torch.long)
    targets = torch.full((len(samples), width), -100, dtype=torch.long)
    weights = torch.zeros((len(samples), width), dtype=torch.float32)
    for i, s in enumerate(samples):
        own = torch.tensor(s.ids[prefix:], dtype=torch.long)
        counts = torch.tensor(weigh(s)[prefix + 1 :], dtype=torch.float32)
        ids[i, : len(own)] = own
        targets[i, : len(own) - 1] = torch.where(counts > 0, own[1:], -100)
        weights[i, : len(own) - 1] = counts
    return Row(ids.to(device), targets.to(device), weights.to(device))


def step_backward(
    model: Any,
    samples: Sequence[Encoded],
    prefix: int,
    row_tokens: int,
    on_row: Callable[[int], None] = lambda _: None,
    weigh: Weigh = Encoded.weights,
    row_cost: int = ROW_COST,
    multiple: int = 1,
    positions: Sequence[int] | None = None,
) -> tuple[float, int]:
    """Forward and backward pass of one optimiser step; gradients are left on the model's parameters.

    The loss is the weighted mean cross-entropy over the step's tokens, however it is cut into rows; `weigh` says what each counts
    (by default only what is learned). Those of the prefix count once, as the first sample has them; the first one after it
    counts nothing.
    `row_tokens` bounds the tokens whose activations are alive: the prefix's and one row's; `row_cost` is what one more row costs,
    in tokens, and `multiple` what rows' widths are rounded up to (fewer shapes that the matrix library must prepare for).
    `positions`: where the prefix's tokens stand and, last, where the samples go on; by default 0, 1, 2 and so on.
    `on_row` hears how many samples are done. Returns the loss and the number of learned tokens.
    With `prefix` 0 this is the padded batch in its textbook form.
    """
    import torch
    from transformers import DynamicCache

    from forge_steps import shared_attention

    device = next(model.parameters()).device
    learned = sum(sum(s.learn) for s in samples)
    begin = weigh(samples[0])[:prefix]
    weight = sum(sum(weigh(s)[prefix + 1 :]) for s in samples) + sum(begin[1:])
    decoder, head = _parts(model)
    cached: list[tuple[torch.Tensor, torch.Tensor]] = []
    leaves: list[tuple[torch.Tensor, torch.Tensor]] = []
    if prefix > 0:
        ids = torch.tensor([samples[0].ids[:prefix]], dtype=torch.long, device=device)
        where = None if positions is None else torch.tensor([positions[:prefix]], dtype=torch.long, device=device)
        run = decoder(input_ids=ids, position_ids=where, use_cache=True)
        cached = [(layer.keys, layer.values) for layer in run.past_key_values.layers]
        leaves = [(k.detach().requires_grad_(), v.detach().requires_grad_()) for k, v in cached]
    start = prefix if positions is None else positions[prefix]
    total = 0.0
    done = 0
    told: tuple[torch.Tensor, torch.Tensor] | None = None
    if any(begin):
        # The prefix's own predictions: their gradient waits at its last hidden states for the pass through the prefix.
        counts = torch.tensor([begin], dtype=torch.float32)[:, 1:].to(device)
        own = Row(ids[:, :-1], torch.where(counts > 0, ids[:, 1:], -100), counts)
        leaf = run.last_hidden_state[:, :-1].detach().requires_grad_()
        total += _loss_backward(leaf, own, head, weight)
        told = (run.last_hidden_state[:, :-1], leaf.grad)
    for indices in rows([len(s.ids) - prefix for s in samples], max(1, row_tokens - prefix), row_cost):
        row = make_row([samples[i] for i in indices], prefix, device, weigh, multiple)
        count, width = row.ids.shape
        at = torch.arange(start, start + width, device=device).expand(count, -1)
        if prefix > 0 and decoder.config._attn_implementation == shared_attention.NAME:
            hidden = decoder(input_ids=row.ids, position_ids=at, use_cache=False, shared_prefix=leaves).last_hidden_state
        else:
            past = DynamicCache()
            for layer, (k, v) in enumerate(leaves):
                past.update(k.expand(count, -1, -1, -1), v.expand(count, -1, -1, -1), layer)
            hidden = decoder(
                input_ids=row.ids,
                attention_mask=causal_mask(prefix, width, device),
                position_ids=at,
                past_key_values=past if prefix > 0 else None,
                use_cache=prefix > 0,
            ).last_hidden_state
        total += _loss_backward(hidden, row, head, weight)
        done += count
        on_row(done)
    if prefix > 0:
        outputs = [t for pair in cached for t in pair]
        grads = [t.grad for pair in leaves for t in pair]
        pairs = [(o, g) for o, g in [*zip(outputs, grads, strict=True), *([told] if told is not None else [])] if g is not None and o.requires_grad]
        torch.autograd.backward([o for o, _ in pairs], [g for _, g in pairs])
    return total, learned


def causal_mask(prefix: int, width: int, device: torch.device) -> torch.Tensor:
    """[1, 1, width, prefix + width], true where a sample's token may look: the whole prefix, and itself up to here."""
    import torch

    return torch.ones((width, prefix + width), dtype=torch.bool, device=device).tril(prefix)[None, None]


def _parts(model: Any) -> tuple[Any, Any]:
    """The decoder and the output projection of a causal language model, wrapped by PEFT or not."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return base.get_decoder() if hasattr(base, "get_decoder") else base.model, base.get_output_embeddings()


def _loss_backward(hidden: torch.Tensor, row: Row, head: Any, weight: float) -> float:
    """Weighted cross-entropy at the learned positions only, summed and divided by `weight`, and its backward pass.

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
        loss.backward()
        total += loss.item()
    if leaf.grad is not None:
        torch.autograd.backward(picked, leaf.grad)
    return total
