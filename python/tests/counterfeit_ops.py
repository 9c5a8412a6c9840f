"""PyTorch's attention operators for GPUs, counterfeited on the CPU: what they ask of their arguments, and how they lay out what they give.

Written from PyTorch 2.13's sources (aten/src/ATen/native/transformers: cuda/flash_attn/flash_api.cpp, cuda/attention.cu, cuda/attention_backward.cu,
hip/flash_attn/aot/mha_all_aot.hip). Every call is bound to the signature of the real operator in the installed PyTorch first, by name. So python/tests can
hold values and gradients of the kernels' callers against plain attention where there is no GPU; whether a GPU gives the same is asked on the GPU
(attention.py).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from forge_steps.attention_kernels import Plain
from forge_steps.kernel import Segments
from torch import Tensor

BLOCK = 32


def bound(name: str, args: tuple[Any, ...], named: dict[str, Any]) -> SimpleNamespace:
    """Arguments by the names that the installed operator has for them; its defaults for the others. TypeError where they do not fit it."""
    schema = getattr(torch.ops.aten, name).default._schema
    positional = [a for a in schema.arguments if not a.kwarg_only]
    if len(args) > len(positional):
        raise TypeError(f"{name} takes {len(positional)} positional arguments, not {len(args)}")
    given = {a.name: value for a, value in zip(positional, args, strict=False)}
    unknown = set(named) - {a.name for a in schema.arguments} | (set(named) & set(given))
    if unknown:
        raise TypeError(f"{name} takes no {', '.join(sorted(unknown))}")
    given |= named
    for a in schema.arguments:
        if a.name not in given:
            if not a.has_default_value():
                raise TypeError(f"{name} lacks {a.name}")
            given[a.name] = a.default_value
        value, kind = given[a.name], str(a.type)
        fits = {"Tensor": Tensor, "int": int, "bool": bool, "float": float}
        wanted = fits.get(kind.removeprefix("Optional[").removesuffix("]"), object)
        if not (isinstance(value, wanted) and (wanted is not int or not isinstance(value, bool)) or (value is None and kind.startswith("Optional"))):
            raise TypeError(f"{name} wants {kind} for {a.name}, not {type(value).__name__}")
    return SimpleNamespace(**given)


class WithShapes:
    """`torch.ops.aten` itself, but for the one operator whose rule for shapes PyTorch 2.13 has wrong (torch/_meta_registrations.py lacks its argument `out`):
    gradients that lie together, as attention_backward.cu makes them. `calls`: names and arguments of all that were called."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, SimpleNamespace]] = []

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            a = bound(name, args, named)
            self.calls.append((name, a))
            if name == "_efficient_attention_backward":
                return *(x.new_empty(x.shape) for x in (a.query, a.key, a.value)), a.query.new_empty(())
            return getattr(torch.ops.aten, name)(*args, **named)

        return call


