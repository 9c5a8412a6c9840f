"""Every format that a model can be exported in, the importance matrix, and the adapter alone: on a tiny model, by the quantizer and llama.cpp that ship."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export_support import ROOT, Tiny, libraries, run_step, run_together
from forge_steps.llama_structs import FTYPES, IGNORE_MATRIX, NEED_MATRIX
from forge_steps.protocol import Spec, Step, StepError

pytestmark = pytest.mark.skipif(not libraries().is_dir(), reason="node_modules holds no llama.cpp for this machine")

QUANTIZATIONS = [name for name in FTYPES if name != "f16"]


@pytest.fixture(scope="module")
def merged(exported: tuple[Path, dict[str, Any]]) -> Path:
    return exported[0]


@pytest.fixture(scope="module")
def matrix(tiny: Tiny, merged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("matrix")
    spec = {"input": str(merged), "rows": str(tiny.rows), "output": str(folder / "im.gguf"), "libraries": str(libraries()), "threads": 2}
    last, log = run_step("imatrix", spec, folder)
    assert last["type"] == "result", (last, log)
    assert last["figures"]["tensors"] == 14 and last["figures"]["positions"] > 1000
    return folder / "im.gguf"


Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def quantize(tiny: Tiny, merged: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The step in this process: starting a Python for each format would take most of the time."""
    from forge_steps import quantize as module

    folder = tmp_path_factory.mktemp("quantized")
    out = os.open(folder / "events.jsonl", os.O_WRONLY | os.O_CREAT)

    def run(format: str, **changes: Any) -> dict[str, Any]:
        spec = {
            "input": str(merged),
            "output": str(folder / f"{format}.gguf"),
            "format": format,
            "libraries": str(libraries()),
            "threads": 2,
            "verify": {"rows": str(tiny.rows), "positions": 200},
            **changes,
        }
        figures = module.run(Step("quantize", Spec(spec), out))
        return {**figures, "path": spec["output"], "log": (folder / "events.jsonl").read_text("utf-8")}

    return run


#: The quantizer builds a table of seconds for each of these; `npm run test:slow` has them (tests/slow/formats.slow.test.ts).
SLOW = frozenset({"iq3_xxs", "iq2_m", "iq2_s", "iq2_xs", "iq2_xxs"})
#: Bits of a weight, and the mean KL in nats that a random model of 1.2M parameters may stray by: far from zero and far from that of another model (0.97).
EXPECTED = {
    "f32": (32, 1e-4), "bf16": (16.1, 0.001), "q8_0": (8.6, 0.01), "q6_k": (6.7, 0.05), "q5_k_m": (5.8, 0.1), "q5_k_s": (5.7, 0.1), "q5_1": (6.2, 0.1),
    "q5_0": (5.7, 0.15), "q4_k_m": (5, 0.3), "q4_k_s": (4.8, 0.3), "q4_1": (5.2, 0.3), "q4_0": (4.8, 0.3), "q3_k_l": (4.5, 0.5), "q3_k_m": (4.2, 0.5),
    "q3_k_s": (3.8, 0.6), "q2_k": (3.4, 0.9), "q2_k_s": (3.2, 0.9), "iq4_nl": (4.8, 0.3), "iq4_xs": (4.6, 0.3), "iq3_m": (4, 0.6), "iq3_s": (3.9, 0.6),
    "iq3_xs": (3.7, 0.6), "iq3_xxs": (3.4, 0.7), "iq2_m": (3.1, 0.8), "iq2_s": (2.9, 0.9), "iq2_xs": (2.7, 0.95), "iq2_xxs": (2.5, 0.95),
}  # fmt: skip


@pytest.mark.parametrize("format", [name for name in QUANTIZATIONS if name not in SLOW or os.environ.get("FORGE_SLOW")])
def test_every_format_loads_answers_and_strays_no_further_than_its_size_lets_it(quantize: Run, matrix: Path, format: str) -> None:
    figures = quantize(format, **({"imatrix": str(matrix)} if format in NEED_MATRIX else {}))
    bits, kl = EXPECTED[format]
    assert figures["bits_per_weight"] <= bits
    assert 0 < figures["kl"] < kl
    assert figures["fallback_tensors"] == 0 and sum(figures["tensor_types"].values()) == 20
    # A random model predicts nothing: both perplexities are those of hundreds of tokens, and near each other.
    assert 100 < figures["perplexity"] < 2000 and figures["perplexity_reference"] == pytest.approx(768, rel=0.2)
    import gguf

    assert gguf.GGUFReader(figures["path"]).fields["general.file_type"].contents() == FTYPES[format]


