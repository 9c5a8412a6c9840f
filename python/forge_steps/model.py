"""Loading a base model and its tokenizer, and what of the machine matters to them.

Heavy libraries are imported inside functions: a step that needs none of them starts at once.
Nothing here reaches a network: the base model lies on disk, fetched and checked by forge.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forge_steps.device import pick_device as pick_device  # Steps take both from here.
from forge_steps.device import pick_dtype as pick_dtype
from forge_steps.protocol import Spec, StepError

if TYPE_CHECKING:
    import torch

# Before transformers is imported: it must never ask the hub, nor warn about forks of its tokenizers, nor draw bars.
for _name, _value in {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",  # transformers' too: a bar on stderr would stand at the end of what is shown of a failure
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "HF_DEACTIVATE_ASYNC_LOAD": "1",  # Threads that load ahead would hold several weights in float32 (weights.py).
}.items():
    os.environ.setdefault(_name, _value)


def usable_cores() -> int:
    """CPU cores that this process may really use: its affinity, cut by the control group's quota (cgroup v2, then v1)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        if quota != "max":
            cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        try:
            quota_us = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").read_text("ascii"))
            period_us = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us").read_text("ascii"))
            if quota_us > 0:
                cores = min(cores, max(1, quota_us // period_us))
        except (OSError, ValueError):
            pass
    return max(1, cores)


def peak_memory_bytes() -> int:
    """The process's largest resident size so far, in bytes (VmHWM; getrusage where there is no /proc)."""
    try:
        for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _sha256(f)


def _sha256(f: Any) -> str:
    digest = hashlib.sha256()
    while block := f.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def base_file(base: Spec) -> Path:
    """The GGUF of a spec's `base {gguf, sha256}`, its bytes checked against the digest (with or without `sha256:`)."""
    path = base.path("gguf", exists=True)
    if base.has("sha256"):
        expected = base.text("sha256").removeprefix("sha256:")
        if path.is_file() and file_sha256(path) != expected:
            raise StepError(
                "model/damaged",
                f"the base model {path.name} does not have the bytes it should have",
                f"Remove {path.parent}; forge fetches it again.",
            )
    return path


def load_tokenizer(gguf: Path) -> Any:
    """The tokenizer inside a GGUF (or of a folder in the hub's form)."""
    from transformers import AutoTokenizer

    from forge_steps.tokenizer import tokenizer_from_gguf

    if gguf.is_dir():
        return AutoTokenizer.from_pretrained(gguf)
    # transformers ignores the file's pre-tokenizer: "\n\n12" would become other tokens than at inference.
    tokenizer = tokenizer_from_gguf(gguf)
    return tokenizer if tokenizer is not None else AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)


def load_base(gguf: Path, dtype: torch.dtype, config: Any = None, below: Path | None = None, device: torch.device | None = None) -> Any:
    """The model inside a GGUF (or a folder in the hub's form), dequantized to `dtype` (2 s for 135M parameters), on `device` (default: the CPU), in evaluation
    mode. `config`: what `load_config` gave, to read it no second time. `below`: the PEFT folder of an adapter that is merged in first, in float32.

    Weights are read one after the other (weights.py): beside the model itself memory holds one of them, and a model that is loaded to a GPU never lies in
    the host's. Neither it nor its config says any more that it is quantized: it can be saved and trained like any other.
    """
    from forge_steps.gguf_once import read_once
    from forge_steps.lora import Lora
    from forge_steps.weights import BaseWeights

    with read_once():
        model = BaseWeights(gguf, config).load(dtype, None if below is None else Lora.read(below), device)
    check_finite(model)
    return model


def check_finite(model: Any) -> None:
    """Raises StepError that names the first weight of a base model that is no finite number: it would show as a loss that is none, at the first step."""
    for name, weight in model.named_parameters():
        raise_not_finite(name, weight)


def raise_not_finite(name: str, weight: torch.Tensor) -> None:
    """Raises StepError where a base model's weight holds a value that is no finite number."""
    import torch

    # The sum is not finite where a weight is not, and needs no second copy; where it overflows by itself the weights are looked at.
    if not bool(torch.isfinite(weight.sum())) and not bool(torch.isfinite(weight).all()):
        raise StepError(
            "model/not-finite",
            f"the base model's weights hold values that are no finite numbers ({name})",
            "Its files are damaged, or were written that way: fetch it again from its makers, or use another one.",
        )


def load_config(gguf: Path) -> Any:
    """The configuration of the model inside a GGUF (or of a folder in the hub's form), without its weights."""
    from transformers import AutoConfig

    from forge_steps.gguf_once import read_once

    if gguf.is_dir():
        return AutoConfig.from_pretrained(gguf)
    with read_once():
        return _config_of(gguf)


def _config_of(gguf: Path) -> Any:
    """transformers' own reading of the file's header, with what 5.17 leaves out: the width of Qwen3's heads, and the base, the share of
    a head and the scaling of the rotary embedding, which its config now keeps elsewhere. Inside `read_once`."""
    import gguf as library
    from transformers import AutoConfig

    from forge_steps.base_file import check_tensors, has_biases, rope_scaling

    reader = library.GGUFReader(gguf)
    check_tensors(reader)
    _know_glm4()
    config = AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name)
    fields = reader.fields
    architecture = fields["general.architecture"].contents()

    def value(key: str) -> Any:
        field = fields.get(f"{architecture}.{key}")
        return None if field is None else field.contents()

    width, base = value("attention.key_length"), value("rope.freq_base")
    if width is not None and hasattr(config, "head_dim"):
        config.head_dim = int(width)
    if base is not None and architecture != "gemma3" and isinstance(getattr(config, "rope_parameters", None), dict):
        config.rope_parameters = {**config.rope_parameters, "rope_theta": float(base)}
    if architecture in _PARTLY_ROTATED:
        head = int(width) if width is not None else config.hidden_size // config.num_attention_heads
        turned = value("rope.dimension_count")
        config.rope_parameters = {**config.rope_parameters, "partial_rotary_factor": 1.0 if turned is None else int(turned) / head}
    if architecture == "phi3":
        config.original_max_position_embeddings = int(value("rope.scaling.original_context_length") or config.max_position_embeddings)
    if architecture == "gemma3":
        # llama.cpp's src/models/gemma3.cpp: every sixth layer looks at everything, the others turn by a base of their own.
        local = value("rope.freq_base_swa")
        if not value("attention.sliding_window") or value("attention.sliding_window_pattern") not in (None, _EVERY):
            raise StepError("model/window", "the base model's layers look at other windows than a Gemma 3's", "It is no plain model of its architecture; use another one.")
        config.query_pre_attn_scalar = config.hidden_size // config.num_attention_heads if config.num_hidden_layers == _OF_27B else config.head_dim
        config.rope_parameters = {
            "full_attention": {"rope_type": "default", "rope_theta": float(base if base is not None else 1e6)},
            "sliding_attention": {"rope_type": "default", "rope_theta": float(local if local is not None else 1e4)},
        }
    if architecture == "glm4":
        config.attention_bias = has_biases(reader)
    if architecture in _OWN_TOKENS:
        for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding")):
            field = fields.get(f"tokenizer.ggml.{key}_token_id")
            setattr(config, f"{name}_token_id", None if field is None else int(field.contents()))
    scaled = rope_scaling(reader, base, width if width is not None else value("rope.dimension_count"))
    if scaled is not None:
        config.rope_parameters = scaled
    return config


