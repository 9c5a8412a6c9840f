"""A base model in the hub's form becomes a GGUF with the same weights and the same tokens."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from export_support import BUNDLE, ROOT, run_step

pytestmark = pytest.mark.skipif(not BUNDLE.is_file(), reason="node_modules holds no sources of llama.cpp")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    env = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    subprocess.run([sys.executable, str(Path(__file__).with_name("hub_support.py")), str(folder)], env=env, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def spec(folder: Path, output: Path, cache: Path, **changes: Any) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "output": str(output),
        "pre_tokenizer": "smollm",
        "metadata": {"general.name": "Tiny", "general.license": "apache-2.0"},
        "converter": {"bundle": str(BUNDLE), "cache": str(cache)},
        **changes,
    }


@pytest.fixture(scope="module")
def converted(hub: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("converted")
    last, log = run_step("convert_base", spec(hub, folder / "model.gguf", cache), folder)
    assert last["type"] == "result", (last, log)
    return folder / "model.gguf", last["figures"]


def test_weights_come_out_bit_for_bit_and_tokens_as_they_were(hub: Path, converted: tuple[Path, dict[str, Any]]) -> None:
    target, figures = converted
    assert figures == {"bytes": target.stat().st_size, "sha256": hashlib.sha256(target.read_bytes()).hexdigest()}

    import gguf
    import torch
    from transformers import AutoModelForCausalLM

    from export_support import byte_tokenizer
    from forge_steps.model import load_base, load_tokenizer

    reader = gguf.GGUFReader(target)
    assert {t.tensor_type.name for t in reader.tensors if len(t.shape) > 1} == {"BF16"}
    fields = {name: field.contents() for name, field in reader.fields.items() if len(field.data) < 100}
    assert fields["general.name"] == "Tiny" and fields["general.license"] == "apache-2.0"
    assert fields["tokenizer.ggml.pre"] == "smollm"
    # What training and export load is what the hub gives out.
    theirs = AutoModelForCausalLM.from_pretrained(hub, dtype=torch.float32).state_dict()
    ours = load_base(target, torch.float32).state_dict()
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)
    text = "<|im_start|>user\nthe  12 inns,\n\nnaïve 🌦<|im_end|>\n"
    assert load_tokenizer(target)(text)["input_ids"] == byte_tokenizer()(text)["input_ids"]


@pytest.mark.slow
def test_the_same_files_give_the_same_bytes_wherever_they_lie(hub: Path, cache: Path, converted: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    shutil.copytree(hub, folder)
    last, log = run_step("convert_base", spec(folder, tmp_path / "other.gguf", cache), tmp_path)
    assert last["type"] == "result", (last, log)
    assert last["figures"] == converted[1]
    assert str(tmp_path).encode() not in (tmp_path / "other.gguf").read_bytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_weight_that_is_no_finite_number_is_named(hub: Path, cache: Path, tmp_path: Path, value: float) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "strange"
    shutil.copytree(hub, folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.1.mlp.down_proj.weight"][3, 5] = value
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    last, _ = run_step("convert_base", spec(folder, tmp_path / "model.gguf", cache), tmp_path)
    assert (last["type"], last.get("code")) == ("error", "models/not-finite") and "blk.1.ffn_down.weight" in last["message"], last
    assert not list(tmp_path.glob("*model.gguf*"))

    import torch

    from forge_steps.model import load_base
    from forge_steps.protocol import StepError

    # What came into the cache otherwise (a GGUF of the user's) is refused when it is loaded, and training does not blame the learning rate.
    with pytest.raises(StepError, match=r"model\.layers\.1\.mlp\.down_proj\.weight"):
        load_base(folder, torch.float32)


def test_files_that_are_no_model_are_an_error_and_leave_nothing(hub: Path, cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(hub, folder)
    (folder / "model.safetensors").write_bytes(b"no weights")
    (tmp_path / "out").mkdir()
    last, _ = run_step("convert_base", spec(folder, tmp_path / "out" / "model.gguf", cache), tmp_path)
    assert last["type"] == "error" and last["code"] == "models/unconvertible", last
    assert list((tmp_path / "out").iterdir()) == []
