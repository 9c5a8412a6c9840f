"""Tokens that a vocabulary lacks: added when the base is converted, trained, saved, merged, and single tokens of the GGUF that comes out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import own_models
from export_support import BUNDLE, ROOT, libraries, run_step, run_together
from own_models import KINDS, make
from test_thinking import rows_of

from forge_steps.new_tokens import grow
from forge_steps.protocol import Spec, StepError

WORDS = ("<think>", "</think>")
SLOTS = ("<|reserved_special_token_0|>", "<|reserved_special_token_1|>")
_CHATML = KINDS["llama-chatml"]
#: Ids in place of reserved tokens, a head of its own; and free rows of the matrix, one for both.
OWN = {
    "slots": replace(_CHATML, special=(*_CHATML.special[:2], *SLOTS, *_CHATML.special[2:]), config={"tie_word_embeddings": False}),
    "rows": _CHATML,
}
needs_llama_cpp = pytest.mark.skipif(not BUNDLE.is_file() or not libraries().is_dir(), reason="node_modules holds no llama.cpp for this machine")


def base(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, full: bool = False) -> Path:
    """`full`: the matrix ends where the vocabulary does, so that it has to become longer."""
    monkeypatch.setitem(own_models.KINDS, name, OWN[name])
    make(name, folder, 1024)
    if full:
        from safetensors.torch import load_file, save_file

        size = len(tokenizer(folder))
        weights = load_file(folder / "model.safetensors")
        save_file({k: w[:size].clone() if k == "model.embed_tokens.weight" else w for k, w in weights.items()}, folder / "model.safetensors", metadata={"format": "pt"})
        config = json.loads((folder / "config.json").read_text("utf-8"))
        (folder / "config.json").write_text(json.dumps({**config, "vocab_size": size}), "utf-8")
    return folder


def tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize(("name", "slots"), [("slots", SLOTS), ("rows", ())])
def test_the_words_become_single_tokens_and_every_other_text_stays_what_it_was(name: str, slots: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = base(name, tmp_path / "hub", monkeypatch)
    about = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    before = tokenizer(folder)
    # As Llama 3's own file has them: transformers would add a slot once more that is still named there.
    about["added_tokens_decoder"] = {str(i): {"content": t.content, "special": t.special, "normalized": False} for i, t in before.added_tokens_decoder.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps(about), "utf-8")
    as_it_was = contents(folder)
    grown = grow(folder, tmp_path / "grown", WORDS, slots)
    after = tokenizer(grown.folder)
    assert contents(folder) == as_it_was
    assert grown.ids == (tuple(before.convert_tokens_to_ids(list(slots))) if slots else (len(before), len(before) + 1))
    assert [after(word, add_special_tokens=False)["input_ids"] for word in WORDS] == [[id] for id in grown.ids]
    assert len(after) == len(before) + (0 if slots else 2)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.text(), st.text(), st.sampled_from([" ", "\n", "a", "<", "think>", "<|im_end|>", ""]))
    def holds(left: str, right: str, between: str) -> None:
        assume(not any(word in text for word in WORDS for text in (left + between, right)))
        ids = [after(text, add_special_tokens=False)["input_ids"] for text in (left + between, right)]
        assert ids == [before(text, add_special_tokens=False)["input_ids"] for text in (left + between, right)]
        assert after(left + between + WORDS[0] + right + WORDS[1], add_special_tokens=False)["input_ids"] == [*ids[0], grown.ids[0], *ids[1], grown.ids[1]]

    holds()


def test_a_vocabulary_that_has_a_word_or_lacks_a_slot_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = base("rows", tmp_path / "hub", monkeypatch)
    with pytest.raises(StepError, match="has the token <|im_end|> already"):
        grow(folder, tmp_path / "grown", ("<|im_end|>", "</think>"), ())
    with pytest.raises(StepError, match="no reserved token"):
        grow(folder, tmp_path / "grown", WORDS, SLOTS)
    make("gemma-3", tmp_path / "pieces", 512)
    with pytest.raises(StepError, match="no byte-level BPE"):
        grow(tmp_path / "pieces", tmp_path / "grown", WORDS, ())


@pytest.mark.parametrize("tied", [True, False])
def test_rows_are_computed_and_learned_as_peft_does_and_merged_as_it_merges(tied: bool, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    from forge_steps.lora import Lora
    from forge_steps.token_rows import make_lean, trainable_rows

    def trained(lean: bool) -> Any:
        torch.manual_seed(0)
        config = LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2, tie_word_embeddings=tied, initializer_range=0.3)
        model = LlamaForCausalLM(config)
        model = get_peft_model(model, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM", **trainable_rows(model, [7, 3])))
        for name, parameter in model.named_parameters():
            if "lora_B" in name or "trainable_tokens" in name:
                parameter.data.normal_(0, 0.3)
        if lean:
            assert make_lean(model) == 2
        return model

    ids = torch.tensor([[3, 9, 7, 7, 1, 3, 60]])
    ours, theirs = trained(True), trained(False)
    for model in (ours, theirs):
        model(input_ids=ids, labels=ids).loss.backward()
    torch.testing.assert_close(ours(input_ids=ids).logits, theirs(input_ids=ids).logits)
    found, expected = ({n: p.grad for n, p in model.named_parameters() if p.requires_grad} for model in (ours, theirs))
    assert sum("trainable_tokens_delta" in name for name in found) == (1 if tied else 2)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert gradient.abs().sum() > 0
        torch.testing.assert_close(found[name], gradient)

    ours.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    lora = Lora.read(tmp_path / "adapter")
    torch.manual_seed(0)
    before = {name: weight.clone() for name, weight in trained(False).unload().state_dict().items() if not (tied and name == "lm_head.weight")}
    lora.check_names(before)
    for name, weight in before.items():
        lora.add(name, weight)
    merged = theirs.merge_and_unload().state_dict()
    for name, weight in before.items():
        torch.testing.assert_close(weight, merged[name], rtol=0, atol=0)
    with pytest.raises(StepError, match="another base model"):
        lora.add("model.embed_tokens.weight", torch.zeros(5, 32))


def _hyper(**changes: Any) -> dict[str, Any]:
    return {
        "rank": 4, "alpha": 8, "dropout": 0, "learning_rate": 0.01, "epochs": 1, "samples_per_step": 6, "warmup_steps": 1, "max_tokens": 1024,
        "batching": "shared_prefix", "row_tokens": 1024, "weight_decay": 0, **changes,
    }  # fmt: skip


def _rows(folder: Path) -> Path:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for i in range(4) for row in rows_of("qwen3-thinking.jinja", i)), "utf-8")
    return file


def _convert(hub: Path, output: Path, cache: Path, slots: tuple[str, ...] | None) -> dict[str, Any]:
    converter = {"bundle": str(BUNDLE), "cache": str(cache)}
    add = {} if slots is None else {"add": {"tokens": list(WORDS), "slots": list(slots)}}
    return {"folder": str(hub), "output": str(output), "pre_tokenizer": "smollm", "metadata": {"general.name": "Tiny"}, "converter": converter, **add}


def _train(base: Path, folder: Path, slots: tuple[str, ...], **changes: Any) -> dict[str, Any]:
    return {
        "base": {"gguf": str(base)}, "family": "tiny", "rows": str(_rows(folder)), "hyper": _hyper(), "seed": 1, "output": str(folder / "adapter"),
        "checkpoints": str(folder / "checkpoints"), "thinking": {"open": WORDS[0], "close": WORDS[1], "add": list(slots)}, **changes,
    }  # fmt: skip


def tensors(gguf: Path) -> dict[str, Any]:
    """Of a GGUF, float32."""
    import gguf as library

    return {t.name: library.dequantize(t.data, t.tensor_type) for t in library.GGUFReader(gguf).tensors}


@needs_llama_cpp
def test_the_base_s_gguf_has_them_with_rows_that_are_the_mean_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np
    from safetensors.torch import load_file

    from forge_steps.model import load_tokenizer
    from forge_steps.train import thinking_ids

    hub, gguf = base("rows", tmp_path / "hub", monkeypatch, full=True), tmp_path / "base.gguf"
    last, log = run_step("convert_base", _convert(hub, gguf, tmp_path / "cache", ()), tmp_path)
    assert last["type"] == "result", (last, log)
    before, rows = load_file(hub / "model.safetensors")["model.embed_tokens.weight"], tensors(gguf)["token_embd.weight"]
    assert thinking_ids(load_tokenizer(gguf), WORDS) == [len(before), len(before) + 1] and len(rows) == len(before) + 2
    assert (rows[: len(before)] == before.float().numpy()).all()
    np.testing.assert_array_equal(rows[len(before) :], before.double().mean(dim=0).bfloat16().float().repeat(2, 1).numpy())


@pytest.mark.slow
@needs_llama_cpp
@pytest.mark.parametrize(("name", "slots", "full"), [("slots", SLOTS, False), ("rows", (), True)])
def test_from_the_base_to_the_gguf_they_are_single_tokens_with_rows_that_were_trained(
    name: str, slots: tuple[str, ...], full: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    hub, gguf = base(name, tmp_path / "hub", monkeypatch, full), tmp_path / "base.gguf"
    spec = _convert(hub, gguf, tmp_path / "cache", slots)
    export = {
        "base": {"gguf": str(gguf)}, "adapter": str(tmp_path / "adapter"), "template": str(ROOT / "templates/chat/qwen3-thinking.jinja"),
        "stop_tokens": list(OWN[name].stop), "output": str(tmp_path / "model.gguf"), "metadata": {"general.name": "tiny"}, "converter": spec["converter"],
        "libraries": str(libraries()), "scratch": str(tmp_path / "scratch"), "threads": 2, "thinking": {"open": WORDS[0], "close": WORDS[1], "add": list(slots)},
        "verify": {"rows": str(_rows(tmp_path)), "positions": 100},
    }  # fmt: skip
    as_it_was = _convert(hub, tmp_path / "without.gguf", tmp_path / "cache", None)
    ends = run_together([("convert_base", spec), ("convert_base", as_it_was), ("train", _train(gguf, tmp_path, slots)), ("export", export), ("export_lora", export)], tmp_path)
    assert [end["type"] for end in ends] == ["result"] * 4 + ["error"], ends
    assert "added to the base's vocabulary" in ends[4]["message"] and "`exports`" in ends[4]["hint"]
    assert ends[3]["figures"]["tokens_equal"] > 500
    assert not list(tmp_path.glob(".*")), "what was needed on the way is left"

    from forge_steps.llama_cpp import Library
    from forge_steps.lora import Lora

    library = Library(libraries())
    with library.model(gguf) as model, library.model(tmp_path / "model.gguf") as exported, library.model(tmp_path / "without.gguf") as without:
        ids = [model.tokenize(word) for word in WORDS]
        assert [len(found) for found in ids] == [1, 1]
        assert [exported.tokenize(word) for word in WORDS] == ids
        assert [len(without.tokenize(word)) > 1 for word in WORDS] == [True, True]
    new = [found[0] for found in ids]
    grown, before, out = (tensors(path) for path in (gguf, tmp_path / "without.gguf", tmp_path / "model.gguf"))
    rows = Lora.read(tmp_path / "adapter").rows
    matrices = {"token_embd.weight": "model.embed_tokens.weight", **({"output.weight": "lm_head.weight"} if name == "slots" else {})}
    assert rows.keys() == set(matrices.values())
    for theirs, ours in matrices.items():
        known = len(before[theirs])
        others = [i for i in range(known) if i not in new]
        assert len(grown[theirs]) == (known + 2 if full else known)
        assert (grown[theirs][others] == before[theirs][others]).all()
        used = [i for i in others if i < len(tokenizer(hub))]
        # To the rounding of bfloat16.
        np.testing.assert_allclose(grown[theirs][new], np.tile(before[theirs][used].mean(axis=0), (2, 1)), rtol=1 / 128, atol=1e-6)
        places, values = rows[ours]
        assert list(places) == new
        # Each has learned what it is, and the GGUF has what the adapter holds.
        assert np.abs(values.numpy() - grown[theirs][new]).max() > 0.005 and float((values[0] - values[1]).abs().max()) > 0.005
        np.testing.assert_allclose(out[theirs][new], values.numpy(), rtol=1 / 1024, atol=1e-6)
        np.testing.assert_allclose(out[theirs][others], grown[theirs][others], rtol=1 / 1024, atol=1e-6)
    assert all((grown[n] == before[n]).all() for n in before if n not in matrices)


@pytest.mark.slow
@needs_llama_cpp
def test_trainings_that_were_stopped_that_go_on_in_4_bits_and_of_two_processes_have_the_rows_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from forge_steps.head_start import read_adapter
    from forge_steps.protocol import Step, Stopped
    from forge_steps.train import run

    gguf = tmp_path / "base.gguf"
    last, log = run_step("convert_base", _convert(base("rows", tmp_path / "hub", monkeypatch), gguf, tmp_path / "cache", ()), tmp_path)
    assert last["type"] == "result", (last, log)

    class Quiet(Step):
        def __init__(self, name: str, stop_at: int | None = None, **changes: Any) -> None:
            self.folder = tmp_path / name
            self.folder.mkdir(exist_ok=True)
            super().__init__("train", Spec({"v": 1, **_train(gguf, self.folder, (), **changes)}), 1)
            self.losses: list[float] = []
            self.stop_at = stop_at

        def metric(self, name: str, value: float, **at: Any) -> None:
            if name == "loss":
                self.losses.append(value)
                if len(self.losses) == self.stop_at:
                    raise Stopped

        def progress(self, *_: Any, **__: Any) -> None: ...
        def log(self, *_: Any, **__: Any) -> None: ...
        def artifact(self, *_: Any, **__: Any) -> None: ...

        def weights(self) -> dict[str, torch.Tensor]:
            return read_adapter(self.folder / "adapter")[0]

    whole = Quiet("whole")
    run(whole)
    [rows] = [name for name in whole.weights() if "trainable_tokens" in name]
    with pytest.raises(Stopped):
        run(Quiet("stopped", stop_at=1))
    again = Quiet("stopped")
    assert run(again)["resumed_from"] == 1 and again.losses == whole.losses[1:]
    assert {n: w.tolist() for n, w in again.weights().items()} == {n: w.tolist() for n, w in whole.weights().items()}
    # Without the rows it is another training, whose checkpoint is no use.
    assert run(Quiet("stopped", output=str(tmp_path / "other"), thinking=dict(zip(("open", "close"), WORDS, strict=True))))["resumed_from"] == 0
    assert not any("trainable_tokens" in name for name in read_adapter(tmp_path / "other")[0])

    on = Quiet("on", start=str(whole.folder / "adapter"), hyper=_hyper(learning_rate=0))
    run(on)
    assert torch.equal(on.weights()[rows], whole.weights()[rows])
    with pytest.raises(StepError, match="rows of other tokens"):
        run(Quiet("no", start=str(tmp_path / "other")))
    for changes, said in (({"backend": "unsloth"}, "backend unsloth"), ({"head_start": {"adapter": str(tmp_path), "sha256": ""}}, "head start")):
        with pytest.raises(StepError, match=said):
            run(Quiet("no", **changes))

    bits = Quiet("bits", backend="qlora")
    figures = run(bits)
    assert figures["merging_positions"] > 0 and figures["merging_kl"] < 0.1
    assert float((bits.weights()[rows] - on.weights()[rows]).abs().max()) < 0.05 < 10 * float((bits.weights()[rows][0] - bits.weights()[rows][1]).abs().max())

    (tmp_path / "two").mkdir()
    two, log = run_step("train", _train(gguf, tmp_path / "two", (), processes=2), tmp_path)
    assert two["type"] == "result", (two, log)
    torch.testing.assert_close(read_adapter(tmp_path / "two" / "adapter")[0][rows], whole.weights()[rows], rtol=0, atol=2e-3)
