"""Attention to the shared prefix, one layer, forward and backward: forge's forms beside PyTorch's own with a copy of the prefix for each sample.

    python bench/attention.py [--device cpu] [--prefix 1530] [--samples 8] [--tokens 60] [--heads 9] [--key-heads 3] [--dim 64] [--rounds 30] [--threads 1]

By default a step's samples for SmolLM2-135M. Each form is run in turn, round after round, and its median counts. `bands`: shared_attention.py; the others:
merged_attention.py with that kernel, every one that fits the device (on a GPU `cuda-flash` or `rocm-flash`, and `cuda-efficient`). Before it is timed each is compared
with plain attention. Ends with one JSON line a form: milliseconds (on a CPU the processor's; `ours`), PyTorch's own (`peer`), and how many times as fast (`ratio`).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "python")]

from machine import machine  # noqa: E402


def forms(o: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    """Each form's forward and backward pass, on the same numbers."""
    import torch
    from forge_steps import attention, merged_attention, shared_attention
    from forge_steps.attention_kernels import KERNELS
    from forge_steps.device import pick_dtype
    from forge_steps.kernel import Segments
    from forge_steps.rows import passes
    from forge_steps.shared_attention import Bands, Prefix, additive
    from torch.nn import functional

    device = torch.device(o.device)
    dtype = pick_dtype(device)
    torch.manual_seed(0)
    tokens = o.samples * o.tokens

    def drawn(count: int, heads: int) -> Any:
        return torch.randn((1, count, heads, o.dim), dtype=dtype).transpose(1, 2).to(device).requires_grad_()

    [cut] = passes([o.tokens] * o.samples, o.prefix, 10**9)
    bands, filled = [], 0
    for width, of in cut.bands:
        whose = torch.tensor([[i for i in range(len(band)) for _ in range(o.tokens)] + [-1] * (width - o.tokens * len(band)) for band in of])
        hidden = (whose[:, :, None] != whose[:, None]) | torch.ones((width, width), dtype=torch.bool).triu(1)
        bands.append(Bands(len(of), width, additive(hidden, dtype).to(device)))
        filled += len(of) * width
    pk, pv = (drawn(o.prefix, o.key_heads) for _ in range(2))
    q, k, v = drawn(tokens, o.heads), drawn(tokens, o.key_heads), drawn(tokens, o.key_heads)
    wide = [drawn(filled, heads) for heads in (o.heads, o.key_heads, o.key_heads)]
    towards, towards_wide = (torch.randn((1, n, o.heads, o.dim), dtype=dtype).to(device) for n in (tokens, filled))
    prefix, segments = Prefix([(pk, pv)], o.prefix), Segments([o.tokens] * o.samples, device)

    def banded() -> Any:
        out, _ = shared_attention.attend(SimpleNamespace(layer_idx=0), *wide, shared_prefix=prefix, bands=bands)
        return torch.autograd.grad(out, (*wide, pk, pv), towards_wide)

    def merged(kernel: Any) -> Callable[[], Any]:
        def run() -> Any:
            out, _ = merged_attention.attend(SimpleNamespace(layer_idx=0, forge_kernel=kernel), q, k, v, shared_prefix=prefix, segments=segments)
            return torch.autograd.grad(out, (q, k, v, pk, pv), towards)

        return run

    mask = torch.ones((o.tokens, o.prefix + o.tokens), dtype=torch.bool, device=device).tril(o.prefix)

    def copied() -> Any:
        each = [x.unflatten(2, (o.samples, o.tokens))[0].transpose(0, 1) for x in (q, k, v)]
        keys, values = (torch.cat([p.expand(o.samples, -1, -1, -1), x], 2) for p, x in ((pk, each[1]), (pv, each[2])))
        out = functional.scaled_dot_product_attention(each[0], keys, values, attn_mask=mask, enable_gqa=True)
        return torch.autograd.grad(out.transpose(1, 2).flatten(0, 1)[None], (q, k, v, pk, pv), towards)

    found: dict[str, Callable[[], Any]] = {"pytorch": copied, "bands": banded}
    for kernel in KERNELS.values():
        if kernel.name == "plain" or kernel.refuses(device, dtype, o.dim) is not None:
            continue
        why = attention.differs(kernel, device, dtype, (o.heads, o.key_heads, o.dim))
        if why is None:
            found[kernel.name] = merged(kernel)
        else:
            print(f"{kernel.name} is left out: {why}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    for name, value in (("prefix", 1530), ("samples", 8), ("tokens", 60), ("heads", 9), ("key-heads", 3), ("dim", 64), ("rounds", 30), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    o = parser.parse_args()
    import torch

    torch.set_num_threads(o.threads)
    # Of a CPU the processor's own time, which other work on the machine leaves as it is.
    clock = time.process_time if o.device == "cpu" else time.perf_counter

    def timed(work: Callable[[], Any]) -> float:
        started = clock()
        work()
        if o.device == "cuda":
            torch.cuda.synchronize()
        elif o.device == "mps":
            torch.mps.synchronize()
        return 1000 * (clock() - started)

    works = forms(o)
    times: dict[str, list[float]] = {name: [] for name in works}
    for round in range(o.rounds + 3):
        for name, work in works.items():
            took = timed(work)
            if round >= 3:  # The first ones prepare.
                times[name].append(took)
    medians = {name: statistics.median(of) for name, of in times.items()}
    shape = f"{o.samples} samples of {o.tokens} tokens after {o.prefix}, {o.device}"
    for name in works:
        if name != "pytorch":
            ours, peer = medians[name], medians["pytorch"]
            line = {"name": f"ms a layer, {name}, {shape}", "ours": round_to(ours), "peer": round_to(peer), "ratio": round_to(peer / ours), "n": o.rounds, "machine": machine()}
            print(json.dumps(line), flush=True)


def round_to(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main()
