"""Merging weight by weight: the same bits as PEFT's merge of the whole model, in a fraction of its memory, and refused where that fraction cannot be had."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from export_support import ROOT, Tiny, libraries, run_step, run_together
from forge_steps import export_memory, heap, merge, preflight
from forge_steps.lora import Lora, pairs_of
from forge_steps.protocol import Spec, Step, StepError
from forge_steps.weights import BaseWeights
from test_export_formats import changed
from tiny import save_base

needs_llama_cpp = pytest.mark.skipif(not libraries().is_dir(), reason="node_modules holds no llama.cpp for this machine")


@settings(max_examples=40, deadline=None)
@given(out=st.integers(1, 40), into=st.integers(1, 40), rank=st.integers(1, 6), alpha=st.integers(1, 64), rslora=st.booleans(), seed=st.integers(0, 1000))
def test_a_matrix_gets_what_peft_adds_to_it_bit_for_bit(out: int, into: int, rank: int, alpha: int, rslora: bool, seed: int) -> None:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    plain = torch.nn.Sequential(torch.nn.Linear(into, out))
    weight = plain[0].weight.data.clone()
    tuned = get_peft_model(plain, LoraConfig(r=rank, lora_alpha=alpha, target_modules=["0"], use_rslora=rslora))
    matrices = {name.replace(".default", ""): p.data.normal_() for name, p in tuned.named_parameters() if ".lora_" in name}
    scale = alpha / rank**0.5 if rslora else alpha / rank
    Lora(pairs_of(matrices), scale).add("0.weight", weight)
    assert torch.equal(weight, tuned.merge_and_unload()[0].weight)


@needs_llama_cpp
def test_the_f16_file_is_that_of_peft_s_merge_byte_by_byte(tiny: Tiny, tmp_path: Path) -> None:
    """From a base in f16 and from one in 4 bits, over many small files and over one."""
    small = tmp_path / "q4_1.gguf"
    last, log = run_step("quantize", {"input": str(tiny.base), "output": str(small), "format": "q4_1", "libraries": str(libraries())}, tmp_path)
    assert last["type"] == "result", (last, log)
    for base in (tiny.base, small):
        folder = tmp_path / f"of-{base.stem}"
        folder.mkdir()
        env = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "PYTHONHASHSEED": "0"}
        command = [sys.executable, str(Path(__file__).with_name("export_support.py")), str(folder), "peft", str(base), str(tiny.adapter), json.dumps(tiny.converter)]
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        assert len(list((folder / "ours").glob("model-*.safetensors"))) > 3 and (folder / "peft" / "model.safetensors").is_file()
        assert (folder / "ours.gguf").read_bytes() == (folder / "peft.gguf").read_bytes()
    for file in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        ours, theirs = ((folder / name / file).read_text("utf-8").replace(str(folder), "") for name in ("ours", "peft"))
        assert ours == theirs, file


@dataclass
class Watch:
    """The most anonymous memory of this process while it watches, over what it had: files that are mapped are no part of it."""

    grown: int = 0

    def __enter__(self) -> Watch:
        # What other tests of this process have freed would hide what grows.
        gc.collect()
        heap.give_back()
        self._start, self._end = anonymous(), threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._end.wait(0.001):
            self.grown = max(self.grown, anonymous() - self._start)

    def __exit__(self, *_: Any) -> None:
        self._end.set()
        self._thread.join()


def anonymous() -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no RssAnon")


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base of 25 million weights in 24 layers, as a folder of bfloat16, and an adapter for it."""
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("larger")
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=256, hidden_size=256, intermediate_size=1024, num_hidden_layers=24, num_attention_heads=4, num_key_value_heads=4, tie_word_embeddings=True)
    model = LlamaForCausalLM(config).to(torch.bfloat16).eval()
    model.save_pretrained(folder / "base", max_shard_size="10MB")
    tuned = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(0, 0.2)
    tuned.save_pretrained(folder / "adapter")
    return folder / "base", folder / "adapter"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to look at memory by")
