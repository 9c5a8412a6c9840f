"""From a PEFT folder to a LoRA adapter as a GGUF, which llama.cpp lays over the base model's own file (`--lora`).

The tensors' names, and what an architecture does to its weights (a llama's queries are permuted), are those of llama.cpp's own converter: a class of its
`conversion` package sees each pair of matrices as the weight that they stand for (`LoraTorchTensor` of its convert_lora_to_gguf.py, whose main program
this follows). Guarantees: the bytes depend on the folder's content, the base's configuration and the metadata alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from forge_steps.convert import add_metadata, architecture_class
from forge_steps.lora import other_form, pairs_of, whole
from forge_steps.protocol import StepError


def check_form(adapter: Path) -> None:
    """Raises StepError where the PEFT folder is no adapter, or one of a form that a GGUF cannot hold."""
    try:
        config = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
        strange = "use_rslora" if config.get("use_rslora") else other_form(config)
        plain = isinstance(config["r"], int) and isinstance(config["lora_alpha"], (int, float))
    except (OSError, ValueError, KeyError, AttributeError) as e:
        raise StepError("export/adapter", f"{adapter.name} is no adapter that PEFT wrote", "Train it again (--force train).") from e
    if strange == "trainable_token_indices":
        raise StepError(
            "export/adapter",
            "the adapter holds rows of tokens that were added to the base's vocabulary, which the base's own file does not have, and an adapter as a GGUF has no place for",
            "Leave `lora` out of `exports`: the merged formats hold them.",
        )
    if strange is not None or not plain:
        raise StepError(
            "export/adapter",
            f"the adapter is no plain LoRA (`{strange or 'r'}`), and a GGUF of one cannot say so",
            "Leave `lora` out of `exports`: the merged formats hold it.",
        )


def convert_lora(adapter: Path, base: Any, target: Path, metadata: Mapping[str, Any], scratch: Path) -> int:
    """Writes `adapter` (a PEFT folder) as a GGUF of float32 to `target`; returns its rank. `base`: the base model's config (transformers), of whose
    weights nothing is read. `scratch`: an empty folder."""
    import torch

    try:
        from convert_lora_to_gguf import LoraTorchTensor
        from conversion import LazyTorchTensor
        import gguf
    except ImportError as e:
        raise StepError(
            "export/converter",
            f"llama.cpp's converter of adapters cannot be loaded: {e}",
            "Install mcp-forge again (npm ci); where MCP_FORGE_LLAMA_CPP names a checkout, it needs convert_lora_to_gguf.py.",
        ) from e
    matrices, config = whole(adapter)
    pairs = pairs_of(matrices)
    if not base.architectures:  # a GGUF does not say what transformers calls it
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

        name = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(base.model_type)
        base.architectures = [name if isinstance(name, str) else str(base.model_type)]
    base.save_pretrained(scratch)
    general = scratch / "general.json"
    general.write_text(json.dumps({k: v for k, v in metadata.items() if k.startswith("general.")}), "utf-8")
    base_class = architecture_class(scratch)

    class Adapter(base_class):  # type: ignore[misc, valid-type]
        model_arch = base_class.model_arch

        def set_vocab(self) -> None:
            pass

        def set_type(self) -> None:
            self.gguf_writer.add_type(gguf.GGUFType.ADAPTER)
            self.gguf_writer.add_string(gguf.Keys.Adapter.TYPE, "lora")

        def set_gguf_parameters(self) -> None:
            self.gguf_writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(config["lora_alpha"]))

        def prepare_metadata(self, vocab_only: bool) -> None:
            super().prepare_metadata(vocab_only)
            add_metadata(self.gguf_writer, metadata)

        def generate_extra_tensors(self) -> Iterable[tuple[str, Any]]:
            return ()  # the base has its factors of the rotary embedding

        def get_tensors(self) -> Iterator[tuple[str, Any]]:
            for name, (a, b) in pairs.items():
                yield name, LoraTorchTensor(*(LazyTorchTensor.from_eager(m) for m in (a, b)))

        def modify_tensors(self, data_torch: Any, name: str, bid: int | None) -> Iterable[tuple[str, Any]]:
            for name_there, weight in super().modify_tensors(data_torch, name, bid):
                a, b = weight.get_lora_A_B()
                yield f"{name_there}.lora_a", a
                yield f"{name_there}.lora_b", b

    with torch.inference_mode():
        Adapter(scratch, gguf.LlamaFileType.ALL_F32, target, metadata_override=general, model_name=metadata.get("general.name")).write()
    return int(config["r"])
