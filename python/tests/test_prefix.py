"""The shared prefix: what is learned, what is shared, how rows are cut, and that gradients are those of the padded batch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import OTHERS, byte_tokenizer, rendered, tiny_model
from torch.nn import functional

from forge_steps import attention as attentions
from forge_steps.adapter import Trainee
from forge_steps.attention import Form, install
from forge_steps.attention_kernels import KERNELS
from forge_steps.prefix import Encoded, encode, held_out_loss, shared_prefix, step_backward
from forge_steps.rows import SEQUENCE_MULTIPLE, causal_mask, make_row, packs, passes, rows
from forge_steps.shared_attention import WINDOWED


def encoded(count: int, seed: int = 0, thinking: bool = False) -> list[Encoded]:
    tokenizer = byte_tokenizer()
    return [encode(tokenizer, r["id"], r["segments"]) for r in rendered(count, seed, thinking)]


def trainee(attention: str = "pytorch's", kind: str = "llama") -> Trainee:
    """A trainee whose LoRA B matrices are not zero, so that every gradient says something; with PyTorch's attention, ours for CPUs, or ours for GPUs (`merged`) with
    the kernel for CPUs."""
    torch.manual_seed(0)
    model = tiny_model(kind=kind)
    if attention == "ours":
        assert install(model)
    elif attention == "merged":
        attentions.use(model, KERNELS["cpu-flash"], Form("cpu-flash", False, lambda level, words: None))
    made = Trainee(model, rank=4, alpha=8, dropout=0.0, weight_decay=0.0, check=lambda: None)
    state = made.state()
    generator = torch.Generator().manual_seed(1)
    weights = {n: torch.randn(w.shape, generator=generator) * 0.1 if "lora_B" in n else w for n, w in state["weights"].items()}
    made.load_state({**state, "weights": weights})
    return made


def textbook(samples: list[Encoded], kind: str = "llama") -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and LoRA gradients of the padded batch by transformers and PEFT alone: whole sequences, attention mask, labels."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(tiny_model(kind=kind), config)
    weights = trainee(kind=kind).state()["weights"]
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.requires_grad:
                p.copy_(weights[name])
    width = max(len(s.ids) for s in samples)
    ids = torch.zeros((len(samples), width), dtype=torch.long)
    labels = torch.full((len(samples), width), -100)
    mask = torch.zeros((len(samples), width), dtype=torch.long)
    for i, s in enumerate(samples):
        ids[i, : len(s.ids)] = torch.tensor(s.ids)
        mask[i, : len(s.ids)] = 1
        labels[i, : len(s.ids)] = torch.where(torch.tensor(s.learn), torch.tensor(s.ids), -100)
    logits = model(input_ids=ids, attention_mask=mask).logits
    each = functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100, reduction="none")
    counts = torch.zeros((len(samples), width))
    for i, s in enumerate(samples):
        counts[i, : len(s.ids)] = torch.tensor(s.weights())
    counts = counts[:, 1:].flatten()
    loss = (each * counts).sum() / counts.sum()
    loss.backward()
    return loss.item(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def difference(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    """Relative distance of two sets of gradients, taken as one vector."""
    assert a.keys() == b.keys() and len(a) > 0
    distance = sum((a[n] - b[n]).double().square().sum() for n in a)
    return float((distance / sum(b[n].double().square().sum() for n in b)).sqrt())


def test_the_decision_of_a_turn_weighs_more_than_its_wording() -> None:
    learn = (False, False) + (True,) * 44 + (False,) + (True, True)
    assert Encoded("x", tuple(range(len(learn))), learn).weights() == (0, 0, 8, *(4,) * 39, *(1,) * 4, 0, 8, 4)


@pytest.mark.parametrize("row_tokens", [1, 300, 100_000])
@pytest.mark.parametrize("attention", ["pytorch's", "ours", "merged"])
@pytest.mark.parametrize("shared", [True, False])
def test_gradients_equal_the_padded_batchs(shared: bool, attention: str, row_tokens: int) -> None:
    samples = encoded(9)
    prefix = shared_prefix(samples)
    assert prefix > 20
    loss, wanted = textbook(samples)
    made = trainee(attention)
    found, learned = step_backward(made.model, samples, prefix if shared else 0, row_tokens)
    assert learned == sum(sum(s.learn) for s in samples)
    assert found == pytest.approx(loss, rel=1e-5)
    assert difference(made.gradients(), wanted) <= 1e-5


@pytest.mark.parametrize(
    ("kind", "attention"), [(kind, way) for kind in OTHERS for way in ("pytorch's", "ours", "merged") if way != "merged" or kind not in WINDOWED]
)
def test_gradients_of_every_architecture_equal_the_padded_batchs(kind: str, attention: str) -> None:
    samples = encoded(9, thinking=kind == "qwen3")
    loss, wanted = textbook(samples, kind)
    made = trainee(attention, kind)
    found, _ = step_backward(made.model, samples, shared_prefix(samples), 300)
    assert found == pytest.approx(loss, rel=1e-5)
    assert difference(made.gradients(), wanted) <= 1e-5


@pytest.mark.parametrize(("kind", "attention"), [*((kind, "pytorch's") for kind in ("llama", *OTHERS)), ("llama", "ours"), ("llama", "merged")])
def test_gradients_of_packed_rows_equal_the_padded_batchs(kind: str, attention: str) -> None:
    samples = encoded(9)
    loss, wanted = textbook(samples, kind)
    made = trainee(attention, kind)
    found, _ = step_backward(made.model, samples, 0, 900, packed=True)  # Two or three samples a row.
    assert found == pytest.approx(loss, rel=1e-5)
    assert difference(made.gradients(), wanted) <= 1e-5
    assert held_out_loss(made.model, samples, 0, 900, packed=True) == pytest.approx(loss, rel=1e-5)


def test_leaving_out_norms_or_biases_would_be_seen() -> None:
    """Guards the tests above: the other architectures' are drawn, so that a model without them is another one."""
    samples = encoded(3)
    for kind, part in (("qwen2", "q_proj.base_layer.bias"), ("qwen3", "q_norm.weight"), ("mistral", "input_layernorm.weight")):
        loss, _ = textbook(samples, kind)
        made = trainee(kind=kind)
        changed = [p for n, p in made.model.named_parameters() if n.endswith(part)]
        assert changed
        with torch.no_grad():
            for weight in changed:
                weight.fill_(0.0 if part.endswith("bias") else 1.0)
        assert abs(step_backward(made.model, samples, 0, 300)[0] - loss) > 1e-4 * loss


