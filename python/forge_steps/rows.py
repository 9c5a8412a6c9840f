"""How samples stand in a tensor: rows side by side, or all in one sequence.

Where attention knows which tokens are whose, samples stand one after the other: on a CPU in a `Pass`, in bands of a few widths (shared_attention.py), for
the fused kernels of a GPU without a gap (merged_attention.py). Elsewhere they are cut into rows of nearly one length, padded on the right. All hold what
follows the prefix only, and what to predict there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from forge_steps.kernel import Segments
    from forge_steps.prefix import Encoded
    from forge_steps.shared_attention import Bands

#: What a row costs besides its tokens, in tokens: the calls into some 2,000 operators.
ROW_COST = 60

#: Widths that bands of several samples may have, and what a token costs besides attention, in keys that it looks at.
BAND_WIDTHS = (64, 128, 192, 256)
TOKEN_COST = 1500
#: What a key of its own band costs a token, in keys of the prefix.
OWN_KEY_COST = 2

#: Lengths of sequences are rounded up to a multiple of this: the matrix library prepares its kernels anew for every shape.
SEQUENCE_MULTIPLE = 64

#: How much each token of a sample counts in the loss.
Weigh = Callable[["Encoded"], Sequence[float]]


def rows(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Cuts samples into rows (lists of indices) so that a row's tokens, padding included, stay within `budget`.

    Of all ways to cut the samples in order of length, the one with the least padding, where one more row counts as
    `ROW_COST` tokens. A sample longer than the budget has a row of its own.
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
            options.append((best[start][0] + tokens + ROW_COST, start))
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


def make_row(samples: Sequence[Encoded], prefix: int, device: torch.device, weigh: Weigh) -> Row:
    """A row of the samples' own parts (what follows the prefix)."""
    import torch

    width = max(len(s.ids) for s in samples) - prefix
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


@dataclass(frozen=True)
class Pass:
    """Samples in one sequence, cut into bands of one width; a band holds whole samples, one after the other."""

    #: Of each width, in order: the width, and its bands' samples (indices).
    bands: tuple[tuple[int, tuple[tuple[int, ...], ...]], ...]

    def samples(self) -> list[int]:
        return [i for _, of in self.bands for band in of for i in band]


