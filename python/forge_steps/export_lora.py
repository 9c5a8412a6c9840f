"""Step `export_lora`: the adapter by itself as a GGUF, proven to make of the base what the merged model is.

Spec: `{v: 1, base: {gguf, sha256?}, adapter: PEFT folder, output: gguf, metadata: {"general.…" | "mcp_forge.…": value}, converter: see
convert.find_converter, libraries: folder of libllama, scratch: folder, threads?, verify?: {merged: f16 gguf, rows: rendered.jsonl,
positions?}}`.

Guarantees: `output` appears only when it passed the comparison, whole. What is compared is the base's own GGUF with the adapter over it, under
llama.cpp, with the merged f16 file. Where the base's file is quantized (smollm2's is), llama.cpp computes with its rounded weights and rounds the
activations too, where the merged file does not: the distance then says how much.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forge_steps.protocol import Step, StepError

if TYPE_CHECKING:
    from forge_steps.llama_cpp import Library

#: Largest mean KL in nats between base with adapter and merged model, whatever the base strays without it; and the share of what it strays.
MAX_KL, MAX_SHARE = 0.02, 0.25


def run(step: Step) -> dict[str, Any]:
    """Figures: `format` (lora), `bytes`, `rank`, `seconds`, and with `verify` the distance (see `verify.Distance.figures`) and `kl_base`, that of the
    base without the adapter."""
    from forge_steps.convert import check_metadata, find_converter, use_converter

    spec = step.spec
    metadata = dict(spec.object("metadata").raw())
    check_metadata(metadata)
    adapter, target, scratch = spec.path("adapter", exists=True), spec.path("output"), spec.path("scratch")
    libraries = spec.path("libraries", exists=True)
    started = time.monotonic()
    step.progress(0, 2, "phases", message="writing the adapter")
    from forge_steps.convert_lora import check_form, convert_lora

    check_form(adapter)  # before the slow part
    use_converter(find_converter(spec.object("converter")))
    from forge_steps.llama_cpp import Library
    from forge_steps.model import base_file, load_config, peak_memory_bytes, usable_cores
    from forge_steps.quantize import publish

    library = Library(libraries)
    threads = spec.integer("threads", usable_cores(), minimum=1)
    base = base_file(spec.object("base"))
    folder, candidate = scratch / "config", scratch / "adapter.gguf"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        rank = convert_lora(adapter, load_config(base), candidate, metadata, folder)
        figures: dict[str, Any] = {"format": "lora", "bytes": candidate.stat().st_size, "rank": rank}
        step.check()
        if spec.has("verify"):
            step.progress(1, 2, "phases", message="comparing base and adapter with the merged model")
            verify = spec.object("verify")
            merged, rows = verify.path("merged", exists=True), verify.path("rows", exists=True)
            figures |= compare(library, merged, base, candidate, rows, verify.integer("positions", 500, minimum=1), threads, step)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            shutil.move(candidate, part)
            publish(part, target)
        finally:
            part.unlink(missing_ok=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        candidate.unlink(missing_ok=True)
    step.progress(2, 2, "phases")
    step.artifact("gguf", target)
    return {**figures, "seconds": round(time.monotonic() - started, 2), "peak_bytes": peak_memory_bytes()}


def compare(library: Library, merged: Path, base: Path, adapter: Path, rows: Path, positions: int, threads: int, step: Step) -> dict[str, Any]:
    """Figures; raises StepError where base and adapter are another model than the merged one. A base in the hub's form, which llama.cpp does
    not read, is compared by nothing: forge's own bases are GGUF files."""
    from forge_steps.verify import compare_files

    distance = compare_files(library, merged, base, rows, positions, threads, step, adapter)
    alone = compare_files(library, merged, base, rows, positions, threads, step)
    if not distance.kl_mean <= max(MAX_KL, MAX_SHARE * alone.kl_mean):
        raise StepError(
            "export/not-the-model",
            f"the adapter over the base is not the trained model: mean KL {distance.kl_mean:.2g} nats over {distance.positions} positions, "
            f"and {alone.kl_mean:.2g} without the adapter",
            "This is a defect in export, not in training: leave `lora` out of `exports`, and report it with the log.",
        )
    return {**distance.figures(), "kl_base": float(f"{alone.kl_mean:.3g}")}
