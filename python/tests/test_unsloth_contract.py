"""Backend `unsloth` against Unsloth's own source, of the release that python/requirements-unsloth.lock pins: every name that we use is there, with every parameter
that we give it, and rows as we lay them out, under the mask that its shared-prefix kernel makes of them, give the gradients of the padded batch.

The wheel (28 MB) is fetched and read, never imported as a whole: that needs a GPU. So this runs with the slow tests (tests/slow/backends.slow.test.ts).
What needs neither wheel nor GPU is tested always.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from forge_steps.prefix import shared_prefix
from forge_steps.protocol import StepError
from forge_steps.unsloth_backend import FAST_TYPES, TARGETS, Unsloth, unsloth_row, unsloth_step_backward
from test_prefix import difference, encoded, textbook, trainee

HERE = Path(__file__).resolve().parent
CPU = torch.device("cpu")
slow = pytest.mark.skipif(not os.environ.get("FORGE_SLOW"), reason="fetches Unsloth's wheel (FORGE_SLOW=1)")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unsloth's source; skips where no registry has it."""
    lock = (HERE.parent / "requirements-unsloth.lock").read_text("utf-8")
    pin = next(line for line in lock.splitlines() if line.startswith("unsloth=="))
    folder = tmp_path_factory.mktemp("unsloth")
    got = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder), pin], capture_output=True, text=True)
    if got.returncode != 0:
        pytest.skip(f"{pin} cannot be fetched: {got.stderr.strip().splitlines()[-1:]}")
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith("unsloth/") and name.endswith(".py")])
    return folder / "unsloth"


def tree(source: Path, module: str) -> ast.Module:
    return ast.parse((source / f"{module.replace('.', '/')}.py").read_text("utf-8"))


def function(where: ast.Module | ast.ClassDef, name: str) -> ast.FunctionDef:
    return next(node for node in ast.walk(where) if isinstance(node, ast.FunctionDef) and node.name == name)


def klass(where: ast.Module, name: str) -> ast.ClassDef:
    return next(node for node in where.body if isinstance(node, ast.ClassDef) and node.name == name)


def parameters(of: ast.FunctionDef) -> set[str]:
    return {arg.arg for arg in [*of.args.posonlyargs, *of.args.args, *of.args.kwonlyargs]}


def our_calls(name: str) -> Iterator[ast.Call]:
    """Calls in our module whose function is so called, whatever it is called on."""
    ours = ast.parse((HERE.parent / "forge_steps" / "unsloth_backend.py").read_text("utf-8"))
    for node in ast.walk(ours):
        if isinstance(node, ast.Call) and (getattr(node.func, "attr", None) or getattr(node.func, "id", None)) == name:
            yield node


@slow
def test_every_name_and_parameter_that_we_use_is_there(source: Path) -> None:
    loader, llama = tree(source, "models.loader"), tree(source, "models.llama")
    language = klass(loader, "FastLanguageModel")
    assert [base.id for base in language.bases if isinstance(base, ast.Name)] == ["FastLlamaModel"]
    fast = klass(llama, "FastLlamaModel")
    kernel = tree(source, "utils.prefix_grouper_kernel")
    there = {
        "from_pretrained": parameters(function(language, "from_pretrained")),
        "get_peft_model": parameters(function(fast, "get_peft_model")),
        "for_training": parameters(function(fast, "for_training")),
        "build_seg_info_multigroup": parameters(function(kernel, "build_seg_info_multigroup")),
    }
    # What it takes beside its parameters, and reads by name.
    text = ast.unparse(function(language, "from_pretrained"))
    there["from_pretrained"] |= {name for name in ("local_files_only",) if f"kwargs.get('{name}'" in text}
    for name, known in there.items():
        calls = list(our_calls(name))
        assert calls, name
        for call in calls:
            given = {keyword.arg for keyword in call.keywords}
            assert given <= known, (name, given - known)
            assert len(call.args) <= len(known)
    assert {"FastLanguageModel"} <= {alias.name for node in ast.walk(tree(source, "models.__init__")) if isinstance(node, ast.ImportFrom) for alias in node.names}


@slow
def test_the_models_with_passes_of_their_own_are_those_that_it_dispatches_to(source: Path) -> None:
    from_pretrained = ast.unparse(function(klass(tree(source, "models.loader"), "FastLanguageModel"), "from_pretrained"))
    for kind, used in {"llama": "FastLlamaModel", "mistral": "FastMistralModel", "qwen2": "FastQwen2Model", "qwen3": "FastQwen3Model"}.items():
        assert f"model_type == '{kind}'" in from_pretrained and f"dispatch_model = {used}" in from_pretrained
    for other in ("phi3", "glm4", "gemma3_text"):
        assert f"model_type == '{other}'" not in from_pretrained
    llama = tree(source, "models.llama")
    accepted = next(n for n in ast.walk(llama) if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "accepted_modules")
    assert set(TARGETS) == {c.value for c in ast.walk(accepted) if isinstance(c, ast.Constant)} - {"lm_head"}
    # Llama's pass serves Qwen2; Mistral and Qwen3 have attention of their own.
    for module in ("models.llama", "models.mistral", "models.qwen3"):
        assert "resolve_prefix_seg_info(kwargs" in ast.unparse(tree(source, module)), module
    assert "Qwen2Attention.forward = LlamaAttention_fast_forward" in ast.unparse(tree(source, "models.qwen2"))


