"""Writes tests/models/fixtures/training-memory.json: what preflight.py estimates of made-up trainings, which src/models/training-memory.ts has to give too.

`python training_memory_cases.py FILE`; test_preflight.py compares the file with what it would write.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

from forge_steps.backends import Backend
from forge_steps.preflight import Shape, estimate
from forge_steps.qlora import Qlora
from forge_steps.unsloth_backend import Unsloth

#: nano, SmolLM2-135M, Qwen2.5-14B, Llama-3.2-1B, Gemma-3-1B (whose heads are wider than its hidden size), as their config.json have them.
SHAPES: dict[str, dict[str, Any]] = {
    "nano": {"hidden": 256, "intermediate": 704, "layers": 4, "heads": 4, "key_value_heads": 4, "head_dim": 64, "vocabulary": 1536, "tied": True},
    "smollm2": {"hidden": 576, "intermediate": 1536, "layers": 30, "heads": 9, "key_value_heads": 3, "head_dim": 64, "vocabulary": 49152, "tied": True},
    "qwen2.5-14b": {"hidden": 5120, "intermediate": 13824, "layers": 48, "heads": 40, "key_value_heads": 8, "head_dim": 128, "vocabulary": 152064, "tied": False},
    "llama-3.2-1b": {"hidden": 2048, "intermediate": 8192, "layers": 16, "heads": 32, "key_value_heads": 8, "head_dim": 64, "vocabulary": 128256, "tied": True},
    "gemma-3-1b": {"hidden": 1152, "intermediate": 6912, "layers": 26, "heads": 4, "key_value_heads": 1, "head_dim": 256, "vocabulary": 262144, "tied": True},
}
BACKENDS: tuple[Backend, ...] = (Backend(), Qlora(), Unsloth())


def cases() -> list[dict[str, Any]]:
    import torch

    found = []
    for (name, s), backend, (device, bytes_each), recomputed, (rank, rows, processes) in itertools.product(
        SHAPES.items(), BACKENDS, (("cpu", 4), ("cpu", 2), ("cuda", 2)), (False, True), ((16, 2560, 1), (32, 4096, 2))
    ):
        if backend.name == "unsloth" and device == "cpu":
            continue
        shape = Shape(s["hidden"], s["intermediate"], s["layers"], s["heads"] * s["head_dim"], s["key_value_heads"] * s["head_dim"], s["vocabulary"], s["tied"])
        needs = estimate(
            shape,
            rank=rank,
            row_tokens=rows,
            longest=1,
            tokens=1,
            bytes_each=bytes_each,
            bytes_a_weight=backend.bytes_a_weight(torch.float32 if bytes_each == 4 else torch.bfloat16),
            device=device,
            recomputed=recomputed,
            processes=processes,
            loaded_on_host=backend.loads_on_host,
        )
        plan = {"backend": backend.name, "device": device, "bytesEach": bytes_each, "rank": rank, "rowTokens": rows, "recomputed": recomputed, "processes": processes}
        found.append({"shape": name, "plan": plan, "needs": {"loading": needs.loading, "training": needs.training}})
    return found


def text() -> str:
    lines = ",\n".join(f"    {json.dumps(case)}" for case in cases())
    shapes = ",\n".join(f"    {json.dumps(name)}: {json.dumps(shape)}" for name, shape in SHAPES.items())
    return f'{{\n  "shapes": {{\n{shapes}\n  }},\n  "cases": [\n{lines}\n  ]\n}}\n'


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), "utf-8")
