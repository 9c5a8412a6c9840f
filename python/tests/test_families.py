"""The families that come with forge: what their files say of memory is what preflight reckons, and their kinds are those that the trainer has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from forge_steps import preflight, qlora

FOLDER = Path(__file__).parents[2] / "src" / "models" / "families"
#: What `vram` is said for (schemas/family.schema.json): the rank of the profile `balanced`, and rows of its longest samples.
RANK, ROW_TOKENS = 16, 4096


def sizes() -> list[tuple[str, dict[str, Any]]]:
    found = [(path.stem, json.loads(path.read_text("utf8"))) for path in sorted(FOLDER.glob("*.json"))]
    return [(f"{name}/{size}", source) for name, family in found for size, source in family["sources"].items() if source["kind"] == "repository"]


def shape_of(said: dict[str, Any]) -> preflight.Shape:
    width = said["head_dim"]
    return preflight.Shape(
        said["hidden"], said["intermediate"], said["layers"], said["heads"] * width, said["key_value_heads"] * width, said["vocabulary"], said["tied"]
    )


def test_there_are_some() -> None:
    assert len(sizes()) > 20


@pytest.mark.parametrize(("name", "source"), sizes(), ids=[name for name, _ in sizes()])
def test_memory_is_what_preflight_reckons(name: str, source: dict[str, Any]) -> None:
    shape = shape_of(source["shape"])
    # Norms and biases are not counted there.
    assert source["parameters"] == pytest.approx(shape.parameters, rel=0.003), name
    needs = preflight.estimate(
        shape, rank=RANK, row_tokens=ROW_TOKENS, longest=ROW_TOKENS, tokens=0, bytes_each=2, device="cuda", recomputed=True, bytes_a_weight=qlora.BYTES_A_WEIGHT
    )
    assert source["vram"]["qlora_gb"] == pytest.approx(needs.training / 1e9, rel=0.1, abs=0.1), name
    assert source["vram"]["measured"] is False


def test_memory_of_the_smallest_is_reckoned_from_its_own_config() -> None:
    config = json.loads((FOLDER.parents[2] / "models" / "nano" / "config.json").read_text("utf8"))
    said = {
        "hidden": config["hidden_size"], "intermediate": config["intermediate_size"], "layers": config["num_hidden_layers"], "heads": config["num_attention_heads"],
        "key_value_heads": config["num_key_value_heads"], "head_dim": config["head_dim"], "vocabulary": config["vocab_size"], "tied": config["tie_word_embeddings"],
    }  # fmt: skip
    needs = preflight.estimate(
        shape_of(said), rank=RANK, row_tokens=ROW_TOKENS, longest=ROW_TOKENS, tokens=0, bytes_each=2, device="cuda", recomputed=True, bytes_a_weight=qlora.BYTES_A_WEIGHT
    )
    vram = json.loads((FOLDER / "nano.json").read_text("utf8"))["vram"]
    assert vram == {"qlora_gb": pytest.approx(needs.training / 1e9, abs=0.05), "measured": False}
