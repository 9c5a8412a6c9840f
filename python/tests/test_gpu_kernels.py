"""Calls of PyTorch's kernels for GPUs, held against the installed PyTorch without a GPU: their signatures, and the shapes they give."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from counterfeit_ops import WithShapes
from forge_steps import gpu_kernels
from forge_steps.attention_kernels import KERNELS
from forge_steps.kernel import Segments, one_sample
from forge_steps.merged_attention import MergedAttention
from torch._subclasses.fake_tensor import FakeTensorMode

aten = torch.ops.aten
#: Of the operators that are called, their arguments with types as PyTorch 2.13 has them, up to what we leave to its defaults. Another order or another meaning of one has
#: to be looked at by a person: most are plain numbers, and would be taken.
SIGNATURES = {
    "_flash_attention_forward": "Tensor query, Tensor key, Tensor value, Optional[Tensor] cum_seq_q, Optional[Tensor] cum_seq_k, int max_q, int max_k, float dropout_p,"
    " bool is_causal, bool return_debug_mask, Optional[float] scale",
    "_flash_attention_backward": "Tensor grad_out, Tensor query, Tensor key, Tensor value, Tensor out, Tensor logsumexp, Tensor cum_seq_q, Tensor cum_seq_k, int max_q, int max_k,"
    " float dropout_p, bool is_causal, Tensor rng_state, Tensor unused, Optional[float] scale",
    "_efficient_attention_forward": "Tensor query, Tensor key, Tensor value, Optional[Tensor] bias, Optional[Tensor] cu_seqlens_q, Optional[Tensor] cu_seqlens_k,"
    " Optional[int] max_seqlen_q, Optional[int] max_seqlen_k, float dropout_p, int custom_mask_type, bool compute_log_sumexp, Optional[float] scale",
    "_efficient_attention_backward": "Tensor grad_out_, Tensor query, Tensor key, Tensor value, Optional[Tensor] bias, Tensor out, Optional[Tensor] cu_seqlens_q,"
    " Optional[Tensor] cu_seqlens_k, int max_seqlen_q, int max_seqlen_k, Tensor logsumexp, float dropout_p, Tensor philox_seed, Tensor philox_offset, int custom_mask_type,"
    " bool bias_requires_grad, Optional[float] scale",
    "_scaled_dot_product_flash_attention_for_cpu": "Tensor query, Tensor key, Tensor value, float dropout_p, bool is_causal",
    "_scaled_dot_product_flash_attention_for_cpu_backward": "Tensor grad_out, Tensor query, Tensor key, Tensor value, Tensor out, Tensor logsumexp, float dropout_p, bool is_causal",
}
#: What the first results of the forward operators are called.
RESULTS = {
    "_flash_attention_forward": ["output", "softmax_logsumexp", "rng_state", "unused"],
    "_efficient_attention_forward": ["output", "logsumexp", "philox_seed", "philox_offset"],
}


@contextmanager
def not_there() -> Iterator[None]:
    """Tensors of a GPU without one: they have shapes and no numbers."""
    one_sample.cache_clear()
    with FakeTensorMode():
        yield
    one_sample.cache_clear()


def forward_and_backward(*args: Any) -> tuple[torch.Tensor, tuple[torch.Tensor | None, ...]]:
    """Values and gradients, as PyTorch's engine asks for them; it itself would want the GPU."""

    class Context:
        saved_tensors: tuple[Any, ...] = ()

        def save_for_backward(self, *kept: Any) -> None:
            self.saved_tensors = kept

    context = Context()
    out = MergedAttention.forward(context, *args)
    return out, MergedAttention.backward(context, torch.empty_like(out))


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_installed_operators_have_the_signatures_that_these_calls_were_written_for(name: str) -> None:
    schema = getattr(aten, name).default._schema
    said = ", ".join(f"{a.type} {a.name}" for a in schema.arguments)
    assert said.startswith(SIGNATURES[name])
    assert [r.name for r in schema.returns[:4]] == RESULTS.get(name, [r.name for r in schema.returns[:4]])
    # What comes after, we leave out.
    given_ = SIGNATURES[name].count(",") + 1
    assert all(a.has_default_value() for a in schema.arguments[given_:])