@slow
def test_what_its_forward_pass_does_with_masks_and_rows_is_what_we_rely_on(source: Path) -> None:
    passed = function(tree(source, "models.llama"), "LlamaModel_fast_forward")
    text = ast.unparse(passed)
    assert {"input_ids", "position_ids", "use_cache"} <= parameters(passed) and passed.args.kwarg is not None
    # Why neither form of our own shared prefix can be given to it: masks are dropped in training.
    assert "self.training" in text and "attention_mask = None" in text
    # Long rows are not cut where they come with a table of segments or of lengths.
    assert "kwargs['prefix_seg_info'] is not None" in text and "'packed_seq_lengths' in kwargs" in text
    for given in ("position_ids=position_ids", "**kwargs"):
        assert given in text
    dispatch = ast.unparse(tree(source, "utils.attention_dispatch"))
    # The table decides before anything else does, and wants neither a cache nor a mask.
    assert "if context.prefix_seg_info is not None" in dispatch
    assert "seg is not None and (past_key_value is not None or attention_mask is not None)" in dispatch
    # After a cache nothing is hidden of what comes later.
    assert "context.is_causal and local_mask is None and (q_len_local == k_len_local)" in dispatch
    packing = function(tree(source, "utils.packing"), "get_packed_info_from_kwargs")
    assert "kwargs.get('packed_seq_lengths')" in ast.unparse(packing)


@slow
@pytest.mark.parametrize("row_tokens", [120, 700])
def test_rows_of_its_shared_prefix_give_the_gradients_of_the_padded_batch(source: Path, row_tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own kernel's mask, made of our rows by its own functions, over PyTorch's attention: its kernel for GPUs computes that."""
    kernel = module_of(source / "utils" / "prefix_grouper_kernel.py", monkeypatch)
    made = trainee()
    samples = encoded(6)
    attend_by(made.model, kernel, monkeypatch)
    loss, learned = unsloth_step_backward(made.model, samples, shared_prefix(samples), row_tokens)
    expected, gradients = textbook(samples)
    assert loss == pytest.approx(expected, rel=1e-5) and learned == sum(sum(s.learn) for s in samples)
    assert difference(made.gradients(), gradients) < 1e-4


def test_padded_rows_give_the_gradients_of_the_padded_batch_without_a_mask() -> None:
    made, samples = trainee(), encoded(6)
    loss, _ = unsloth_step_backward(made.model, samples, 0, 700)
    expected, gradients = textbook(samples)
    assert loss == pytest.approx(expected, rel=1e-5) and difference(made.gradients(), gradients) < 1e-4


def test_a_packed_row_tells_the_lengths_of_its_samples() -> None:
    samples = encoded(3)
    row, named, skipped = unsloth_row(samples, 0, True, CPU, lambda s: s.weights())
    assert skipped == 0 and named["packed_seq_lengths"].tolist() == [len(s.ids) for s in samples]
    assert row.ids[0].tolist() == [token for s in samples for token in s.ids]
    assert named["position_ids"][0].tolist() == [at for s in samples for at in range(len(s.ids))]
    # The last token of a sample predicts nothing: what follows it is another's.
    assert all(row.targets[0, sum(len(t.ids) for t in samples[: i + 1]) - 1] == -100 for i in range(3))


def test_models_that_it_has_no_pass_for_are_trained_in_padded_rows_and_told_so() -> None:
    def rows(wished: str, **config: Any) -> tuple[str, list[tuple[str, str]]]:
        said: list[tuple[str, str]] = []
        return Unsloth().batching(types.SimpleNamespace(**config), wished, lambda *line: said.append(line)), said

    for kind in FAST_TYPES:
        assert rows("shared_prefix", model_type=kind, sliding_window=None) == ("shared_prefix", [])
        assert rows("packed", model_type=kind) == ("packed", [])
    chosen, [(level, message)] = rows("shared_prefix", model_type="phi3")
    assert (chosen, level) == ("padded", "warning") and "phi3" in message and "same gradients" in message
    assert rows("packed", model_type="mistral", sliding_window=4096)[0] == "padded" and rows("padded", model_type="phi3") == ("padded", [])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_refused() -> None:
    with pytest.raises(StepError) as refused:
        Unsloth().check()
    assert refused.value.code == "train/no-gpu" and refused.value.message == "the backend unsloth needs a CUDA GPU; here is none"


def module_of(file: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One module of the wheel, under the name that ours imports it by, without the rest of the package."""
    for name in ("unsloth", "unsloth.utils"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    name = "unsloth.utils.prefix_grouper_kernel"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def attend_by(model: Any, kernel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the model's attention that of the kernel's mask, and refuses what the kernel would."""
    from transformers import AttentionInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    def attend(module: Any, query: Any, key: Any, value: Any, attention_mask: Any, prefix_seg_info: Any = None, **named: Any) -> Any:
        assert prefix_seg_info is not None and query.shape[0] == 1 and query.shape[2] == key.shape[2] == prefix_seg_info.T
        labels = (prefix_seg_info.group_of_kv, prefix_seg_info.is_prefix, prefix_seg_info.suffix_of_kv)
        at = torch.arange(prefix_seg_info.T)
        seen = kernel._make_mask_mod(*labels)(0, 0, at[:, None], at[None, :])
        return sdpa_attention_forward(module, query, key, value, seen[None, None], **named)

    AttentionInterface.register("unsloth_shared_prefix", attend)
    model.get_base_model().set_attn_implementation("unsloth_shared_prefix")