def test_merging_and_computing_hold_a_fraction_of_the_model(larger: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "SHARD_BYTES", 4 << 20)
    torch.set_num_threads(1)
    base, adapter = larger
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    expected = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), str(adapter)).merge_and_unload().state_dict()
    weights, lora = BaseWeights(base), Lora.read(adapter)
    whole = 4 * weights.parameters
    assert whole > 90 << 20
    with Watch() as merging:
        merged = merge.merge(weights, lora, tmp_path / "merged")
    assert merging.grown < whole / 5 and merge.merging_bytes(weights, lora) < whole / 5
    ids = torch.arange(200)[None]
    with Watch() as computing, torch.inference_mode():
        model = merged.model()
        model(ids)
    # Every weight was read, and none of them became memory of its own: what grows is what a pass computes.
    assert computing.grown < whole / 3
    assert all(torch.equal(weight, expected[name]) for name, weight in model.state_dict().items())
    with Watch() as loading:
        loaded = weights.load(torch.bfloat16, lora)
    # Half of it is the model in 16 bits; beside that never as much as its float32 copy would be.
    assert loading.grown < whole
    assert all(torch.equal(weight, expected[name].to(torch.bfloat16)) for name, weight in loaded.state_dict().items())


@needs_llama_cpp
def test_a_base_without_an_adapter_is_what_an_adapter_of_nothing_makes_of_it(tiny: Tiny, tmp_path: Path) -> None:
    """So the untuned model that a benchmark compares with has been through the same export, and differs by the training alone."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir(), other.mkdir()
    nothing = changed(tiny.adapter, tmp_path / "nothing", 0.0)
    specs = [("export", tiny.export_spec(one, adapter=nothing, verify=None)), ("export", tiny.export_spec(other, adapter=None, verify=None))]
    assert [end["type"] for end in run_together(specs, tmp_path)] == ["result", "result"]
    assert (one / "model.gguf").read_bytes() == (other / "model.gguf").read_bytes()


def test_adapters_that_are_no_plain_lora_or_of_another_base_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    weights = BaseWeights(tiny.base.parent / "hub")
    for key, value in (("use_dora", True), ("alpha_pattern", {"q_proj": 3}), ("rank_pattern", {"q_proj": 3}), ("modules_to_save", ["lm_head"]), ("lora_bias", True), ("bias", "all")):
        with pytest.raises(StepError, match=f"no plain LoRA .`{key}`") as refused:
            Lora.read(Path(changed(tiny.adapter, tmp_path / key, **{key: value})))
        assert refused.value.code == "export/adapter"
    lora = Lora.read(tiny.adapter)
    a, b = next(iter(lora.pairs.values()))
    for pairs in ({"model.layers.9.mlp.up_proj.weight": (a, b)}, {"model.layers.0.mlp.down_proj.weight": (a[:, :3], b)}):
        with pytest.raises(StepError, match="another base model"):
            merge.merge(weights, Lora(pairs, 1.0), tmp_path / "no")


def test_weights_that_are_no_numbers_are_refused_before_and_after_merging(tmp_path: Path) -> None:
    base = save_base(tmp_path)
    weights = BaseWeights(base)
    name = "model.layers.0.mlp.down_proj.weight"
    out, into = weights.shapes[name]
    lora = Lora({name: (torch.ones(1, into), torch.full((out, 1), 1e38))}, 1e10)
    with pytest.raises(StepError, match=r"trained weights hold values that are no numbers \(model.layers.0.mlp.down_proj.weight") as trained:
        merge.merge(weights, lora, tmp_path / "a")
    assert trained.value.code == "export/not-finite"
    read = weights.read
    weights.read = lambda key: read(key) / (0.0 if key == name else 1.0)  # type: ignore[method-assign]
    with pytest.raises(StepError) as published:
        merge.merge(weights, None, tmp_path / "b")
    assert published.value.code == "model/not-finite" and name in published.value.message


@needs_llama_cpp
def test_an_export_that_does_not_fit_is_refused_with_figures_before_anything_is_written(tiny: Tiny, tmp_path: Path) -> None:
    last, log = run_step("export", tiny.export_spec(tmp_path, limits={"memory": 400_000_000, "free": 300_000_000}), tmp_path)
    assert (last["type"], last.get("code")) == ("error", "step/out-of-memory"), (last, log)
    assert "MB to merge" in last["message"] and "MB can be had" in last["message"] and "--skip-verify" not in last["hint"]
    assert not (tmp_path / "model.gguf").exists() and not (tmp_path / "scratch" / "merged").exists()


def test_files_in_the_memory_of_a_container_refuse_no_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The group that has the limit is below the root, and nearly full of the files that were read before; but no more can be had than the machine has free."""
    files = {
        "proc/meminfo": "MemTotal: 64000000 kB\nMemAvailable: 40000000 kB",
        "proc/self/cgroup": "0::/pod/box",
        "cgroup/pod/box/memory.max": "4000000000",
        "cgroup/pod/box/memory.current": "3900000000",
        "cgroup/pod/box/memory.stat": "anon 100000000\ninactive_file 3000000000\nactive_file 700000000",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text + "\n", "ascii")
    there = preflight.available
    monkeypatch.setattr(preflight, "available", lambda: there(tmp_path / "proc", tmp_path / "cgroup"))
    memory = export_memory.Memory.of(Spec({}))
    assert (memory.all, memory.most) == (4_000_000_000, 3_800_000_000)
    assert export_memory.check(memory, 400_000_000, 500_000_000) == 950_000_000
    (tmp_path / "proc/meminfo").write_text("MemTotal: 64000000 kB\nMemAvailable: 900000 kB\n", "ascii")
    with pytest.raises(StepError, match="922 MB can be had"):
        export_memory.check(export_memory.Memory.of(Spec({})), 400_000_000, 500_000_000)


