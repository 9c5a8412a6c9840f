"""Export on a tiny model, for real: merge, GGUF, llama.cpp's logits against PyTorch's, quantization."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from export_support import STOP_TOKENS, TEMPLATE, Tiny, libraries, run_step

pytestmark = pytest.mark.skipif(not libraries().is_dir(), reason="node_modules holds no llama.cpp for this machine")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_file_is_the_model_and_says_what_it_is(exported: tuple[Path, dict]) -> None:
    path, figures = exported
    assert figures["bytes"] == path.stat().st_size
    assert figures["positions"] == 600
    assert figures["kl"] <= 1e-4
    assert figures["top1_clear"] == 1.0 and figures["clear_positions"] > 100
    assert figures["tokens_equal"] > 600
    import gguf

    fields = {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items() if len(field.data) < 100}
    assert fields["general.name"] == "tiny" and fields["general.license"] == "apache-2.0"
    assert fields["mcp_forge.tools"] == ["get_weather", "get_alerts"]
    assert fields["mcp_forge.training.steps"] == 3 and fields["mcp_forge.training.final_loss"] == 0.25
    assert fields["tokenizer.chat_template"] == TEMPLATE
    assert fields["tokenizer.ggml.eos_token_id"] == 2 and not fields.get("tokenizer.ggml.add_bos_token")
    assert fields["tokenizer.ggml.pre"] == "smollm"
    assert str(path.parent.parent).encode() not in path.read_bytes()


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes_and_leave_nothing_behind(tiny: Tiny, exported: tuple[Path, dict], tmp_path: Path) -> None:
    last, log = run_step("export", tiny.export_spec(tmp_path, threads=1, verify=None), tmp_path)
    assert last["type"] == "result", (last, log)
    assert sha256(tmp_path / "model.gguf") == sha256(exported[0])
    assert "Loading weights" not in log and "Writing model shards" not in log  # bars would be the last that is shown of a failure
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["export.spec.json", "model.gguf", "scratch"]


def test_quantizations_are_small_close_and_deterministic(tiny: Tiny, exported: tuple[Path, dict], tmp_path: Path) -> None:
    sizes = {"f16": exported[1]["bytes"]}
    for format, nearest in (("q8_0", 0.05), ("q5_k_m", 0.5), ("q4_k_m", 1.0)):
        spec = {"input": str(exported[0]), "output": str(tmp_path / f"{format}.gguf"), "format": format, "libraries": str(libraries())}
        last, log = run_step("quantize", {**spec, "threads": 2, "verify": {"rows": str(tiny.rows), "positions": 300}}, tmp_path)
        assert last["type"] == "result", (last, log)
        sizes[format] = last["figures"]["bytes"]
        assert 0 < last["figures"]["kl"] < nearest
        first = sha256(tmp_path / f"{format}.gguf")
        assert run_step("quantize", {**spec, "threads": 1}, tmp_path)[0]["type"] == "result"
        assert sha256(tmp_path / f"{format}.gguf") == first
    assert sizes["f16"] > sizes["q8_0"] > sizes["q5_k_m"] > sizes["q4_k_m"]
    assert not list(tmp_path.glob("*.part"))


def test_weights_beyond_float16_are_kept_and_the_file_stays_the_model(tiny: Tiny, tmp_path: Path) -> None:
    """A bfloat16 base may hold 131,072, which is infinite in float16."""
    import gguf
    import numpy as np
    from safetensors.torch import load_file, save_file

    hub = tmp_path / "hub"
    shutil.copytree(tiny.base.parent / "hub", hub)
    weights = load_file(hub / "model.safetensors")
    weights["model.layers.0.mlp.down_proj.weight"][3, 5] = 131072
    weights["model.layers.0.mlp.up_proj.weight"][5] = 0  # what it is multiplied with, so that the model still says something
    save_file(weights, hub / "model.safetensors", {"format": "pt"})
    converted = {"folder": str(hub), "output": str(tmp_path / "base.gguf"), "pre_tokenizer": "smollm", "metadata": {}, "converter": tiny.converter}
    last, log = run_step("convert_base", converted, tmp_path)
    assert last["type"] == "result", (last, log)
    last, log = run_step("export", tiny.export_spec(tmp_path, base={"gguf": str(tmp_path / "base.gguf")}, adapter=None), tmp_path)
    assert last["type"] == "result", (last, log)
    kept = {t.name: t for t in gguf.GGUFReader(tmp_path / "model.gguf").tensors}
    assert kept["blk.0.ffn_down.weight"].tensor_type.name == "F32" and kept["blk.1.ffn_down.weight"].tensor_type.name == "F16"
    assert float(np.max(kept["blk.0.ffn_down.weight"].data)) == 131072
    spec = {"input": str(tmp_path / "model.gguf"), "output": str(tmp_path / "q8_0.gguf"), "format": "q8_0", "libraries": str(libraries())}
    last, log = run_step("quantize", {**spec, "threads": 1, "verify": {"rows": str(tiny.rows), "positions": 50}}, tmp_path)
    assert last["type"] == "result", (last, log)


def test_another_model_is_refused_and_leaves_no_file(tiny: Tiny, tmp_path: Path) -> None:
    """The comparison must be able to fail: the file of the base alone is not the tuned model."""
    import torch

    from forge_steps.llama_cpp import Library
    from forge_steps.merge import merged_model
    from forge_steps.model import load_tokenizer
    from forge_steps.protocol import Spec, Step, StepError
    from forge_steps.verify import Comparison, check_tokens, compare_with_python, read_rows

    torch.set_num_threads(1)
    tokenizer, library = load_tokenizer(tiny.base), Library(libraries())
    step = Step("test", Spec({}), os.open(os.devnull, os.O_WRONLY))
    model, on = merged_model(tiny.base, tiny.adapter, tmp_path / "merged"), Comparison.of(tiny.rows, 300, tokenizer)
    template = tokenizer.chat_template or TEMPLATE
    with pytest.raises(StepError) as caught:
        compare_with_python(library, tiny.base, model, tokenizer, on, template, STOP_TOKENS, 1, step)
    assert caught.value.code == "export/not-the-model"
    with pytest.raises(StepError) as caught:
        compare_with_python(library, tiny.base, model, tokenizer, on, "another template", STOP_TOKENS, 1, step)
    assert caught.value.code == "export/template"
    with library.model(tiny.base) as loaded:
        # GPT-2's pre-tokenizer, which transformers would take for this file.
        from tokenizers import pre_tokenizers

        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        with pytest.raises(StepError) as caught:
            check_tokens(lambda text: tokenizer(text, add_special_tokens=False)["input_ids"], loaded, read_rows(tiny.rows))
    assert caught.value.code == "export/tokens-differ"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"metadata": {"tokenizer.chat_template": "x"}}, "step/spec"),
        ({"metadata": {"mcp_forge.tools": []}}, "step/spec"),
        ({"stop_tokens": "<|im_end|>"}, "step/spec"),
        ({"converter": {"checkout": "/nowhere"}}, "export/converter"),
        ({"converter": {"bundle": "/nowhere", "cache": "/tmp/mcp-forge-test-no-such-cache"}}, "export/converter"),
    ],
)
def test_a_spec_that_cannot_work_is_refused_at_once(tiny: Tiny, tmp_path: Path, change: dict, code: str) -> None:
    last, log = run_step("export", tiny.export_spec(tmp_path, **change), tmp_path)
    assert (last["type"], last.get("code")) == ("error", code), log
    assert not (tmp_path / "model.gguf").exists()


def test_a_damaged_model_file_is_an_error_not_a_crash(tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF" + b"\xff" * 200)
    spec = {"input": str(bad), "output": str(tmp_path / "out.gguf"), "format": "q8_0", "libraries": str(libraries())}
    last, log = run_step("quantize", spec, tmp_path)
    assert (last["type"], last.get("code")) == ("error", "export/quantize"), log
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.gguf", "quantize.spec.json"]
