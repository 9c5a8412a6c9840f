"""Step `imatrix`: what the model's weights are multiplied with on its own training samples, so that a quantizer knows which
of them matter.

For each matrix of the model the mean square of its inputs, column by column: llama.cpp's importance matrix
(tools/imatrix/imatrix.cpp), taken from the f16 file by llama.cpp itself while it evaluates the samples. Every architecture
that it runs is covered. The shared prompt counts once, then each sample after it; samples that the comparison of the
quantized file is made on are left out where there are enough others, so that the figure is not flattered.

Spec: `{v: 1, input: f16 gguf, rows: rendered.jsonl, output: gguf, libraries: folder of libllama, threads?, tokens?}`.
Guarantees: `output` appears whole or not at all; the same input gives the same bytes whatever the number of threads. The
file is in llama.cpp's own form (`general.type: imatrix`), so `llama-quantize --imatrix` takes it as well.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forge_steps.llama_cpp import Library
from forge_steps.model import usable_cores
from forge_steps.protocol import Step, StepError
from forge_steps.verify import PIECE, passage, read_other_rows

if TYPE_CHECKING:
    import numpy as np

    from forge_steps.llama_structs import Tensor

#: Tokens that are looked at. llama.cpp's users take some hundred chunks of 512 of all kinds of text; ours are all of one kind.
TOKENS = 4096
#: Samples that they are taken from, at most.
_SAMPLES = 256
#: Fewer positions in a batch say little, and llama.cpp leaves them out too.
_FEWEST = 16
#: What the file says the samples are; no path, so that it is the same everywhere.
DATASET = "MCP-Forge training samples"


@dataclass
class Sums:
    """Sums of squares by tensor (float64, a column each), and how many positions are in them."""

    squares: dict[str, np.ndarray] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def means(self) -> dict[str, np.ndarray]:
        """Float32, in the order of the names: what the quantizer takes."""
        import numpy as np

        return {name: np.ascontiguousarray(self.squares[name] / self.counts[name], dtype=np.float32) for name in sorted(self.squares)}


def collect(library: Library, gguf: Path, samples: Sequence[Sequence[int]], tokens: int, threads: int, step: Step | None = None) -> Sums:
    """Evaluates tokenized samples, at most `tokens` positions in all, and sums what each matrix was multiplied with."""
    import numpy as np

    if not library.tensor_layout_is_known():
        raise StepError("export/llama-cpp-layout", "llama.cpp's library lays out ggml_tensor differently", "Install the release of node-llama-cpp that mcp-forge's package.json names (npm ci).")
    sums = Sums()
    failed: list[BaseException] = []

    def watch(tensor: Tensor, asked: bool) -> bool:
        try:
            return _take(library, sums, tensor, asked)
        except BaseException as e:  # noqa: BLE001  An exception cannot cross llama.cpp: it is raised behind it.
            failed.append(e)
            return False

    shared = passage(samples, tokens)
    left = tokens
    with library.model(gguf) as model, model.context(shared.context_tokens, PIECE, threads, watch=watch) as context:
        passages = [(shared.prefix, 0), *((tail, len(shared.prefix)) for tail in shared.tails)]
        for number, (part, start) in enumerate(passages):
            if left < _FEWEST or len(part) == 0:
                continue
            if number > 1:
                context.forget(start)
            for at in range(0, len(part), PIECE):
                piece = part[at : at + PIECE]
                # Logits of all positions: the last layer computes what is asked for, and no more.
                context.logits(piece, start + at, len(piece))
                left -= len(piece)
                if failed:
                    raise failed[0]
            if step is not None:
                step.check()
                step.progress(min(tokens, tokens - left), tokens, "tokens", message="looking at the weights' inputs")
    for name, values in sums.squares.items():
        if not np.isfinite(values).all():
            raise StepError("export/not-finite", f"the model computes values that are no numbers ({name})", "Lower `train.learning_rate`.")
    if not sums.squares:
        raise StepError("export/imatrix", "the samples are too short to say which weights matter", "Leave `imatrix` out of `exports`.")
    return sums


def _take(library: Library, sums: Sums, tensor: Tensor, asked: bool) -> bool:
    """As `IMatrixCollector::collect_imatrix`: of products of a layer's matrix with a batch of activations."""
    import ctypes

    import numpy as np

    if asked:
        if library.operation(tensor) != "MUL_MAT":
            return False
        weight, inputs = tensor.src[0].contents, tensor.src[1].contents
        return inputs.type == 0 and inputs.ne[1] >= _FEWEST and _weight_name(weight.name) is not None and weight.ne[2] * weight.ne[3] == 1
    weight, inputs = tensor.src[0].contents, tensor.src[1].contents
    name = _weight_name(weight.name)
    if name is None or not library.in_memory(inputs):
        return True
    columns, rows, strides = inputs.ne[0], (inputs.ne[3], inputs.ne[2], inputs.ne[1]), (inputs.nb[3], inputs.nb[2], inputs.nb[1], inputs.nb[0])
    size = sum((n - 1) * s for n, s in zip((*rows, columns), strides)) + 4
    values = np.ndarray((*rows, columns), np.float32, (ctypes.c_char * size).from_address(inputs.data), strides=strides).reshape(-1, columns)
    squares = np.einsum("ij,ij->j", values, values, dtype=np.float64)
    if name in sums.squares:
        sums.squares[name] += squares
        sums.counts[name] += len(values)
    else:
        sums.squares[name], sums.counts[name] = squares, len(values)
    return True


