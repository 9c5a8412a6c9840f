"""Step `export`: the trained model as an f16 GGUF, proven equal to what was trained.

Spec: `{v: 1, base: {gguf, sha256?}, adapter?: PEFT folder, template: Jinja file, stop_tokens: [text], output: gguf,
metadata: {"general.…" | "mcp_forge.…": value}, converter: see convert.find_converter, libraries: folder of libllama,
scratch: folder, threads?, thinking?: {open, close}, verify?: {rows: rendered.jsonl, positions?}, speed?: {threads}, limits?: {memory, free}}`.

Guarantees: `output` appears only when it passed the comparison, whole; its bytes depend on base, adapter, template and
metadata alone. Needs about 4 bytes a parameter of disk in `scratch` beside the output, removed at the end, and memory for the largest weight and one
file of the merged model, not for the whole of it (merge.py); where that cannot be had it is refused before anything is merged (export_memory.py;
`limits`, in bytes, stands for what the machine has).
"""

from __future__ import annotations

import os
import shutil
import time
from typing import Any

from forge_steps.protocol import Step, StepError


def run(step: Step) -> dict[str, Any]:
    """Figures: `bytes`, `seconds`, seconds a phase, `peak_bytes` of memory (files that are mapped among them), `needed_bytes` that it was estimated to need
    without those, the comparison's (see `verify`), and with `speed` beside `verify` that (see `speed`)."""
    from forge_steps.convert import check_metadata, convert, find_converter, use_converter

    spec = step.spec
    metadata = dict(spec.object("metadata").raw())
    check_metadata(metadata)
    target, scratch = spec.path("output"), spec.path("scratch")
    template = spec.path("template", exists=True).read_text("utf-8")
    adapter = spec.path("adapter", exists=True) if spec.has("adapter") else None
    stop_tokens = spec.raw().get("stop_tokens")
    if not isinstance(stop_tokens, list) or not all(isinstance(token, str) for token in stop_tokens):
        raise StepError("step/spec", "the spec's `stop_tokens` is no list of texts")
    libraries = spec.path("libraries", exists=True)
    clock = _Clock(step, 5 if spec.has("verify") else 4)

    clock.phase("converter", "preparing llama.cpp's converter")
    use_converter(find_converter(spec.object("converter")))

    from forge_steps import export_memory
    from forge_steps.gguf_once import read_once
    from forge_steps.llama_cpp import Library
    from forge_steps.lora import Lora
    from forge_steps.merge import merge, merging_bytes, save_tokenizer
    from forge_steps.model import base_file, load_tokenizer, peak_memory_bytes, usable_cores
    from forge_steps.tokenizer import pre_tokenizer_of
    from forge_steps.weights import BaseWeights

    threads = spec.integer("threads", usable_cores(), minimum=1)
    library = Library(libraries)  # before the slow part: a wrong release is said at once
    clock.phase("load", "merging the adapter into the base model" if adapter is not None else "loading the base model")
    import torch

    torch.set_num_threads(threads)
    base = base_file(spec.object("base"))
    folder = scratch / "merged"
    candidate = scratch / "candidate.gguf"
    shutil.rmtree(folder, ignore_errors=True)  # left by a killed run
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        with read_once():
            tokenizer, pre_tokenizer = load_tokenizer(base), pre_tokenizer_of(base)
            weights, lora = BaseWeights(base), None if adapter is None else Lora.read(adapter)
            memory, comparing = export_memory.Memory.of(spec), None
            if spec.has("verify"):
                from forge_steps.verify import Comparison

                verify = spec.object("verify")
                positions = export_memory.positions_for(step, memory, weights.parameters, verify.integer("positions", 2000, minimum=1))
                comparing = Comparison.of(verify.path("rows", exists=True), positions, tokenizer)
            needed = export_memory.check(
                memory, merging_bytes(weights, lora), None if comparing is None else export_memory.comparing_bytes(weights.config, comparing.what)
            )
            merged = merge(weights, lora, folder, step.check)
            save_tokenizer(tokenizer, template, folder)
        del lora
        large = merged.beyond_f16
        if large:
            more = f" and {len(large) - 1} more" if len(large) > 1 else ""
            step.log("warning", f"{large[0]}{more}: weights larger than float16 holds (65,504); they are kept as float32, so the file is larger than others of its format")
        clock.phase("convert", "writing the GGUF")
        convert(folder, candidate, metadata, pre_tokenizer, pieces=base if base.is_file() else None, in_f32=large)
        step.check()
        figures: dict[str, Any] = {"format": "f16", "bytes": candidate.stat().st_size}
        if spec.has("thinking"):
            from forge_steps.verify import check_thinking

            thinking = spec.object("thinking")
            with library.model(candidate) as loaded:
                check_thinking(loaded, tokenizer, (thinking.text("open"), thinking.text("close")))
        if comparing is not None:
            from forge_steps.verify import compare_with_python

            clock.phase("verify", "comparing the GGUF with the trained model")
            figures |= compare_with_python(library, candidate, merged.model(), tokenizer, comparing, template, stop_tokens, threads, step)
            if spec.has("speed"):
                from forge_steps.speed import measured_speed

                figures |= measured_speed(library, candidate, comparing.rows, spec.object("speed").integer("threads", threads, minimum=1))
        from forge_steps.quantize import publish

        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            shutil.move(candidate, part)  # scratch may lie on another file system
            publish(part, target)
        finally:
            part.unlink(missing_ok=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        candidate.unlink(missing_ok=True)
    step.artifact("gguf", target)
    return figures | clock.figures() | {"peak_bytes": peak_memory_bytes(), "needed_bytes": needed}


class _Clock:
    """Reports each phase as it begins and keeps what each took."""

    def __init__(self, step: Step, phases: int) -> None:
        self._step, self._phases = step, phases
        self._started = self._since = time.monotonic()
        self._name: str | None = None
        self._seconds: dict[str, float] = {}

    def phase(self, name: str, message: str) -> None:
        self._close()
        self._step.check()
        self._name = name
        self._step.progress(len(self._seconds), self._phases, "phases", message=message)

    def _close(self) -> None:
        now = time.monotonic()
        if self._name is not None:
            self._seconds[self._name] = round(now - self._since, 2)
        self._since = now

    def figures(self) -> dict[str, Any]:
        self._close()
        self._step.progress(self._phases, self._phases, "phases")
        return {"seconds": round(time.monotonic() - self._started, 2), "phase_seconds": self._seconds}
