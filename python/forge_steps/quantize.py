"""Step `quantize`: an f16 GGUF to a smaller format by llama.cpp's own quantizer, and how far the result strays.

Spec: `{v: 1, input: gguf, output: gguf, format: one of llama_structs.FTYPES but f16, libraries: folder of libllama,
threads?, verify?: {rows: rendered.jsonl, positions}}`. Guarantees: `output` appears whole or not at all (written
beside, synced, renamed); the same input gives the same bytes whatever the number of threads. The distance is
KL(f16 || quantized), both evaluated by llama.cpp: export has proven the f16 file equal to the trained model.

No PyTorch is imported: the step starts in a fraction of a second and holds little more than the model.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from forge_steps.llama_cpp import Library
from forge_steps.llama_structs import FTYPES
from forge_steps.model import usable_cores
from forge_steps.protocol import Step


def run(step: Step) -> dict[str, Any]:
    """Figures: `bytes`, `seconds`, `format`, and with `verify` the distance (see `verify.Distance.figures`)."""
    spec = step.spec
    source, target = spec.path("input", exists=True), spec.path("output")
    format = spec.text("format", choices=[name for name in FTYPES if name != "f16"])
    threads = spec.integer("threads", usable_cores(), minimum=1)
    library = Library(spec.path("libraries", exists=True))
    started = time.monotonic()
    step.progress(0, 2, "phases", message=f"quantizing to {format}")
    with_name_of_its_own = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        library.quantize(source, with_name_of_its_own, format, threads)
        publish(with_name_of_its_own, target)
    finally:
        with_name_of_its_own.unlink(missing_ok=True)
    figures: dict[str, Any] = {"format": format, "bytes": target.stat().st_size, "quantize_seconds": round(time.monotonic() - started, 2)}
    step.check()
    step.progress(1, 2, "phases", message="comparing with the f16 file")
    if spec.has("verify"):
        from forge_steps.verify import compare_files

        rows, positions = spec.object("verify").path("rows", exists=True), spec.object("verify").integer("positions", 2000, minimum=1)
        figures |= compare_files(library, source, target, rows, positions, threads, step).figures()
    step.progress(2, 2, "phases")
    step.artifact("gguf", target)
    figures["seconds"] = round(time.monotonic() - started, 2)
    return figures


def publish(part: Path, target: Path) -> None:
    """Makes a finished file visible under its name: synced, renamed, the folder synced."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(part, target)
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
