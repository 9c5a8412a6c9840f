"""What people check such data with in Python, for bench/qa.mjs: one pass over a file of samples, one process.

    python peer.py reference|native SAMPLES TOOLS OUTPUT

`reference`: json, jsonschema, datasketch (MinHash of 128 permutations, LSH at 0.95). `native`: orjson, jsonschema-rs, rensa (128 permutations, 16 bands,
its calls for whole batches). Both read every line, check the arguments of every call against its tool's schema, and look for near-duplicates of the
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


def reference(path: str, tools: list[dict[str, Any]]) -> tuple[list[int], list[int]]:
    import jsonschema
    from datasketch import MinHash, MinHashLSH

    validators = {t["name"]: jsonschema.validators.validator_for(t["input_schema"])(t["input_schema"]) for t in tools}
    index = MinHashLSH(threshold=0.95, num_perm=128)
    invalid, near = [], []
    with open(path, encoding="utf-8") as file:
        for i, line in enumerate(file):
            sample = json.loads(line)
            if not valid(sample, json.loads, validators):
                invalid.append(i)
            sketch = MinHash(num_perm=128)
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
    index = rensa.RMinHashLSH(threshold=0.95, num_perm=128, num_bands=16)
    invalid: list[int] = []
    near: list[int] = []
    batch: list[list[str]] = []
    start = 0

    def look() -> None:
        nonlocal batch, start
        matrix = rensa.RMinHash.digest_matrix_from_token_sets(batch, 128, 42)
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