def _weight_name(raw: bytes) -> str | None:
    """A layer's weight by its name in the file; None for anything else. A copy on a backend is called `NAME#layer#0`."""
    name = raw.decode("utf-8", "replace")
    if "#" in name:
        name = name.split("#")[1]
    return name if name.startswith("blk.") else None


def write(sums: Sums, path: Path) -> None:
    """Writes llama.cpp's own form of it (`IMatrixCollector::save_imatrix`)."""
    import numpy as np
    from gguf import GGUFWriter

    writer = GGUFWriter(path, "", use_temp_file=False)
    writer.kv_data[0].clear()  # the architecture, which such a file has none of
    writer.add_string("general.type", "imatrix")
    writer.add_array("imatrix.datasets", [DATASET])
    writer.add_uint32("imatrix.chunk_count", chunks(sums))
    writer.add_uint32("imatrix.chunk_size", PIECE)
    for name in sorted(sums.squares):
        writer.add_tensor(f"{name}.in_sum2", sums.squares[name].astype(np.float32)[None])
        writer.add_tensor(f"{name}.counts", np.full((1, 1), sums.counts[name], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def chunks(sums: Sums) -> int:
    """How many pieces of `PIECE` positions were looked at."""
    return max(sums.counts.values()) // PIECE


def read(path: Path) -> tuple[dict[str, np.ndarray], int]:
    """Mean squares by tensor, and the number of chunks, of a file in llama.cpp's form."""
    import numpy as np
    from gguf import GGUFReader

    wrong = StepError("export/imatrix", f"{path.name} is no importance matrix of llama.cpp's form", "Make it again (--force imatrix).")
    try:
        reader = GGUFReader(path)
        kind, count = (reader.fields[key].contents() for key in ("general.type", "imatrix.chunk_count"))
        found = {tensor.name: np.array(tensor.data, np.float32).reshape(-1) for tensor in reader.tensors}
        means = {name.removesuffix(".in_sum2"): values / found[f"{name.removesuffix('.in_sum2')}.counts"][0] for name, values in found.items() if name.endswith(".in_sum2")}
    except (OSError, ValueError, KeyError, IndexError) as e:
        raise wrong from e
    if kind != "imatrix" or not means:
        raise wrong
    return {name: np.ascontiguousarray(means[name], np.float32) for name in sorted(means)}, int(count)


def notes(matrix: Mapping[str, np.ndarray], count: int) -> dict[str, str | int]:
    """What a file that was quantized with a matrix says of it: the keys of llama.cpp's own quantizer (tools/quantize/quantize.cpp)."""
    return {
        "quantize.imatrix.dataset": DATASET,
        "quantize.imatrix.entries_count": len(matrix),
        "quantize.imatrix.chunks_count": count,
    }


def run(step: Step) -> dict[str, Any]:
    """Figures: `bytes`, `seconds`, `tensors` in the matrix, `positions` looked at."""
    from forge_steps.quantize import publish

    spec = step.spec
    source, rows, target = spec.path("input", exists=True), spec.path("rows", exists=True), spec.path("output")
    threads, tokens = spec.integer("threads", usable_cores(), minimum=1), spec.integer("tokens", TOKENS, minimum=_FEWEST)
    library = Library(spec.path("libraries", exists=True))
    started = time.monotonic()
    with library.model(source, vocab_only=True) as model:
        samples = [[token for text in row for token in model.tokenize(text)] for row in read_other_rows(rows, _SAMPLES)]
    sums = collect(library, source, samples, tokens, threads, step)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        write(sums, part)
        publish(part, target)
    finally:
        part.unlink(missing_ok=True)
    step.artifact("imatrix", target)
    return {"bytes": target.stat().st_size, "tensors": len(sums.squares), "positions": max(sums.counts.values()), "seconds": round(time.monotonic() - started, 2)}