#: Of a Gemma 3 every so-manieth layer looks at everything; and the blocks of the one whose scores are scaled by another width than that of its heads.
_EVERY, _OF_27B = 6, 62
#: llama.cpp's names of architectures that may rotate a part of each head only.
_PARTLY_ROTATED = frozenset({"phi3", "glm4"})
#: Those whose config in transformers names control tokens of one vocabulary where nothing else is said, some past the end of a small one.
_OWN_TOKENS = frozenset({"phi3", "glm4", "gemma3"})


def _know_glm4() -> None:
    """Tells transformers, which reads GGUF files of many architectures and not of this one, what its keys are called in a config."""
    from transformers import modeling_gguf_pytorch_utils as files
    from transformers.integrations.ggml import GGUF_CONFIG_MAPPING

    if "glm4" in GGUF_CONFIG_MAPPING:
        return
    GGUF_CONFIG_MAPPING["glm4"] = {
        "context_length": "max_position_embeddings",
        "block_count": "num_hidden_layers",
        "feed_forward_length": "intermediate_size",
        "embedding_length": "hidden_size",
        "attention.key_length": "head_dim",
        "attention.head_count": "num_attention_heads",
        "attention.head_count_kv": "num_key_value_heads",
        "attention.layer_norm_rms_epsilon": "rms_norm_eps",
        "vocab_size": "vocab_size",
    }
    files.GGUF_SUPPORTED_ARCHITECTURES.append("glm4")
