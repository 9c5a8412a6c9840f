"""Which attention a model is trained with, on the device that it lies on.

| device | layers | attention |
| --- | --- | --- |
| CPU, in float32 | without a window | PyTorch's fused kernel for CPUs (merged_attention.py) |
| CPU, in bfloat16; layers with a window | all that are plain | bands, in plain operators (shared_attention.py) |
| NVIDIA GPU | without a window | fused kernels (merged_attention.py): FlashAttention in 16 bits from Ampere on, else the memory-efficient ones |
| AMD GPU (ROCm) | without a window | fused kernels: FlashAttention's in 16 bits |
| a GPU, where none of these fits; Apple's (MPS) | all that are plain | bands, in plain operators |
| anything else | any | PyTorch's own, with rows of samples and a copy of the prefix for each |

No form has been run on a GPU by forge's makers. So on one it is tried before anything is trained (`differs`): values and gradients on a few made-up
samples, against plain attention in float32 on the CPU. What raises or gives something else is passed over, and said. A form that fails later, in a
training step, is replaced by PyTorch's own, once and with a warning (`fall_back`); the step is then done again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from forge_steps import merged_attention, shared_attention
from forge_steps.attention_kernels import KERNELS
from forge_steps.kernel import WIDTH_MULTIPLE, Kernel, Segments
from forge_steps.shared_attention import PLAIN_TYPES, WINDOWED, Bands, Prefix, additive

#: Says something to whoever waits: a level (`info`, `warning`) and the words.
Log = Callable[[str, str], None]

#: Kernels that may train on a device, the fastest first, by its type in PyTorch (`cuda` is AMD's too). After them come the bands.
BY_DEVICE: dict[str, tuple[str, ...]] = {"cpu": ("cpu-flash",), "cuda": ("cuda-flash", "rocm-flash", "cuda-efficient"), "mps": ()}
#: Where our tests run: what computes there is not tried first.
TESTED = frozenset({"cpu"})
#: Bands in a sentence, beside the kernels' names.
BANDS = "bands"

#: Tokens of the samples that a form is tried on, of the prefix before them, and the window where layers look at one.
_TRIED, _PREFIX, _WINDOW = (1, 37, 5, 64), 83, 24
#: By how much (a share of the length, of values or of each gradient) it may differ from float32 on a CPU. In 16 bits a number has 3 digits (bfloat16), and a
#: GPU's float32 products may have as few; something that is wrong differs by its own size.
_FAR = 0.05


@dataclass
class Form:
    """The attention that a model's layers have, where it is not PyTorch's own."""

    name: str
    #: Whether it may be given up for PyTorch's: everywhere but on a CPU, where it is tested.
    untested: bool
    log: Log


def install(model: Any, log: Log = lambda level, words: None) -> bool:
    """Gives a model (transformers', on the device that trains) the attention of the table above. Says whether it is one of ours."""
    config = model.config
    first = next(model.parameters())
    if not _is_plain(config):
        return False
    if first.device.type not in BY_DEVICE:
        return False
    tested = first.device.type in TESTED
    windowed = config.model_type in WINDOWED
    heads, key_heads, dim = _heads(config)
    passed_over: list[str] = []
    for name in (*(BY_DEVICE[first.device.type] if not windowed else ()), BANDS):
        kernel = KERNELS.get(name)
        wide = dim + -dim % WIDTH_MULTIPLE
        why = kernel.refuses(first.device, first.dtype, wide) if kernel is not None else None
        if why is None and not tested:
            why = differs(kernel, first.device, first.dtype, (heads, key_heads, dim), _WINDOW if windowed else None)
        if why is None:
            use(model, kernel, Form(name, not tested, log))
            if not tested:
                log("info", f"attention to the shared beginning: {name}{''.join(f'; not {other}' for other in passed_over)}")
            return True
        passed_over.append(f"{name} ({why})")
    log("warning", f"PyTorch's own attention trains, with a copy of the shared beginning for every sample: not {'; not '.join(passed_over)}")
    return False


def is_merged(decoder: Any) -> bool:
    """Whether a decoder's samples are to come one after the other, as segments."""
    return decoder.config._attn_implementation == merged_attention.NAME


def is_banded(decoder: Any) -> bool:
    """Whether they are to come in bands."""
    return decoder.config._attn_implementation == shared_attention.NAME


def may_fall_back(model: Any) -> bool:
    """Whether a model's attention is one that PyTorch's own may stand in for, after an error in a step."""
    form = getattr(_plain_model(model), "forge_attention", None)
    return form is not None and form.untested


def fall_back(model: Any, why: str) -> None:
    """PyTorch's own attention from here on; says so. Gradients of the step that failed are the caller's to drop."""
    plain = _plain_model(model)
    form = getattr(plain, "forge_attention", None)
    if form is None:
        return
    plain.set_attn_implementation("sdpa")
    plain.forge_attention = None
    said = why.strip().splitlines()
    form.log("warning", f"the attention `{form.name}` failed on this device ({said[0][:200] if said else 'no word why'}): the step is done again with PyTorch's own")


def differs(kernel: Kernel | None, device: torch.device, dtype: torch.dtype, shape: tuple[int, int, int], window: int | None = None) -> str | None:
    """Why a form is not to be trusted on a device: what it raises, or how far it is from plain attention. None where it computes the same.

    `kernel`: None for the bands; `shape`: heads, key heads and a head's width; `window`: of the layers that look at one. Draws no number from the
    generators that training draws from.
    """
    heads, key_heads, dim = shape
    generator = torch.Generator().manual_seed(0)
    tokens = sum(_TRIED)

    def drawn(count: int, of: int) -> Tensor:
        """[1, heads, tokens, dim], laid out in memory as a projection leaves it; the same numbers in both precisions."""
        return torch.randn((1, of, count, dim), generator=generator).transpose(1, 2).contiguous().transpose(1, 2).to(dtype).float()

    given = [drawn(tokens, heads), *(drawn(n, key_heads) for n in (tokens, tokens, _PREFIX, _PREFIX))]
    towards = drawn(tokens, heads).transpose(1, 2)
    try:
        # To the CPU in here: what fails on a GPU is heard of when its results are asked for.
        found = [x.detach().float().cpu() for x in _values(kernel, [x.to(device, dtype).requires_grad_() for x in given], towards.to(device, dtype), window)]
    except (RuntimeError, TypeError, AttributeError, ValueError) as e:
        return f"it raises {type(e).__name__}: {' '.join(str(e).split())[:200]}"
    wanted = [x.detach() for x in _values(None, [x.requires_grad_() for x in given], towards, window)]
    for name, ours, theirs in zip(("values", "queries", "keys", "values'", "prefix's keys", "prefix's values"), found, wanted, strict=True):
        far = float((ours - theirs).norm() / theirs.norm())
        if not far <= _FAR:  # Also where it is no number.
            return f"its {name if name == 'values' else f'gradients of the {name}'} are not those of plain attention (relative difference {far:.2g})"
    return None


def _values(kernel: Kernel | None, given: list[Tensor], towards: Tensor, window: int | None) -> list[Tensor]:
    """Attention on the samples that a form is tried on, and the gradients of queries, keys, values and the prefix's two."""
    q, k, v, pk, pv = given
    device = q.device
    layer = SimpleNamespace(layer_idx=0, forge_kernel=kernel)
    at = torch.cat([torch.arange(_PREFIX, _PREFIX + n) for n in _TRIED])[None].to(device)
    prefix = Prefix([(pk, pv)], _PREFIX, torch.arange(_PREFIX, device=device))
    with torch.enable_grad():
        if kernel is not None:
            out, _ = merged_attention.attend(layer, q, k, v, shared_prefix=prefix, segments=Segments(_TRIED, device))
        else:
            whose = torch.repeat_interleave(torch.arange(len(_TRIED)), torch.tensor(_TRIED))
            hidden = (whose[:, None] != whose) | torch.ones((len(whose),) * 2, dtype=torch.bool).triu(1)
            bands = [Bands(1, len(whose), additive(hidden[None], q.dtype).to(device))]
            out, _ = shared_attention.attend(layer, q, k, v, shared_prefix=prefix, bands=bands, sliding_window=window, position_ids=at)
        return [out, *torch.autograd.grad(out, given, towards)]


def _is_plain(config: Any) -> bool:
    """Whether a model's attention is of the kind that ours computes."""
    plain = config.model_type in PLAIN_TYPES and not getattr(config, "attention_dropout", 0.0)
    if config.model_type in WINDOWED:
        return bool(plain and not config.use_bidirectional_attention and config.attn_logit_softcapping is None)
    return bool(plain and getattr(config, "sliding_window", None) is None)


def _heads(config: Any) -> tuple[int, int, int]:
    """Heads, key heads and the width of a head."""
    heads = config.num_attention_heads
    return heads, getattr(config, "num_key_value_heads", None) or heads, getattr(config, "head_dim", None) or config.hidden_size // heads


def use(model: Any, kernel: Kernel | None, form: Form) -> None:
    """Gives every layer of a model one form: the bands (None), or a kernel."""
    from transformers import AttentionInterface

    name, attend = (shared_attention.NAME, shared_attention.attend) if kernel is None else (merged_attention.NAME, merged_attention.attend)
    AttentionInterface.register(name, attend)
    for layer in model.get_decoder().layers:
        layer.self_attn.forge_kernel = kernel
    model.set_attn_implementation(name)
    model.forge_attention = form


def _plain_model(model: Any) -> Any:
    """transformers' model, wrapped by PEFT or not."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
