"""What people check such data with in Python, for bench/qa.mjs: one pass over a file of samples, one process.

    python peer.py reference|native SAMPLES TOOLS OUTPUT

`reference`: json, jsonschema, datasketch (MinHash of 128 permutations, LSH at 0.95). `native`: orjson, jsonschema-rs, rensa (its calls for whole batches), cut into the
bands that datasketch takes for 128 permutations at 0.95 (`banding`): rensa asks its user for them. Both read every line, check the arguments of every call against its tool's schema, and look for near-duplicates of the
user's words by 3-grams. Writes `{"seconds", "cpu", "rss_mb", "invalid": [line, ...], "near": [line, ...]}`, lines from 0.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from typing import Any, Callable

WORD = re.compile(r"\w+")
BATCH = 20_000
NEAR = 0.95
PERMUTATIONS = 128
# `banding(NEAR, PERMUTATIONS)`; `python peer.py banding` works it out again.
BANDING = (3, 42)


def shingles(sample: dict[str, Any]) -> list[str]:
    words = WORD.findall(" / ".join(m["content"] for m in sample["messages"] if m["role"] == "user").lower())
    if len(words) <= 3:
        return [" ".join(words)]
    return [f"{words[i]} {words[i + 1]} {words[i + 2]}" for i in range(len(words) - 2)]


def valid(sample: dict[str, Any], loads: Callable[[str], Any], validators: dict[str, Any]) -> bool:
    for message in sample["messages"]:
        for call in message.get("tool_calls") or ():
            function = call["function"]
            validator = validators.get(function["name"])
            if validator is None:
                return False
            try:
                arguments = loads(function["arguments"])
            except ValueError:
                return False
            if not isinstance(arguments, dict) or not validator.is_valid(arguments):
                return False
    return True


def banding(threshold: float, permutations: int) -> tuple[int, int]:
    """Bands and rows a band for which LSH errs least at a threshold: as datasketch chooses them (`_optimal_param`, weights of one half each).

    Two sets of similarity s meet with probability 1 - (1 - s^rows)^bands. What is wrong is its area below the threshold (alarms that are false) and that of the rest to 1
    above it (pairs that are missed), each by the midpoint rule in steps of 0.001.
    """
    step = 0.001

    def area(low: float, high: float, of: Callable[[float], float]) -> float:
        n = round((high - low) / step)
        return sum(of(low + (i + 0.5) * step) for i in range(n)) * step

    def wrong(bands: int, rows: int) -> float:
        misses = lambda s: (1 - s**rows) ** bands  # noqa: E731
        return area(0, threshold, lambda s: 1 - misses(s)) / 2 + area(threshold, 1, misses) / 2

    return min(((b, r) for b in range(1, permutations + 1) for r in range(1, permutations // b + 1)), key=lambda at: wrong(*at))


def reference(path: str, tools: list[dict[str, Any]]) -> tuple[list[int], list[int]]:
    import jsonschema
    from datasketch import MinHash, MinHashLSH

    validators = {t["name"]: jsonschema.validators.validator_for(t["input_schema"])(t["input_schema"]) for t in tools}
    index = MinHashLSH(threshold=NEAR, num_perm=PERMUTATIONS)
    invalid, near = [], []
    with open(path, encoding="utf-8") as file:
        for i, line in enumerate(file):
            sample = json.loads(line)
            if not valid(sample, json.loads, validators):
                invalid.append(i)
            sketch = MinHash(num_perm=PERMUTATIONS)
            sketch.update_batch([s.encode() for s in shingles(sample)])
            if index.query(sketch):
                near.append(i)
            else:
                index.insert(i, sketch)
    return invalid, near


def native(path: str, tools: list[dict[str, Any]]) -> tuple[list[int], list[int]]:
    import jsonschema_rs
    import orjson
    import rensa

    validators = {t["name"]: jsonschema_rs.validator_for(t["input_schema"]) for t in tools}
    bands, rows = BANDING
    # rensa wants as many permutations as the bands take.
    index = rensa.RMinHashLSH(threshold=NEAR, num_perm=bands * rows, num_bands=bands)
    invalid: list[int] = []
    near: list[int] = []
    batch: list[list[str]] = []
    start = 0

    def look() -> None:
        nonlocal batch, start
        matrix = rensa.RMinHash.digest_matrix_from_token_sets(batch, bands * rows, 42)
        flags = index.insert_matrix_and_query_duplicate_flags(matrix, start_key=start)
        near.extend(start + k for k, flag in enumerate(flags) if flag)
        start += len(batch)
        batch = []

    with open(path, "rb") as file:
        for i, line in enumerate(file):
            sample = orjson.loads(line)
            if not valid(sample, orjson.loads, validators):
                invalid.append(i)
            batch.append(shingles(sample))
            if len(batch) == BATCH:
                look()
    if batch:
        look()
    return invalid, near


def main() -> None:
    if sys.argv[1:] == ["banding"]:
        print(banding(NEAR, PERMUTATIONS))
        return
    kind, samples, tools, output = sys.argv[1:]
    with open(tools, encoding="utf-8") as file:
        toolset = json.load(file)["tools"]
    began = time.perf_counter()
    invalid, near = {"reference": reference, "native": native}[kind](samples, toolset)
    seconds = time.perf_counter() - began
    usage = resource.getrusage(resource.RUSAGE_SELF)
    with open(output, "w", encoding="utf-8") as file:
        json.dump({"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "rss_mb": usage.ru_maxrss / 1024, "invalid": invalid, "near": near}, file)


main()
