"""Gradients of steps that two processes share: `python team_rig.py FOLDER` is the second process, and a test the first (test_several_processes.py)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from forge_steps.deal import deal
from forge_steps.prefix import Encoded, shared_prefix, step_backward, weight_of
from forge_steps.team import Team, join
from test_prefix import encoded, trainee

#: Kind of model, attention and batching; and how many samples each batch of the step has.
CASES = [
    ("llama", "ours", "shared_prefix"),
    ("llama", "ours", "padded"),
    ("llama", "pytorch's", "shared_prefix"),
    ("llama", "pytorch's", "packed"),
    ("gemma3_text", "ours", "shared_prefix"),
    ("gemma3_text", "pytorch's", "padded"),
]
STEPS = {"seven samples": [7], "one sample, and a process without any": [1], "three groups": [2, 1, 4]}


def gradients(team: Team) -> Iterator[tuple[str, float, torch.Tensor]]:
    """Of each case its name, loss and gradients, as the training step has them (`learn` in train.py)."""
    for kind, attention, batching in CASES:
        made = trainee(attention, kind)
        for name, sizes in STEPS.items():
            batches = [encoded(size, seed) for seed, size in enumerate(sizes)]
            begins = [shared_prefix(batch) if batching == "shared_prefix" else 0 for batch in batches]
            whole = sum(weight_of(batch, begin) for batch, begin in zip(batches, begins, strict=True))
            made.drop_gradients()
            loss = 0.0
            for batch, begin, places in zip(batches, begins, deal([[len(s.ids) for s in b] for b in batches], begins, team.size)[team.rank], strict=True):
                mine: list[Encoded] = [batch[i] for i in places]
                if mine:
                    loss += step_backward(made.model, mine, begin, 400, whole=whole, packed=batching == "packed")[0]
            loss = sum(part for (part,) in team.tell([loss]))
            team.add_up(made.flat_gradients())
            yield f"{kind}, {attention} attention, {batching}, {name}", loss, made.flat_gradients().clone()


if __name__ == "__main__":
    torch.set_num_threads(1)
    for _ in gradients(join(1, 2, Path(sys.argv[1]), "cpu", lambda: None, lambda: RuntimeError("lost"))):
        pass