def test_the_names_are_those_of_the_schema() -> None:
    schema = json.loads((ROOT / "schemas" / "forge.schema.json").read_text("utf-8"))
    assert set(schema["definitions"]["exportFormat"]["enum"]) == {*FTYPES, "lora"}
    rows = dict(re.findall(r"^  (\w+): row\(([^)]*)\)", (ROOT / "src" / "recipe" / "formats.ts").read_text("utf-8"), re.MULTILINE))
    assert rows.keys() == FTYPES.keys()
    assert {name for name, row in rows.items() if "needed" in row} == NEED_MATRIX
    assert {name for name, row in rows.items() if "never" in row} == IGNORE_MATRIX


# -- the importance matrix


@pytest.mark.parametrize("format", ["q4_k_m", "iq3_s", "q4_0"])
def test_the_matrix_changes_the_file_and_brings_it_nearer(quantize: Run, matrix: Path, format: str) -> None:
    without = quantize(format)
    plain = Path(without["path"]).read_bytes()
    figures = quantize(format, imatrix=str(matrix))
    assert Path(figures["path"]).read_bytes() != plain
    assert figures["kl_without_imatrix"] == without["kl"] and figures["perplexity_without_imatrix"] == without["perplexity"]
    assert figures["kl"] < figures["kl_without_imatrix"]
    import gguf

    fields = gguf.GGUFReader(figures["path"]).fields
    assert fields["quantize.imatrix.entries_count"].contents() == 14
    assert fields["quantize.imatrix.dataset"].contents() == "MCP-Forge training samples"
    assert not list(Path(figures["path"]).parent.glob(".*"))


def test_the_matrix_is_what_pytorch_multiplies_the_weights_with(tiny: Tiny, matrix: Path, tmp_path: Path) -> None:
    import torch

    from forge_steps import imatrix
    from forge_steps.llama_cpp import Library
    from forge_steps.merge import merged_model
    from forge_steps.model import load_tokenizer
    from forge_steps.verify import passage, read_other_rows

    torch.set_num_threads(1)
    tokenizer, model = load_tokenizer(tiny.base), merged_model(tiny.base, tiny.adapter, tmp_path / "merged")
    samples = [[t for text in row for t in tokenizer(text, add_special_tokens=False)["input_ids"]] for row in read_other_rows(tiny.rows, 256)]
    what = passage(samples, imatrix.TOKENS)
    sums: dict[str, Any] = {}
    seen = 0

    def hook(name: str, skip: int) -> Any:
        def add(_module: Any, inputs: tuple[Any, ...]) -> None:
            sums[name] = sums.get(name, 0) + inputs[0][0, skip:].double().square().sum(0).numpy()

        return add

    names = {"self_attn.q_proj": "attn_q", "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.down_proj": "ffn_down"}
    for number, tail in enumerate(what.tails):
        skip = len(what.prefix) if number else 0  # the shared beginning counts once
        hooks = [
            model.get_submodule(f"model.layers.{layer}.{ours}").register_forward_pre_hook(hook(f"blk.{layer}.{theirs}.weight", skip))
            for layer in (0, 1)
            for ours, theirs in names.items()
        ]
        with torch.inference_mode():
            model(input_ids=torch.tensor([what.prefix + tail]))
        seen += len(what.prefix) - skip + len(tail)
        for one in hooks:
            one.remove()
    means, chunks = imatrix.read(matrix)
    assert chunks == seen // 256 and set(sums) < set(means)
    for name, total in sums.items():
        np.testing.assert_allclose(means[name], total / seen, rtol=0.02, atol=1e-6)
    assert Library(libraries()).tensor_layout_is_known()


def test_the_matrix_is_the_same_whatever_the_number_of_threads(tiny: Tiny, merged: Path, matrix: Path, tmp_path: Path) -> None:
    spec = {"input": str(merged), "rows": str(tiny.rows), "output": str(tmp_path / "im.gguf"), "libraries": str(libraries()), "threads": 1}
    assert run_step("imatrix", spec, tmp_path)[0]["type"] == "result"
    assert (tmp_path / "im.gguf").read_bytes() == matrix.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["im.gguf", "imatrix.spec.json"]


