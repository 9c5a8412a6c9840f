"""Reading a GGUF once where transformers and we would read it five times.

`from_pretrained(…, gguf_file=…)` parses the file for the config and again for the weights, and builds the table of
tensor names anew for every module of the model; each parse walks 150,000 vocabulary entries in Python. Inside
`read_once` one parse and one table serve everybody: loading SmolLM2 and its tokenizer takes a third of the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

_depth = 0


@contextmanager
def read_once() -> Iterator[None]:
    """Within the block `gguf.GGUFReader` and `gguf.get_tensor_name_map` remember their answers. May be nested. The files
    must not change meanwhile. Not for several threads."""
    global _depth
    import gguf

    if _depth:
        yield
        return
    reader, names = gguf.GGUFReader, gguf.get_tensor_name_map
    by_path = lru_cache(maxsize=2)(lambda path: reader(path))

    def read(path: Any, mode: str = "r") -> Any:
        return by_path(str(path)) if mode == "r" else reader(path, mode)

    gguf.GGUFReader, gguf.get_tensor_name_map = read, lru_cache(maxsize=4)(names)  # type: ignore[misc, assignment]
    _depth = 1
    try:
        yield
    finally:
        _depth = 0
        gguf.GGUFReader, gguf.get_tensor_name_map = reader, names  # type: ignore[misc]