def test_an_adapter_or_a_base_that_is_cut_off_is_refused_by_name(tiny: Tiny, tmp_path: Path) -> None:
    adapter = Path(changed(tiny.adapter, tmp_path / "rank", r=0))
    with pytest.raises(StepError, match="no adapter that PEFT wrote") as none:
        Lora.read(adapter)
    cut = tmp_path / "cut"
    shutil.copytree(tiny.adapter, cut)
    file = cut / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(StepError, match="cut is no adapter that PEFT wrote") as short:
        Lora.read(cut)
    assert none.value.code == short.value.code == "export/adapter"
    base = tmp_path / "base"
    shutil.copytree(tiny.base.parent / "hub", base)
    for weights in base.glob("*.safetensors"):
        weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(StepError, match="the weights of the base model in base cannot be read") as damaged:
        BaseWeights(base)
    assert damaged.value.code == "model/missing-weights"


def test_what_is_short_is_said(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "events", os.O_RDWR | os.O_CREAT)
    step = Step("test", Spec({}), fd)
    memory = export_memory.Memory(all=16_000_000_000, free=12_000_000_000)
    # Qwen2.5-14B: the weights need not fit.
    assert export_memory.check(memory, 5_000_000_000, 3_000_000_000) == 5_450_000_000
    assert export_memory.positions_for(step, memory, 14_770_000_000, 2000) == export_memory.POSITIONS_FROM_DISK
    assert export_memory.positions_for(step, memory, 135_000_000, 2000) == 2000
    os.close(fd)
    [told] = [json.loads(line) for line in (tmp_path / "events").read_text("utf-8").splitlines()]
    assert told["level"] == "warning" and "88.6 GB" in told["message"] and "500 positions are, not 2000" in told["message"]
    with pytest.raises(StepError) as refused:
        export_memory.check(memory, 5_000_000_000, 13_000_000_000)
    assert "5.0 GB to merge, 13.0 GB to compare" in refused.value.message and "12.0 GB can be had" in refused.value.message
    assert refused.value.hint is not None and "--skip-verify" in refused.value.hint
