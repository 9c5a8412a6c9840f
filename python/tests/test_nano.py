"""The model that is shipped: the same ids and logits in Python and in llama.cpp, on any text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from export_support import ROOT, compare_with_llama_cpp, fuzzed, libraries

NANO = ROOT / "models" / "nano"


@pytest.mark.skipif(not libraries().is_dir(), reason="node_modules holds no llama.cpp for this machine")
def test_llama_cpp_has_the_same_ids_and_logits(tmp_path: Path) -> None:
    rows = fuzzed(150, seed=11)
    figures = compare_with_llama_cpp(NANO, rows, tmp_path)
    assert figures["kl"] <= 1e-4 and figures["tokens_equal"] > 5000


def test_its_card_tells_what_made_it() -> None:
    made = json.loads((NANO / "training.json").read_text("utf-8"))
    losses = (NANO / "loss.csv").read_text("utf-8").splitlines()
    runs, run = [], made
    while run is not None:
        runs.append(run["figures"]["steps"])
        run = run.get("before")
    assert len(losses) == sum(runs) + 1
    config = json.loads((NANO / "config.json").read_text("utf-8"))
    assert config["hidden_size"] % 256 == 0 and config["max_position_embeddings"] == 8192
    for name in ("vocabulary", "hidden", "layers"):
        key = {"vocabulary": "vocab_size", "hidden": "hidden_size", "layers": "num_hidden_layers"}[name]
        assert config[key] == made["shape"][name]
