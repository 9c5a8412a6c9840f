"""Entry point: `python -m forge_steps STEP --spec FILE`. Dispatches to one step; everything else is `protocol`."""

from __future__ import annotations

import sys

from forge_steps.protocol import main

#: Step name on the command line -> module of this package that holds its `run(step)`.
STEPS = {
    "unpack": "unpack",
    "convert_base": "convert_base",
    "train": "train",
    "head_start": "head_start",
    "pretrain": "pretrain",
    "quantize": "quantize",
    "imatrix": "imatrix",
    "export_lora": "export_lora",
    "verify": "verify",
    # Merges, converts and compares in one process: the model is loaded once.
    "export": "export",
    # In an environment of its own (src/runners/kit-env.ts).
    "reword": "reword",
    # In an environment of a tracker's (src/runners/tracker-env.ts).
    "track": "track",
}

if __name__ == "__main__":
    main(STEPS, sys.argv[1:])
