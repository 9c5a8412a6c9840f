"""Which process trains which samples of an optimiser step.

The step's samples are the same set whatever the number of processes; what is dealt is only who computes whose gradient. A process that gets a sample
has to compute the beginning that it shares with its batch too, so a batch that is split costs its beginning once a process.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

#: For each process, of each batch, the places of its samples in the batch, ascending.
Shares = list[list[list[int]]]


def deal(lengths: Sequence[Sequence[int]], beginnings: Sequence[int], processes: int) -> Shares:
    """Deals the samples of a step so that the process with the most tokens has as few as may be; decided by the arguments alone.

    `lengths`: tokens of each sample, by batch; `beginnings`: how many of them all samples of a batch share. Of two ways the better one: whole batches, which
    compute no beginning twice, or samples one by one, both the largest first to whoever has least so far (the LPT rule, Graham, 1969).
    With fewer samples than processes some get none.
    """
    if processes == 1:
        return [[list(range(len(batch))) for batch in lengths]]
    ways = [_whole_batches(lengths, beginnings, processes), _one_by_one(lengths, beginnings, processes)]
    return min(ways, key=lambda shares: max(tokens(share, lengths, beginnings) for share in shares))


def tokens(share: Sequence[Sequence[int]], lengths: Sequence[Sequence[int]], beginnings: Sequence[int]) -> int:
    """Tokens that go through the model for a share: each beginning once, and what follows it in every sample."""
    return sum(begin + sum(of[i] - begin for i in places) for places, of, begin in zip(share, lengths, beginnings, strict=True) if places)


def _whole_batches(lengths: Sequence[Sequence[int]], beginnings: Sequence[int], processes: int) -> Shares:
    shares: Shares = [[[] for _ in lengths] for _ in range(processes)]
    costs = [begin + sum(length - begin for length in of) for of, begin in zip(lengths, beginnings, strict=True)]
    least = [(0, process) for process in range(processes)]
    for batch in sorted(range(len(lengths)), key=lambda b: (-costs[b], b)):
        load, process = heapq.heappop(least)
        shares[process][batch] = list(range(len(lengths[batch])))
        heapq.heappush(least, (load + costs[batch], process))
    return shares


def _one_by_one(lengths: Sequence[Sequence[int]], beginnings: Sequence[int], processes: int) -> Shares:
    """Batch by batch; the beginning counts for whoever gets the first sample of it."""
    shares: Shares = [[[] for _ in lengths] for _ in range(processes)]
    loads = [0] * processes
    for batch, (of, begin) in enumerate(zip(lengths, beginnings, strict=True)):
        # Loads as they would be with the beginning, which all but a small batch brings to every process.
        least = [(loads[process] + begin, process) for process in range(processes)]
        heapq.heapify(least)
        for i in sorted(range(len(of)), key=lambda i: (-of[i], i)):
            load, process = heapq.heappop(least)
            shares[process][batch].append(i)
            loads[process] = load + of[i] - begin
            heapq.heappush(least, (loads[process], process))
        for share in shares:
            share[batch].sort()
    return shares
