"""Step `quantize`: an f16 GGUF to a smaller format by llama.cpp's own quantizer, and how far the result strays.

Spec: `{v: 1, input: gguf, output: gguf, format: one of llama_structs.FTYPES, libraries: folder of libllama,
threads?, imatrix?: file of the step `imatrix`, verify?: {rows: rendered.jsonl, positions}, speed?: {threads}}`. Guarantees: `output` appears
whole or not at all (written beside, synced, renamed); the same input gives the same bytes whatever the number of threads. The
distance is KL(f16 || quantized), both evaluated by llama.cpp: export has proven the f16 file equal to the trained model.

`f16` is for a base whose matrices are bfloat16 or float32: each weight is rounded once, as llama.cpp's converter rounds it, and the tensors are those of the
export of that base without an adapter, bit for bit (python/tests/test_own_models.py). A weight that float16 has no number for ends it (`export/beyond-f16`): the export keeps
its matrix in float32.

Where a tensor's rows do not fit the blocks of the format (256 weights for K- and IQ-quants, 32 for the others), llama.cpp gives that tensor a
type that fits; how many is a figure, and said. No PyTorch is imported: the step starts in a fraction of a second and holds little more than
the model.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forge_steps.llama_cpp import Library
from forge_steps.llama_structs import FTYPES, IGNORE_MATRIX, NEED_MATRIX
from forge_steps.model import usable_cores
from forge_steps.protocol import Step, StepError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from forge_steps.verify import Distance


def run(step: Step) -> dict[str, Any]:
    """Figures: `bytes`, `seconds`, `format`, `bits_per_weight`, `tensor_types` (how many tensors of which type), `fallback_tensors`; with `verify` the
    distance (see `verify.Distance.figures`), and with `imatrix` too `kl_without_imatrix` and `perplexity_without_imatrix`, of the same format without
    it; with `speed` that (see `speed`)."""
    spec = step.spec
    source, target = spec.path("input", exists=True), spec.path("output")
    format = spec.text("format", choices=list(FTYPES))
    threads = spec.integer("threads", usable_cores(), minimum=1)
    importance = _importance(step, format)
    library = Library(spec.path("libraries", exists=True))
    started = time.monotonic()
    step.progress(0, 3, "phases", message=f"quantizing to {format}")
    fallbacks = _write(library, source, target, format, threads, *importance)
    if format == "f16":
        _check_f16(target)
    figures: dict[str, Any] = {
        "format": format,
        "bytes": target.stat().st_size,
        **contents(target),
        "fallback_tensors": fallbacks,
        "quantize_seconds": round(time.monotonic() - started, 2),
    }
    if fallbacks:
        matrices = sum(n for type, n in figures["tensor_types"].items() if type != "F32")
        step.log("warning" if 2 * fallbacks > matrices else "info", fallback_words(format, fallbacks, matrices))
    step.check()
    step.progress(1, 3, "phases", message="comparing with the f16 file")
    if spec.has("verify"):
        from forge_steps.verify import compare_files

        rows, positions = spec.object("verify").path("rows", exists=True), spec.object("verify").integer("positions", 2000, minimum=1)

        def distance(candidate: Path) -> Distance:
            return compare_files(library, source, candidate, rows, positions, threads, step)

        figures |= distance(target).figures()
        if importance[0] is not None and format not in NEED_MATRIX:
            figures |= _without(library, source, target, format, threads, distance, step)
            if figures["kl"] > figures["kl_without_imatrix"]:
                step.log(
                    "warning",
                    f"the importance matrix did not help {format}: KL {figures['kl']:g} nats with it, {figures['kl_without_imatrix']:g} without; "
                    "leave `imatrix` out for this format",
                )
        step.check()
        step.progress(2, 3, "phases", message="measuring the speed")
        if spec.has("speed"):
            from forge_steps.speed import measured_speed

            figures |= measured_speed(library, target, rows, spec.object("speed").integer("threads", threads, minimum=1))
    step.progress(3, 3, "phases")
    step.artifact("gguf", target)
    figures["seconds"] = round(time.monotonic() - started, 2)
    return figures


def _importance(step: Step, format: str) -> tuple[Mapping[str, np.ndarray] | None, Mapping[str, str | int] | None]:
    if step.spec.has("imatrix"):
        from forge_steps import imatrix

        matrix, count = imatrix.read(step.spec.path("imatrix", exists=True))
        if format in IGNORE_MATRIX:
            raise StepError("export/imatrix", f"no importance matrix changes {format}", "Leave `imatrix` out for this format.")
        return matrix, imatrix.notes(matrix, count)
    if format in NEED_MATRIX:
        raise StepError(
            "export/imatrix",
            f"{format} cannot be made without an importance matrix: llama.cpp refuses to round so few bits blindly",
            f"Write `{{ format: {format}, imatrix: true }}` in `exports`, or choose a format of more bits (q3_k_m).",
        )
    return None, None


def _write(
    library: Library, source: Path, target: Path, format: str, threads: int, matrix: Mapping[str, np.ndarray] | None, notes: Mapping[str, str | int] | None
) -> int:
    """Writes beside the target, then renames; returns how many tensors fell back."""
    with_name_of_its_own = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        fallbacks = library.quantize(source, with_name_of_its_own, format, threads, matrix, notes)
        publish(with_name_of_its_own, target)
    finally:
        with_name_of_its_own.unlink(missing_ok=True)
    return fallbacks


def _check_f16(target: Path) -> None:
    """Raises StepError, and removes the file, where a weight was rounded to infinity."""
    from forge_steps.convert_base import first_not_finite

    large = first_not_finite(target)
    if large is not None:
        target.unlink()
        raise StepError("export/beyond-f16", f"{large} holds weights larger than float16 holds (65,504)", "Export it: the matrix is then kept in float32.")


def _without(library: Library, source: Path, target: Path, format: str, threads: int, distance: Any, step: Step) -> dict[str, Any]:
    """The same format without the matrix, for comparison; its file goes at once."""
    step.check()
    step.progress(1, 3, "phases", message=f"comparing with {format} without the matrix")
    plain = target.with_name(f".{target.name}.{os.getpid()}.plain")
    try:
        library.quantize(source, plain, format, threads)
        found = distance(plain).figures()
    finally:
        plain.unlink(missing_ok=True)
    return {f"{name}_without_imatrix": found[name] for name in ("kl", "perplexity") if name in found}


def contents(path: Path) -> dict[str, Any]:
    """`tensor_types`: how many tensors are of which of ggml's types, and `bits_per_weight` over all of them."""
    from gguf import GGUFReader

    tensors = GGUFReader(path).tensors
    types = Counter(tensor.tensor_type.name for tensor in tensors)
    weights = sum(int(tensor.n_elements) for tensor in tensors)
    return {
        "tensor_types": dict(sorted(types.items())),
        "bits_per_weight": round(8 * sum(int(tensor.n_bytes) for tensor in tensors) / max(1, weights), 2),
    }


def fallback_words(format: str, fallbacks: int, matrices: int) -> str:
    """What it means that tensors got another type than the format says."""
    block, other = (32, "kept them as f16") if format in _BLOCKS_OF_32 else (256, "gave them a type with blocks of 32")
    return (
        f"{fallbacks} of {matrices} matrices have rows that are no multiple of the {block} weights of a block of {format}; "
        f"llama.cpp {other}, so the file is larger than the format's name says"
    )


_BLOCKS_OF_32 = frozenset({"q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"})


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
