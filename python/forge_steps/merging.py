"""What merging changes where the adapter was trained on a base that was rounded: the model that was trained against the one that is exported.

QLoRA trains an adapter on 4-bit weights, and it is merged onto the base as it is published (merge.py), never onto the rounded one: that would keep the
rounding and add the export's own. The two models are not the same; how far apart they are stands in the training's report and in the export's.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from forge_steps.protocol import Step

#: Positions that are compared.
POSITIONS = 1000


def distance_of_merging(trained: Any, gguf: Path, adapter: Path, tokenizer: Any, rows: Path, step: Step, scratch: Path) -> dict[str, Any]:
    """`trained`: the model in memory, adapter and all, as it ended training (it is in evaluation mode afterwards); `adapter`: the same saved, for the base in
    `gguf`; `scratch`: a folder for the merged model (4 bytes a parameter), which is mapped from it and gone afterwards. Figures, in nats: `merging_kl` of the merged model from the trained one, `merging_kl_max`, and `merging_top1`, the share of `merging_positions`
    where both have the same first choice."""
    from forge_steps.merge import merged_model
    from forge_steps.verify import TorchPredictor, measure, passage, read_rows

    texts = [[token for text in row for token in tokenizer(text, add_special_tokens=False)["input_ids"]] for row in read_rows(rows)]
    trained.eval()
    trained.get_base_model().set_attn_implementation("sdpa")  # Ours in training takes no cache that grows.
    shutil.rmtree(scratch, ignore_errors=True)  # left by a killed run
    try:
        merged = merged_model(gguf, adapter, scratch)
        figures = measure(TorchPredictor(trained), TorchPredictor(merged), passage(texts, POSITIONS), step, ("the trained model", "the merged model")).figures()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return {f"merging_{name}": figures[name] for name in ("kl", "kl_max", "top1", "positions")}