def test_the_matrix_is_not_taken_from_the_samples_that_it_is_judged_on(tmp_path: Path) -> None:
    from forge_steps.verify import read_other_rows, read_rows

    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"id": str(i), "segments": [{"text": str(i)}]}) + "\n" for i in range(300)), "utf-8")
    judged, looked_at = ({row[0] for row in rows} for rows in (read_rows(path), read_other_rows(path, 100)))
    assert len(judged) == 64 and len(looked_at) == 100 and not judged & looked_at
    path.write_text("".join(json.dumps({"id": str(i), "segments": [{"text": str(i)}]}) + "\n" for i in range(70)), "utf-8")
    assert len(read_other_rows(path, 100)) == 70  # the six others would say too little


@pytest.mark.parametrize(
    ("format", "change", "words"),
    [
        ("iq2_xs", {}, "cannot be made without an importance matrix"),
        ("q8_0", {"imatrix": "MATRIX"}, "no importance matrix changes q8_0"),
        ("q4_k_m", {"imatrix": "MODEL"}, "no importance matrix of llama.cpp's form"),
    ],
)
def test_a_matrix_that_lacks_or_does_not_fit_is_refused_with_what_to_do(quantize: Run, matrix: Path, merged: Path, format: str, change: dict, words: str) -> None:
    paths = {"MATRIX": str(matrix), "MODEL": str(merged)}
    with pytest.raises(StepError) as caught:
        quantize(format, **{name: paths[value] for name, value in change.items()})
    assert caught.value.code == "export/imatrix" and words in caught.value.message and caught.value.hint


# -- shapes, damage


def test_rows_that_no_block_of_256_fits_fall_back_and_are_counted(tmp_path: Path) -> None:
    """SmolLM2's hidden size is 576: most of its matrices cannot be K-quants."""
    from gguf import GGUFReader, GGUFWriter

    from forge_steps.llama_cpp import Library
    from forge_steps.quantize import contents, fallback_words

    hidden, layers, vocabulary = 96, 1, 64
    writer = GGUFWriter(tmp_path / "odd.gguf", "llama")
    for key, value in {"context_length": 128, "embedding_length": hidden, "block_count": layers, "feed_forward_length": 256, "attention.head_count": 4}.items():
        writer.add_uint32(f"llama.{key}", value)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    random = np.random.default_rng(0)
    shapes = {"token_embd": (vocabulary, hidden), "blk.0.attn_q": (hidden, hidden), "blk.0.attn_k": (hidden, hidden), "blk.0.attn_v": (hidden, hidden),
              "blk.0.attn_output": (hidden, hidden), "blk.0.ffn_gate": (256, hidden), "blk.0.ffn_up": (256, hidden), "blk.0.ffn_down": (hidden, 256)}  # fmt: skip
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", random.normal(0, 1, shape).astype(np.float16))
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(hidden, np.float32))
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()
    fallbacks = Library(libraries()).quantize(tmp_path / "odd.gguf", tmp_path / "q4.gguf", "q4_k_m", 2)
    assert fallbacks == 6  # and the embedding, which a file of any format has in a type of its own
    types = contents(tmp_path / "q4.gguf")["tensor_types"]
    assert types == {"F32": 3, "Q5_0": 5, "Q6_K": 1, "Q8_0": 2}
    assert {t.name for t in GGUFReader(tmp_path / "q4.gguf").tensors if t.tensor_type.name == "Q6_K"} == {"blk.0.ffn_down.weight"}
    assert "6 of 8 matrices have rows that are no multiple of the 256" in fallback_words("q4_k_m", fallbacks, 8)