@given(st.lists(st.integers(1, 400), min_size=1, max_size=70), st.integers(1, 2000))
@settings(max_examples=100, deadline=None)
def test_packs_hold_every_sample_once_within_the_budget(lengths: list[int], budget: int) -> None:
    cut = packs(lengths, budget)
    assert sorted(i for row in cut for i in row) == list(range(len(lengths)))
    assert all(len(row) == 1 or sum(lengths[i] for i in row) <= budget for row in cut)


@pytest.mark.parametrize("attention", ["pytorch's", "ours", "merged"])
def test_the_comparison_would_see_a_prefix_without_gradient(attention: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the test above: were the prefix's own share lost, gradients would be off by far more than it allows."""
    samples = encoded(9)
    _, wanted = textbook(samples)
    made = trainee(attention)
    original = torch.autograd.backward

    def no_prefix(tensors: Any, *more: Any, **named: Any) -> None:
        if not isinstance(tensors, list):  # The prefix's keys and values are the one list of tensors.
            original(tensors, *more, **named)

    monkeypatch.setattr(torch.autograd, "backward", no_prefix)
    step_backward(made.model, samples, shared_prefix(samples), 100_000)
    assert difference(made.gradients(), wanted) > 1e-3


@pytest.mark.parametrize("attention", ["pytorch's", "ours", "merged"])
def test_a_sample_sees_the_prefix_and_itself_and_no_other(attention: str) -> None:
    samples = encoded(6)
    prefix = shared_prefix(samples)
    mask = causal_mask(prefix, 3, torch.device("cpu"))[0, 0]
    assert mask[:, :prefix].all()
    assert mask[:, prefix:].tolist() == [[True, False, False], [True, True, False], [True, True, True]]
    alone = sum(step_backward(trainee(attention).model, [s], prefix, 10_000)[0] * sum(s.weights()) for s in samples)
    together = step_backward(trainee(attention).model, samples, prefix, 10_000)[0]
    assert together == pytest.approx(alone / sum(sum(s.weights()) for s in samples), rel=1e-5)


def learned_texts(tokenizer: Any, sample: Encoded, prefix: int) -> list[str]:
    """What a row's targets say when read back: each unbroken run of learned tokens as text."""
    row = make_row([sample], prefix, torch.device("cpu"), Encoded.weights)
    texts, run = [], []
    for target in [*row.targets[0].tolist(), -100]:
        if target != -100:
            run.append(target)
        elif run:
            texts.append(tokenizer.decode(run))
            run = []
    return texts


def smollm2() -> Any:
    """The real tokenizer, where forge's cache (or MCP_FORGE_TEST_GGUF) holds the base model."""
    from forge_steps.model import load_tokenizer

    cache = Path(os.environ.get("MCP_FORGE_CACHE_DIR") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mcp-forge")
    found = [Path(p) for p in [os.environ.get("MCP_FORGE_TEST_GGUF")] if p] or sorted(cache.glob("models/smollm2-*/model.gguf"))
    return load_tokenizer(found[0]) if found else None


@pytest.mark.parametrize("which", ["bytes", "smollm2"])
def test_exactly_the_answers_are_learned(which: str) -> None:
    tokenizer = byte_tokenizer() if which == "bytes" else smollm2()
    if tokenizer is None:
        pytest.skip("the base model is not in forge's cache")
    source = rendered(12)
    samples = [encode(tokenizer, r["id"], r["segments"]) for r in source]
    for prefix in (0, shared_prefix(samples)):
        for r, s in zip(source, samples, strict=True):
            assert learned_texts(tokenizer, s, prefix) == [x["text"] for x in r["segments"] if x["learn"]]
            assert tokenizer.decode(list(s.ids)) == "".join(x["text"] for x in r["segments"])


def test_the_prefix_leaves_every_sample_something_to_predict_from() -> None:
    same = [Encoded("a", (1, 2, 3, 4, 5), (False, False, False, True, True))] * 2
    assert shared_prefix(same) == 2
    assert shared_prefix([*same, Encoded("b", (1, 9, 3, 4), (False, False, False, True))]) == 1
    assert shared_prefix([Encoded("c", (1, 2), (False, True)), *same]) == 0
    assert shared_prefix([]) == 0


@given(st.lists(st.integers(1, 400), min_size=1, max_size=70), st.integers(1, 2000))
@settings(max_examples=150, deadline=None)
def test_rows_hold_every_sample_once_within_the_budget(lengths: list[int], budget: int) -> None:
    cut = rows(lengths, budget)
    assert sorted(i for row in cut for i in row) == list(range(len(lengths)))
    for row in cut:
        assert len(row) == 1 or max(lengths[i] for i in row) * len(row) <= budget


@given(st.lists(st.integers(1, 700), min_size=1, max_size=40), st.integers(0, 900), st.integers(1, 3000))
@settings(max_examples=150, deadline=None)
def test_passes_hold_every_sample_once_within_the_budget(lengths: list[int], prefix: int, budget: int) -> None:
    made = passes(lengths, prefix, budget)
    assert sorted(i for p in made for i in p.samples()) == list(range(len(lengths)))
    for p in made:
        assert len(p.samples()) == 1 or sum(width * len(of) for width, of in p.bands) <= budget
        for width, of in p.bands:
            assert width % SEQUENCE_MULTIPLE == 0
            assert all(sum(lengths[i] for i in band) <= width for band in of)


def test_few_samples_do_not_pay_for_a_long_one() -> None:
    """One band a long sample, narrow ones for the rest: not sixteen of the longest's width."""
    [made] = passes([60] * 16 + [600], 400, 4000)
    assert sum(width * len(of) for width, of in made.bands) <= 640 + 16 * 64


def test_a_sample_over_the_budget_is_alone_and_the_others_are_not() -> None:
    made = passes([5000, *[60] * 32], 400, 2048)
    assert [len(p.samples()) for p in made] == [1, 32]
