"""Toolsets with requests that people wrote, from Berkeley's function-calling leaderboard: one folder a toolset with
`functions.json` (OpenAI's shape) and `cases.jsonl` (our evaluation cases with the accepted answers).

    python bench/berkeley.py OUT [--part development | closed] [--choose N --seed S]

Source: v4, `live_multiple` (Apache-2.0), in the wheel of bfcl-eval 2026.3.23 on PyPI. `development` is the part that the
builtin teacher may be tuned on: toolsets with ten requests or more none of whose functions belongs to the domains of the
rest. `closed` is everything else; it is an examination, so choose from it by a seed and look once.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

PACKAGE = "bfcl-eval==2026.3.23"
DATA = "bfcl_eval/data/"
FILE = "BFCL_v4_live_multiple.json"
# Domains whose functions recur all over the leaderboard's live part; a toolset with one of them is closed.
CLOSED_DOMAINS = (
    "Movies Music Media Restaurants Alarm Events RentalCars RideSharing Payment Bank Buses Weather_1 Homes Messaging Services_"
).split()
MIN_REQUESTS = 10
# Python's names of types, as the leaderboard writes them, to JSON Schema's; `any` is no restriction.
TYPES = {"dict": "object", "float": "number", "tuple": "array"}


def read_wheel() -> tuple[list[dict[str, Any]], dict[str, list[Any]]]:
    """The entries of `live_multiple`, and the accepted calls by an entry's id."""
    with tempfile.TemporaryDirectory() as room:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", PACKAGE, "-d", room], check=True)
        with zipfile.ZipFile(next(Path(room).glob("*.whl"))) as wheel:

            def rows(name: str) -> list[dict[str, Any]]:
                return [json.loads(line) for line in wheel.read(DATA + name).decode().splitlines() if line.strip()]

            answers = {row["id"]: row["ground_truth"] for row in rows(f"possible_answer/{FILE}")}
            return rows(FILE), answers


def json_schema(node: dict[str, Any]) -> dict[str, Any]:
    """The leaderboard's parameter description as JSON Schema."""
    out = {key: value for key, value in node.items() if not (key == "type" and value == "any")}
    if "type" in out:
        out["type"] = TYPES.get(out["type"], out["type"])
    if isinstance(out.get("properties"), dict):
        out["properties"] = {name: json_schema(child) for name, child in out["properties"].items()}
    if isinstance(out.get("items"), dict):
        out["items"] = json_schema(out["items"])
    return out


def tool_name(name: str) -> str:
    """OpenAI's functions may not have a dot in their name."""
    return name.replace(".", "_")


def toolsets(entries: list[dict[str, Any]]) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """Entries by the names of their functions."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for entry in entries:
        found.setdefault(tuple(sorted(f["name"] for f in entry["function"])), []).append(entry)
    return found


def is_development(names: tuple[str, ...], entries: list[dict[str, Any]]) -> bool:
    return len(entries) >= MIN_REQUESTS and not any(domain in name for name in names for domain in CLOSED_DOMAINS)


def write(folder: Path, entries: list[dict[str, Any]], answers: dict[str, list[Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    functions = sorted(entries[0]["function"], key=lambda f: f["name"])
    shaped = [
        {
            "type": "function",
            "function": {
                "name": tool_name(f["name"]),
                "description": f["description"],
                "parameters": json_schema(f["parameters"]),
            },
        }
        for f in functions
    ]
    (folder / "functions.json").write_text(json.dumps(shaped, indent=1) + "\n")
    with (folder / "cases.jsonl").open("w") as out:
        for entry in entries:
            calls = [
                {"name": tool_name(name), "arguments": arguments}
                for call in answers[entry["id"]]
                for name, arguments in call.items()
            ]
            out.write(json.dumps({"id": entry["id"], "messages": entry["question"][0], "expect": calls}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--part", choices=["development", "closed"], default="development")
    parser.add_argument("--choose", type=int, help="so many toolsets, drawn with --seed")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    entries, answers = read_wheel()
    wanted = options.part == "development"
    found = sorted((n, e) for n, e in toolsets(entries).items() if is_development(n, e) == wanted)
    if options.choose is not None:
        # Toolsets of a request or two say little.
        pool = [item for item in found if len(item[1]) >= min(5, MIN_REQUESTS)]
        found = sorted(random.Random(options.seed).sample(pool, min(options.choose, len(pool))))
    for names, members in found:
        name = re.sub(r"[^a-z0-9]+", "-", f"{names[0]}-{len(names)}".lower()).strip("-")
        write(options.out / name, members, answers)
        print(json.dumps({"toolset": name, "tools": len(names), "requests": len(members)}))


if __name__ == "__main__":
    main()