def test_a_file_that_was_cut_is_an_error_that_says_what_to_do(merged: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.gguf"
    half.write_bytes(merged.read_bytes()[: merged.stat().st_size // 2])
    spec = {"input": str(half), "output": str(tmp_path / "out.gguf"), "format": "q4_0", "libraries": str(libraries())}
    last, log = run_step("quantize", spec, tmp_path)
    assert (last["type"], last.get("code")) == ("error", "export/quantize"), log
    assert "out of" in last["message"] or "bounds" in last["message"] or "corrupt" in last["message"] or "size" in last["message"], last
    assert "damaged" in last["hint"] and not (tmp_path / "out.gguf").exists()


# -- the adapter alone


def lora_spec(tiny: Tiny, merged: Path, folder: Path, **changes: Any) -> dict[str, Any]:
    metadata = {"general.name": "tiny", "general.license": "apache-2.0", "mcp_forge.tools": ["get_weather"], "mcp_forge.toolset_hash": "sha256:0"}
    return {
        "base": {"gguf": str(tiny.base)}, "adapter": str(tiny.adapter), "output": str(folder / "lora.gguf"), "metadata": metadata, "converter": tiny.converter,
        "libraries": str(libraries()), "scratch": str(folder / "scratch"), "threads": 2, "verify": {"merged": str(merged), "rows": str(tiny.rows), "positions": 300},
        **changes,
    }  # fmt: skip


def changed(adapter: Path, folder: Path, scale: float = 1.0, **config: Any) -> str:
    """Another adapter like this one."""
    from safetensors.torch import load_file, save_file

    folder.mkdir()
    stated = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
    (folder / "adapter_config.json").write_text(json.dumps({**stated, **config}), "utf-8")
    tensors = load_file(adapter / "adapter_model.safetensors")
    save_file({name: t * (scale if "lora_B" in name else 1) for name, t in tensors.items()}, folder / "adapter_model.safetensors")
    return str(folder)


def test_the_adapter_over_the_base_is_the_merged_model_and_another_one_is_refused(tiny: Tiny, merged: Path, tmp_path: Path) -> None:
    again, wrong, dora, strange, short = (tmp_path / name for name in ("again", "wrong", "dora", "strange", "short"))
    weights = Path(changed(tiny.adapter, short)) / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    again.mkdir(), wrong.mkdir(), strange.mkdir()
    (strange / "config.json").write_text(json.dumps({"architectures": ["NoSuchForCausalLM"]}), "utf-8")
    unknown = {"folder": str(strange), "output": str(tmp_path / "no.gguf"), "pre_tokenizer": "smollm", "metadata": {}, "converter": tiny.converter}
    right, same, other, form, cut, architecture, base = run_together(
        [
            ("export_lora", lora_spec(tiny, merged, tmp_path)),
            ("export_lora", lora_spec(tiny, merged, again, verify=None)),
            # The comparison must be able to fail: a third of the adapter is another model.
            ("export_lora", lora_spec(tiny, merged, wrong, adapter=changed(tiny.adapter, tmp_path / "third", 0.3))),
            ("export_lora", lora_spec(tiny, merged, wrong, adapter=changed(tiny.adapter, dora, use_dora=True))),
            ("export_lora", lora_spec(tiny, merged, wrong, adapter=str(short))),
            ("convert_base", unknown),
            ("export", tiny.export_spec(wrong, base={"gguf": str(tiny.base), "sha256": "0" * 64})),
        ],
        tmp_path,
    )
    assert right["type"] == same["type"] == "result", (right, same)
    figures, path = right["figures"], tmp_path / "lora.gguf"
    assert figures["kl"] < 1e-4 and figures["top1_clear"] == 1.0 and figures["kl_base"] > 0.1 and figures["rank"] == 4
    assert path.stat().st_size == figures["bytes"] < merged.stat().st_size / 10
    assert (again / "lora.gguf").read_bytes() == path.read_bytes() and str(tmp_path).encode() not in path.read_bytes()
    assert not list((tmp_path / "scratch").iterdir())
    import gguf

    reader = gguf.GGUFReader(path)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    assert (fields["general.type"], fields["adapter.type"], fields["adapter.lora.alpha"]) == ("adapter", "lora", 8.0)
    assert fields["general.architecture"] == "llama" and fields["mcp_forge.tools"] == ["get_weather"]
    assert len(reader.tensors) == 28 and "blk.1.ffn_down.weight.lora_b" in {t.name for t in reader.tensors}

    assert other["code"] == "export/not-the-model" and "without the adapter" in other["message"]
    assert cut["code"] == "export/adapter" and "short is no adapter that PEFT wrote" in cut["message"] and "--force train" in cut["hint"]
    assert form["code"] == "export/adapter" and "use_dora" in form["message"] and "Leave `lora` out" in form["hint"]
    assert architecture["code"] == "export/architecture" and "NoSuchForCausalLM" in architecture["message"] and "MCP_FORGE_LLAMA_CPP" in architecture["hint"]
    assert base["code"] == "model/damaged" and "fetches it again" in base["hint"]
    assert not list(wrong.glob("*.gguf")) and not (tmp_path / "no.gguf").exists()


# -- speed


def test_speed_is_measured_on_what_will_be_asked(tiny: Tiny, merged: Path) -> None:
    from forge_steps.llama_cpp import Library
    from forge_steps.speed import measured_speed

    figures = measured_speed(Library(libraries()), merged, tiny.rows, 1)
    assert figures["prompt_tokens_per_second"] > figures["tokens_per_second"] > 1 and figures["speed_threads"] == 1