@pytest.mark.parametrize(("lengths", "groups", "copies", "prefix", "dim"), [([1], 1, 1, 0, 8), ([1, 1], 1, 3, 1, 64), ([1, 70, 3], 2, 3, 33, 64), ([5, 5], 3, 1, 70, 256)])
def test_shapes_and_types_on_a_gpu_that_is_not_there(lengths: list[int], groups: int, copies: int, prefix: int, dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's own rules for shapes, device and type of every operator, forward and backward, as they stand for a GPU."""
    tokens = sum(lengths)
    shapes = [(tokens, groups * copies, dim), *[(tokens, groups, dim)] * 2, *[(prefix, groups, dim)] * 2]
    monkeypatch.setattr(gpu_kernels, "aten", WithShapes())
    with not_there():
        for name, dtype in (("cuda-flash", torch.bfloat16), ("cuda-flash", torch.float16), ("cuda-efficient", torch.float32), ("cuda-efficient", torch.bfloat16)):
            all_ = [torch.empty(s, dtype=dtype, device="cuda:0") for s in shapes]
            shared = all_[3:] if prefix > 0 else [None, None]
            out, grads = forward_and_backward(*all_[:3], *shared, Segments(lengths, "cuda:0"), 0.1, KERNELS[name])
            assert (out.shape, out.dtype, out.device) == (all_[0].shape, dtype, all_[0].device)
            for x, grad in zip([*all_[:3], *shared], grads, strict=False):
                assert (grad is None and x is None) or (grad.shape, grad.dtype, grad.device) == (x.shape, dtype, x.device)


@pytest.mark.parametrize(("name", "operator"), [("cuda-flash", "flash"), ("cuda-efficient", "efficient")])
def test_every_argument_goes_where_it_belongs(name: str, operator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three samples and a prefix: what each call is given, by the operator's own names."""
    recorded = WithShapes()
    monkeypatch.setattr(gpu_kernels, "aten", recorded)
    with not_there():
        all_ = [torch.empty((n, heads, 8), device="cuda:0", dtype=torch.bfloat16) for n, heads in ((9, 4), (9, 2), (9, 2), (40, 2), (40, 2))]
        forward_and_backward(*all_, Segments([1, 6, 2], "cuda:0"), 0.25, KERNELS[name])
    assert [c for c, _ in recorded.calls] == [f"_{operator}_attention_forward"] * 2 + [f"_{operator}_attention_backward"] * 2
    for (_, a), own in zip(recorded.calls, (True, False, True, False), strict=True):
        assert (a.dropout_p, a.scale) == (0.0, 0.25)
        if operator == "flash":
            assert a.is_causal is own and (a.max_q, a.max_k) == ((6, 6) if own else (9, 40))
            assert (len(a.cum_seq_q), len(a.cum_seq_k)) == ((4, 4) if own else (2, 2))
        else:
            assert a.custom_mask_type == (1 if own else 0) and a.bias is None
            assert a.query.shape == ((1, 9, 4, 8) if own else (2, 9, 2, 8)) and a.key.shape == ((1, 9, 4, 8) if own else (2, 40, 2, 8))
            assert (a.cu_seqlens_q is not None) is own
            assert own or a.key.stride(0) == 0  # The prefix is there once.


@pytest.mark.parametrize("lengths", [[1], [1, 1, 1], [5, 1, 33]])
def test_log_sum_exps_are_filled_up_and_back(lengths: list[int]) -> None:
    segments = Segments(lengths, "cpu")
    lse = torch.randn((3, segments.tokens))
    rows = segments.filled(lse, 64)
    assert rows.shape == (len(lengths), 3, 64) and torch.equal(segments.unfilled(rows), lse)
    assert int(rows.isposinf().sum()) == 3 * (64 * len(lengths) - segments.tokens)
    assert segments.starts.tolist() == [sum(lengths[:i]) for i in range(len(lengths) + 1)] and segments.starts.dtype == torch.int32


def test_flash_attention_is_never_asked_for_a_single_query_a_sample() -> None:
    assert gpu_kernels._at_most(Segments([1, 1], "cpu")) == 2 and gpu_kernels._at_most(Segments([1, 9], "cpu")) == 9
