"""The same model, fewer passes over memory: LoRA layers and RMS norms in their fused forms.

On a CPU (and on a small GPU) a fine-tuning step of a small model is bound by memory, not by arithmetic. PEFT's
LoRA layer scales and adds in passes of their own, each with a copy kept for the backward pass; transformers' RMS
norm keeps three float32 copies of its input. The functions here compute the same values (to rounding) and keep only
what the backward pass cannot do without. Parameters, names and what is saved stay PEFT's and transformers'.

Applies to what it recognises (a plain LoRA on a bias-free linear layer without dropout, in 4 bits too; a Llama-style RMS norm)
and leaves the rest alone, so that it is never a condition for training a family.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def as_it_is(weight: Tensor) -> Tensor:
    return weight


class _LoraLinear(torch.autograd.Function):
    """y = x Wt + scale (x At) Bt, with W frozen. Two-dimensional input. `read` gives W from what is kept of it (in 4 bits: its bytes)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float, read: Callable[[Tensor], Tensor] = as_it_is) -> Tensor:
        down = x @ a.t()
        y = x @ read(weight).t()
        y.addmm_(down, b.t(), alpha=scale)
        ctx.save_for_backward(x, weight, a, b, down)
        ctx.scale, ctx.read = scale, read
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, a, b, down = ctx.saved_tensors
        up = grad @ b  # [tokens, rank]
        if ctx.scale != 1.0:
            up.mul_(ctx.scale)
        dx = None
        if ctx.needs_input_grad[0]:
            dx = grad @ ctx.read(weight)
            dx.addmm_(up, a)
        return dx, None, up.t() @ x, (grad.t() @ down).mul_(ctx.scale), None, None


class _RmsNorm(torch.autograd.Function):
    """Root mean square norm; keeps the input as it came and one float32 number a row (Zhang and Sennrich, arXiv:1910.07467)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        x32 = x.float()
        rstd = torch.rsqrt(torch.linalg.vector_norm(x32, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps))
        ctx.save_for_backward(x, weight, rstd)
        return (x32 * rstd).to(x.dtype).mul_(weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, rstd = ctx.saved_tensors
        normed = x.float().mul_(rstd)
        # A copy in any case: where the norm ends a branch, this gradient is the residual stream's too.
        g = grad.to(torch.float32, copy=True).mul_(weight)
        # dx = rstd (g - normed mean(g normed)); the mean is one dot product a row.
        mean = torch.linalg.vecdot(g, normed).unsqueeze(-1).div_(x.shape[-1])
        return g.addcmul_(normed, mean, value=-1).mul_(rstd).to(x.dtype), None, None


class _SwiGlu(torch.autograd.Function):
    """silu(gate) * up, keeping gate and up only."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return nn.functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        dgate = torch.ops.aten.silu_backward(grad * up, gate)
        return dgate, nn.functional.silu(gate).mul_(grad)


class _GatedLoraLinear(torch.autograd.Function):
    """`_LoraLinear` of silu(gate) * up, which is the widest of a layer's tensors: it is computed again in the backward pass and not kept."""

    @staticmethod
    def forward(
        ctx: Any, gate: Tensor, up: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float, read: Callable[[Tensor], Tensor] = as_it_is
    ) -> Tensor:
        x = nn.functional.silu(gate).mul_(up)
        down = x @ a.t()
        y = x @ read(weight).t()
        y.addmm_(down, b.t(), alpha=scale)
        ctx.save_for_backward(gate, up, weight, a, b, down)
        ctx.scale, ctx.read = scale, read
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        gate, up, weight, a, b, down = ctx.saved_tensors
        low = grad @ b  # [tokens, rank]
        if ctx.scale != 1.0:
            low.mul_(ctx.scale)
        dx = grad @ ctx.read(weight)
        dx.addmm_(low, a)
        active = nn.functional.silu(gate)
        da = low.t() @ (active * up)
        return torch.ops.aten.silu_backward(dx * up, gate), active.mul_(dx), None, da, (grad.t() @ down).mul_(ctx.scale), None, None


