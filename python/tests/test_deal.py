"""Who trains which samples of a step: every sample once, and nobody much longer than he must."""

from __future__ import annotations

from typing import Any

import pytest
from forge_steps.deal import deal, tokens
from forge_steps.protocol import Spec, StepError
from forge_steps.ranks import processes_of
from hypothesis import given
from hypothesis import strategies as st

#: A step: of each batch how many tokens its samples share, and how many more each has.
STEPS = st.lists(st.tuples(st.integers(0, 2000), st.lists(st.integers(1, 400), min_size=1, max_size=12)), min_size=1, max_size=5)


@given(STEPS, st.integers(1, 6))
def test_every_sample_is_dealt_once_in_its_order(step: Any, processes: int) -> None:
    beginnings = [begin for begin, _ in step]
    lengths = [[begin + own for own in of] for begin, of in step]
    shares = deal(lengths, beginnings, processes)
    assert len(shares) == processes and all(len(share) == len(step) for share in shares)
    for batch, of in enumerate(lengths):
        assert sorted(i for share in shares for i in share[batch]) == list(range(len(of)))
    assert all(places == sorted(places) for share in shares for places in share)
    assert shares == deal(lengths, beginnings, processes)


@given(STEPS, st.integers(2, 6))
def test_nobody_has_much_more_than_the_others(step: Any, processes: int) -> None:
    beginnings = [begin for begin, _ in step]
    lengths = [[begin + own for own in of] for begin, of in step]
    most = max(tokens(share, lengths, beginnings) for share in deal(lengths, beginnings, processes))
    alone = tokens([list(range(len(of))) for of in lengths], lengths, beginnings)
    assert most <= alone
    # Sharing everything out evenly, beginnings with it, is at most one sample better.
    own = sum(length - begin for of, begin in zip(lengths, beginnings, strict=True) for length in of)
    longest = max(length - begin for of, begin in zip(lengths, beginnings, strict=True) for length in of)
    assert most <= sum(beginnings) + own / processes + longest


def test_whole_batches_where_their_beginnings_are_long() -> None:
    # Two toolsets of 1,000 tokens: split, both processes would compute both.
    assert deal([[1010, 1010], [1010, 1010]], [1000, 1000], 2) == [[[0, 1], []], [[], [0, 1]]]
    # One: each computes it, and half of the samples.
    assert [sorted(map(len, share)) for share in deal([[110] * 6], [100], 2)] == [[3], [3]]
    # More processes than samples.
    assert deal([[5]], [0], 3) == [[[0]], [[]], [[]]]


def test_so_many_processes_as_there_are_gpus() -> None:
    def wanted(there: int, shown: str | None = None, **spec: Any) -> int:
        return processes_of(Spec(spec), there, shown)

    assert [wanted(0), wanted(4), wanted(0, gpus=1), wanted(0, gpus="all"), wanted(4, gpus="all"), wanted(4, gpus=3)] == [1, 1, 1, 1, 4, 3]
    # `processes` is for CPUs.
    assert [wanted(0, processes=2), wanted(0, gpus="all", processes=2), wanted(4, processes=2), wanted(4, gpus="all", processes=2)] == [2, 2, 1, 4]
    with pytest.raises(StepError, match=r"`train.gpus` is 4, and CUDA_VISIBLE_DEVICES \(0,1\) shows 2") as shown:
        wanted(2, "0,1", gpus=4)
    assert shown.value.code == "train/gpus" and "Set `train.gpus: 2`, or `all`, or let CUDA_VISIBLE_DEVICES show more." == shown.value.hint
    with pytest.raises(StepError, match="`train.gpus` is 4, and this machine has 2"):
        wanted(2, gpus=4)
    with pytest.raises(StepError, match="no GPU here") as none:
        wanted(0, gpus=2, processes=2)
    assert none.value.hint is not None and "processes: 2" in none.value.hint
    for wrong in ({"gpus": 0}, {"gpus": "some"}, {"processes": 0}):
        with pytest.raises(StepError, match="whole number"):
            wanted(0, **wrong)