def passes(lengths: Sequence[int], prefix: int, budget: int) -> list[Pass]:
    """Cuts samples into passes whose tokens, filling included, stay within `budget`, as evenly as that goes.

    Of the widths that bands may have, those that cost least: wide ones waste less at their ends and more attention to
    what is hidden. A sample wider than all of them has a band of its own; one longer than the budget, a pass of its own.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    alone = [_pass([i], lengths, prefix) for i in order if lengths[i] > budget]
    rest = order[len(alone) :]
    for count in range(1, len(rest) + 1):
        # Every so-manieth: each pass gets long ones and short ones.
        made = [_pass(rest[start::count], lengths, prefix) for start in range(count)]
        if all(sum(width * len(of) for width, of in p.bands) <= budget or len(p.samples()) == 1 for p in made):
            return alone + made
    return alone


def _pass(samples: Sequence[int], lengths: Sequence[int], prefix: int) -> Pass:
    """The cheapest way to lay out samples (the longest first)."""
    most = BAND_WIDTHS[-1]
    wide: dict[int, list[tuple[int, ...]]] = {}
    for i in samples:
        if lengths[i] > most:
            wide.setdefault(lengths[i] + -lengths[i] % SEQUENCE_MULTIPLE, []).append((i,))
    short = [i for i in samples if lengths[i] <= most]

    def cost(layout: list[tuple[int, tuple[tuple[int, ...], ...]]]) -> int:
        return sum(len(of) * width * (TOKEN_COST + prefix + OWN_KEY_COST * width) for width, of in layout)

    options = []
    for width in BAND_WIDTHS:
        below = [i for i in short if lengths[i] <= width]
        above = [i for i in short if lengths[i] > width]
        options.append([(w, _fill(of, lengths, w)) for w, of in ((most, above), (width, below)) if of])
    return Pass((*((width, tuple(of)) for width, of in wide.items()), *min(options, key=cost)))


def _fill(samples: Sequence[int], lengths: Sequence[int], width: int) -> tuple[tuple[int, ...], ...]:
    """Bands of a width with all the samples: each goes into the first that has room (first fit decreasing)."""
    bands: list[list[int]] = []
    room: list[int] = []
    for i in samples:
        at = next((b for b, left in enumerate(room) if left >= lengths[i]), len(bands))
        if at == len(bands):
            bands.append([])
            room.append(width)
        bands[at].append(i)
        room[at] -= lengths[i]
    return tuple(map(tuple, bands))


def make_pass(
    samples: Sequence[Encoded], cut: Pass, prefix: int, start: int, device: torch.device, dtype: torch.dtype, weigh: Weigh
) -> tuple[Row, torch.Tensor, list[Bands]]:
    """A pass as one row [1, tokens], where each token stands ([1, tokens], from `start` on in every sample), and its bands for attention."""
    import torch

    from forge_steps.shared_attention import Bands, additive

    row = Row(*(torch.zeros((1, sum(width * len(of) for width, of in cut.bands)), dtype=t) for t in (torch.long, torch.long, torch.float32)))
    row.targets.fill_(-100)
    at = torch.zeros_like(row.ids)
    bands, begin = [], 0
    for width, of in cut.bands:
        whose = torch.full((len(of), width), -1)
        for b, band in enumerate(of):
            first = 0
            for n, i in enumerate(band):
                own = make_row([samples[i]], prefix, torch.device("cpu"), weigh)
                length = own.ids.shape[1]
                where = slice(begin + first, begin + first + length)
                row.ids[0, where], row.targets[0, where], row.weights[0, where] = own.ids[0], own.targets[0], own.weights[0]
                at[0, where] = torch.arange(start, start + length)
                whose[b, first : first + length] = n
                first += length
            begin += width
        alone = all(len(band) == 1 for band in of)
        hidden = (whose[:, :, None] != whose[:, None, :]) | torch.ones((width, width), dtype=torch.bool).triu(1)
        bands.append(Bands(len(of), width, None if alone else additive(hidden, dtype).to(device)))
    return Row(row.ids.to(device), row.targets.to(device), row.weights.to(device)), at.to(device), bands


def packs(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Cuts samples into rows in which they stand one after the other, of `budget` tokens at most: each goes into the first that has room, the longest
    first. A sample longer than the budget has a row of its own."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    return [list(row) for row in _fill(order, lengths, budget)]


def make_sequence(samples: Sequence[Encoded], prefix: int, start: int, device: torch.device, weigh: Weigh) -> tuple[Row, torch.Tensor, Segments]:
    """The samples' own parts one after the other in one row [1, tokens], where each token stands ([1, tokens], from `start` on in every sample), and which
    tokens are whose."""
    import torch

    from forge_steps.kernel import Segments

    own = [make_row([s], prefix, torch.device("cpu"), weigh) for s in samples]
    row = Row(*(torch.cat([getattr(r, name) for r in own], dim=1).to(device) for name in ("ids", "targets", "weights")))
    lengths = [r.ids.shape[1] for r in own]
    at = torch.cat([torch.arange(start, start + length) for length in lengths])[None].to(device)
    return row, at, Segments(lengths, device)


def make_pack(samples: Sequence[Encoded], config: Any, device: torch.device, weigh: Weigh) -> tuple[Row, torch.Tensor, Any]:
    """Whole samples one after the other in one row [1, tokens], where each token stands in its own sample ([1, tokens]), and the mask that keeps
    attention to a token's own sample, up to itself ([1, 1, tokens, tokens]; by the kind of layer where some look at a sliding window)."""
    import torch

    row, at, segments = make_sequence(samples, 0, 0, device, weigh)
    whose = torch.repeat_interleave(torch.arange(len(samples)), torch.tensor(segments.lengths)).to(device)
    width = len(whose)
    seen = (whose[:, None] == whose) & torch.ones((width, width), dtype=torch.bool, device=device).tril()
    if "sliding_attention" not in (getattr(config, "layer_types", None) or ()):
        return row, at, seen[None, None]
    near = at[0][:, None] - at[0] < config.sliding_window
    return row, at, {"full_attention": seen[None, None], "sliding_attention": (seen & near)[None, None]}


def causal_mask(prefix: int, width: int, device: torch.device) -> torch.Tensor:
    """[1, 1, width, prefix + width], true where a sample's token may look: the whole prefix, and itself up to here."""
    import torch

    return torch.ones((width, prefix + width), dtype=torch.bool, device=device).tril(prefix)[None, None]


def layer_masks(config: Any, at: torch.Tensor | None, start: int, width: int, device: torch.device) -> Any:
    """`causal_mask` for the layers of a model; by the kind of layer, as transformers asks for it, where some look at a sliding window.

    `at`: [prefix], where the prefix's tokens stand, or None without one; `start`: where each sample goes on.
    """
    import torch

    seen = causal_mask(0 if at is None else len(at), width, device)
    if "sliding_attention" not in (getattr(config, "layer_types", None) or ()):
        return seen
    own = torch.arange(start, start + width, device=device)
    near = own[:, None] - (own if at is None else torch.cat([at, own])) < config.sliding_window
    return {"full_attention": seen, "sliding_attention": seen & near}