def make_lean(model: Any) -> int:
    """Gives the recognised modules of a PEFT model their fused forward; returns how many it changed.

    Norm weights must be frozen, as LoRA leaves them: their gradient is not computed.
    """
    from peft.tuners.lora import Linear as LoraLinear

    changed = 0
    def is_lora(module: Any) -> bool:
        return (isinstance(module, LoraLinear) or type(module).__name__ == "Linear4bit") and hasattr(module, "lora_A") and _plain(module)

    for module in model.modules():
        if is_lora(module):
            module.forward = _lora_forward(module)  # type: ignore[method-assign]
        elif type(module).__name__.endswith("RMSNorm") and hasattr(module, "variance_epsilon") and not module.weight.requires_grad:
            module.forward = _norm_forward(module)
        elif type(module).__name__ in ("LlamaMLP", "Qwen2MLP", "Qwen3MLP") and type(module.act_fn).__name__ in ("SiLU", "SiLUActivation"):
            module.forward = _mlp_forward(module, _gated(module.down_proj, is_lora(module.down_proj)))
        elif type(module).__name__ in ("Phi3MLP", "Glm4MLP") and type(module.activation_fn).__name__ in ("SiLU", "SiLUActivation"):
            module.forward = _joined_mlp_forward(module, _gated(module.down_proj, is_lora(module.down_proj)))
        else:
            continue
        changed += 1
    return changed


def _plain(module: Any) -> bool:
    """One adapter, active, on a bias-free layer, no dropout, no variant of LoRA."""
    adapter = module.active_adapters
    return (
        len(adapter) == 1
        and module.base_layer.bias is None
        and isinstance(module.base_layer, nn.Linear)
        and isinstance(module.lora_dropout[adapter[0]], nn.Identity)
        and not module.use_dora.get(adapter[0], False)
        and not module.lora_bias.get(adapter[0], False)
    )


def _lora_forward(module: Any) -> Any:
    name = module.active_adapters[0]
    a, b, scale, base = module.lora_A[name], module.lora_B[name], module.scaling[name], module.base_layer
    read = _reader(base.weight)

    def forward(x: Tensor) -> Tensor:
        y = _LoraLinear.apply(x.reshape(-1, x.shape[-1]), base.weight, a.weight, b.weight, scale, read)
        return y.view(*x.shape[:-1], y.shape[-1])

    return forward


def _reader(weight: Tensor) -> Callable[[Tensor], Tensor]:
    """How a layer's weights are read: as they are, or (bitsandbytes' `Params4bit`, which are bytes) written out in the precision that they were in."""
    state = getattr(weight, "quant_state", None)
    if state is None:
        return as_it_is
    from bitsandbytes.functional import dequantize_4bit

    return lambda kept: dequantize_4bit(kept, state)


def _norm_forward(module: Any) -> Any:
    def forward(x: Tensor) -> Tensor:
        return _RmsNorm.apply(x, module.weight, module.variance_epsilon)

    return forward


def _gated(module: Any, lora: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """The last projection of an MLP, of silu(gate) * up: in one piece where it is a plain LoRA layer."""
    if not lora:
        return lambda gate, up: module(_SwiGlu.apply(gate, up))
    name = module.active_adapters[0]
    a, b, scale, base = module.lora_A[name], module.lora_B[name], module.scaling[name], module.base_layer
    read = _reader(base.weight)

    def forward(gate: Tensor, up: Tensor) -> Tensor:
        flat = (x.reshape(-1, x.shape[-1]) for x in (gate, up))
        y = _GatedLoraLinear.apply(*flat, base.weight, a.weight, b.weight, scale, read)
        return y.view(*gate.shape[:-1], y.shape[-1])

    return forward


def _mlp_forward(module: Any, last: Callable[[Tensor, Tensor], Tensor]) -> Any:
    def forward(x: Tensor) -> Tensor:
        return last(module.gate_proj(x), module.up_proj(x))

    return forward


def _joined_mlp_forward(module: Any, last: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """Of an MLP that has gate and up in one matrix, the gate first."""

    def forward(x: Tensor) -> Tensor:
        return last(*module.gate_up_proj(x).chunk(2, -1))

    return forward