class Counterfeits:
    """Stands in for `torch.ops.aten`; `calls` has the names of what was called. `rocm`: as in PyTorch's build for AMD."""

    def __init__(self, rocm: bool = False) -> None:
        self.rocm = rocm
        self.calls: list[str] = []

    def _flash_attention_forward(self, *args: Any, **named: Any) -> tuple[Tensor, ...]:
        a = self._flash("_flash_attention_forward", args, named)
        segments = self._segments(a)
        found = Plain().forward(a.query, a.key, a.value, segments if a.is_causal else None, a.scale)
        lse = found.lse
        if self.rocm:
            lse = segments.filled(lse, a.max_q).nan_to_num(posinf=float("nan"))  # Rows that are filled up are never written.
        elif a.max_q == 1 and a.query.shape[1] > a.key.shape[1]:
            groups = a.key.shape[1]
            lse = lse.unflatten(0, (groups, -1)).transpose(1, 2).reshape(lse.shape)  # Another order: reason enough never to ask for it.
        return found.out, lse, *self._random(), torch.empty(0)

    def _flash_attention_backward(self, *args: Any, **named: Any) -> tuple[Tensor, ...]:
        a = self._flash("_flash_attention_backward", args, named)
        assert a.grad_out.dtype == a.out.dtype == a.query.dtype and a.rng_state.shape == self._random()[0].shape
        segments = self._segments(a)
        lse = segments.unfilled(a.logsumexp) if self.rocm else a.logsumexp
        assert lse.shape == (a.query.shape[1], len(a.query)) and a.logsumexp.is_contiguous()
        return Plain().backward(a.grad_out, a.query, a.key, a.value, a.out, lse, (), segments if a.is_causal else None, a.scale)

    def _flash(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> SimpleNamespace:
        self.calls.append(name)
        a = bound(name, args, named)
        assert a.dropout_p == 0 and a.window_size_left is a.window_size_right is None
        assert all(x.stride(-1) == 1 and x.shape[-1] % 8 == 0 and x.shape[-1] <= 256 for x in (a.query, a.key, a.value))
        assert a.query.shape[-2] % a.key.shape[-2] == 0
        return a

    def _segments(self, a: SimpleNamespace) -> Segments:
        assert a.query.dim() == a.key.dim() == 3 and a.key.shape == a.value.shape
        for starts, of, most in ((a.cum_seq_q, a.query, a.max_q), (a.cum_seq_k, a.key, a.max_k)):
            assert starts.dtype == torch.int32 and starts.is_contiguous()
            lengths = starts.diff().tolist()
            assert sum(lengths) == len(of) and max(lengths) <= most
        # Causal is aligned to the ends, which is the same for as many keys as queries; else there is one sequence of either.
        assert torch.equal(a.cum_seq_q, a.cum_seq_k) if a.is_causal else len(a.cum_seq_q) == len(a.cum_seq_k) == 2
        return Segments(a.cum_seq_q.diff().tolist(), "cpu")

    def _efficient_attention_forward(self, *args: Any, **named: Any) -> tuple[Any, ...]:
        a = self._efficient("_efficient_attention_forward", args, named)
        assert a.compute_log_sumexp
        if a.cu_seqlens_q is None:
            found = [Plain().forward(q, k, v, None, a.scale) for q, k, v in zip(a.query, a.key, a.value, strict=True)]
            rows = a.query.shape[1]
            lse = torch.full((len(found), a.query.shape[2], rows + -rows % BLOCK), float("inf"), dtype=found[0].lse.dtype)
            for one, f in zip(lse, found, strict=True):
                one[:, :rows] = f.lse
            return torch.stack([f.out for f in found]), lse, *self._random(), rows, a.key.shape[1]
        segments = self._packed(a)
        found = Plain().forward(a.query[0], a.key[0], a.value[0], segments, a.scale)
        return found.out[None], segments.filled(found.lse, a.max_seqlen_q + -a.max_seqlen_q % BLOCK), *self._random(), a.max_seqlen_q, a.max_seqlen_k

    def _efficient_attention_backward(self, *args: Any, **named: Any) -> tuple[Tensor, ...]:
        a = self._efficient("_efficient_attention_backward", args, named)
        assert a.out.is_contiguous() and a.grad_out_.shape == a.out.shape and not a.bias_requires_grad
        rows = a.max_seqlen_q
        assert a.logsumexp.shape[-1] == rows + -rows % BLOCK and a.logsumexp.is_contiguous()
        assert a.logsumexp[..., rows:].isposinf().all()  # It reads them, and their weights have to be 0.
        if a.cu_seqlens_q is None:
            assert (rows, a.max_seqlen_k) == (a.query.shape[1], a.key.shape[1])
            given = zip(a.grad_out_, a.query, a.key, a.value, a.out, a.logsumexp[..., :rows], strict=True)
            found = [Plain().backward(*part, (), None, a.scale) for part in given]
            return *(torch.stack(x) for x in zip(*found, strict=True)), torch.empty(())
        segments = self._packed(a)
        lse = segments.unfilled(a.logsumexp)
        assert torch.equal(segments.filled(lse, a.logsumexp.shape[-1]), a.logsumexp)
        found = Plain().backward(*(x[0] for x in (a.grad_out_, a.query, a.key, a.value, a.out)), lse, (), segments, a.scale)
        return *(x[None] for x in found), torch.empty(())

    def _efficient(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> SimpleNamespace:
        self.calls.append(name)
        a = bound(name, args, named)
        assert a.bias is None and a.dropout_p == 0 and a.query.dim() == a.key.dim() == a.value.dim() == 4
        # No grouped queries.
        assert a.query.shape[0] == a.key.shape[0] and a.query.shape[2] == a.key.shape[2] == a.value.shape[2]
        assert all(x.stride(-1) == 1 for x in (a.query, a.key, a.value))
        assert a.custom_mask_type == (0 if a.cu_seqlens_q is None else 1)
        return a

    def _packed(self, a: SimpleNamespace) -> Segments:
        assert len(a.query) == 1 and a.cu_seqlens_q.dtype == torch.int32
        assert torch.equal(a.cu_seqlens_q, a.cu_seqlens_k)
        lengths = a.cu_seqlens_q.diff().tolist()
        assert max(lengths) == a.max_seqlen_q == a.max_seqlen_k and sum(lengths) == a.query.shape[1]
        return Segments(lengths, "cpu")

    def _random(self) -> tuple[Tensor, Tensor]:
        return torch.empty(() if self.rocm else 2, dtype=torch.int64), torch.empty((), dtype=torch.int64)
