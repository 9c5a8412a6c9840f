"""Backend `qlora`: LoRA on a base whose linear layers lie in 4 bits (Dettmers et al., arXiv:2305.14314), by bitsandbytes.

NormalFloat (NF4) in blocks of 64 weights whose scales are quantized once more: 0.516 bytes a weight, on a GPU and on a CPU, for which bitsandbytes has
had kernels since 0.46. Norms, embeddings, biases and the head stay in the precision that computes. A layer's weights are written out in that
precision while it computes, forward and backward, and kept nowhere. Each layer is quantized by itself on the device that trains, so that a GPU never
holds more than one of them in 16 bits.

The adapter learns on the rounded base and is merged onto the published one: merging.py says how far apart the two are.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forge_steps.backends import Backend, Base, load_plain, plain_adapter
from forge_steps.protocol import StepError

if TYPE_CHECKING:
    import torch

#: Weights that share a scale, and scales that share one of theirs (bitsandbytes' defaults, and the paper's).
BLOCK, SCALES = 64, 256
#: Half a byte, a scale of one byte a block, and a float32 for `SCALES` of those.
BYTES_A_WEIGHT = 0.5 + 1 / BLOCK + 4 / (BLOCK * SCALES)


class Qlora(Backend):
    name = "qlora"
    rounds = True
    loads_on_host = True

    def check(self) -> None:
        try:
            importlib.metadata.version("bitsandbytes")
            import bitsandbytes.nn  # noqa: F401  Its library may be of another machine.
        except (importlib.metadata.PackageNotFoundError, ImportError, OSError, RuntimeError) as e:
            raise StepError(
                "step/package-missing",
                f"the backend qlora needs bitsandbytes, which this Python cannot use: {e}",
                "Run `forge doctor --fix` with the recipe, or unset MCP_FORGE_QLORA_PYTHON to let forge make the environment; `train.backend: transformers` needs none.",
            ) from e

    def bytes_a_weight(self, dtype: torch.dtype) -> float:
        return BYTES_A_WEIGHT

    def load(self, base: Base, longest: int, recomputed: bool, seed: int, scratch: Path) -> Any:
        from forge_steps.heap import give_back

        if base.device.type == "mps":
            raise StepError("train/device", "the backend qlora has no kernels for Apple's GPU", "Write `train.backend: transformers`, or unset MCP_FORGE_DEVICE.")
        model = load_plain(base)
        quantize_linears(model, base.device)
        model = model.to(base.device)
        give_back()  # What the 16-bit weights took: training needs less than loading.
        return model

    def adapt(self, model: Any, config: Any) -> Any:
        dtype = model.get_input_embeddings().weight.dtype
        adapted = plain_adapter(model, config)
        for parameter in adapted.parameters():
            if parameter.requires_grad:  # PEFT takes a layer's precision from its weights, which are bytes here.
                parameter.data = parameter.data.to(dtype)
        return adapted


def quantize_linears(model: Any, device: torch.device) -> int:
    """Replaces every linear layer but the head by bitsandbytes' `Linear4bit` on the device; returns how many. Computes in the layers' own precision."""
    import torch
    from bitsandbytes.nn import Linear4bit, Params4bit

    head = model.get_output_embeddings()
    found = [
        (module, name, child)
        for module in model.modules()
        for name, child in module.named_children()
        if isinstance(child, torch.nn.Linear) and child is not head
    ]
    for module, name, linear in found:
        layer = Linear4bit(1, 1, bias=False, compute_dtype=linear.weight.dtype, compress_statistics=True, quant_type="nf4")
        layer.in_features, layer.out_features = linear.in_features, linear.out_features
        layer.weight = Params4bit(linear.weight.data, requires_grad=False, blocksize=BLOCK, compress_statistics=True, quant_type="nf4", module=layer).to(device)
        layer.bias = None if linear.bias is None else torch.nn.Parameter(linear.bias.data.to(device), requires_grad=False)
        # In evaluation its forward pass would lay a CPU's weights out anew, in a form that no training pass can read.
        layer.support_avx512bf16_for_cpu = False
        setattr(module, name, layer.train(linear.training))
        linear.weight = None
    model.is_loaded_in_4bit = True  # PEFT looks here.
    return len(found)
