"""Synthetic rendered samples, shaped like those of the default recipe, for training benchmarks.

A tool prompt of some 450 tokens and samples of 80 to 200 tokens of their own, in the form of rendered.jsonl
(`{id, segments: [{text, learn}]}`). Deterministic: the same arguments give the same samples.
"""

from __future__ import annotations

import json
import random
from typing import Any

CITIES = ["Paris", "Lagos", "Oslo", "Quito", "Hanoi", "Perth", "Reykjavik", "Buenos Aires", "Kathmandu", "Winnipeg"]


def _tool(name: str, description: str, extra: dict[str, Any]) -> dict[str, Any]:
    properties = {"location": {"type": "string", "description": "City or place name, as the user wrote it"}, **extra}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": {"type": "object", "properties": properties, "required": ["location"]}}}


TOOLS = [
    _tool("get_weather", "Current weather at a place: temperature, sky, wind and humidity.", {"units": {"type": "string", "enum": ["metric", "imperial"]}}),
    _tool("get_forecast", "Daily forecast for the next days at a place.", {"days": {"type": "integer", "minimum": 1, "maximum": 14, "description": "How many days"}}),
    _tool("get_alerts", "Active weather alerts for a place: storms, floods, heat and frost.", {}),
]


def tool_prompt() -> str:
    """The system turn that every sample begins with."""
    tools = "\n".join(json.dumps(t, separators=(",", ":")) for t in TOOLS)
    return (
        "<|im_start|>system\nYou are a helpful assistant. You can call tools to answer. Call a tool only when it helps to answer; ask when a required "
        "argument is missing; answer plain questions yourself.\n\n# Tools\n\nYou are provided with function signatures within <tools></tools>:\n<tools>\n"
        f"{tools}\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> tags:\n"
        '<tool_call>\n{"name":NAME,"arguments":OBJECT}\n</tool_call><|im_end|>\n'
    )


def samples(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """`count` rendered samples: three in four call a tool and answer from its result, the others answer plainly."""
    rng = random.Random(seed)
    prompt = tool_prompt()
    result = []
    for i in range(count):
        city, days = rng.choice(CITIES), rng.randint(1, 14)
        if rng.random() < 0.25:
            number = rng.randint(3, 99)
            segments = [
                {"text": f"{prompt}<|im_start|>user\nWhat is {number} times {days}, and why does it matter to a baker?<|im_end|>\n<|im_start|>assistant\n", "learn": False},
                {"text": f"{number} times {days} is {number * days}. A baker multiplies like this to know how many loaves a week of orders comes to.<|im_end|>", "learn": True},
                {"text": "\n", "learn": False},
            ]
        else:
            call = json.dumps({"name": "get_forecast", "arguments": {"location": city, "days": days}}, separators=(",", ":"))
            highs = [rng.randint(-5, 38) for _ in range(min(days, 5))]
            listing = json.dumps({"location": city, "days": [{"day": d + 1, "high": h, "sky": rng.choice(["clear", "rain", "cloudy"])} for d, h in enumerate(highs)]})
            segments = [
                {"text": f"{prompt}<|im_start|>user\nHow will the weather be in {city} over the next {days} days?<|im_end|>\n<|im_start|>assistant\n", "learn": False},
                {"text": f"<tool_call>\n{call}\n</tool_call><|im_end|>", "learn": True},
                {"text": f"\n<|im_start|>user\n<tool_response>\n{listing}\n</tool_response><|im_end|>\n<|im_start|>assistant\n", "learn": False},
                {"text": f"In {city} expect highs between {min(highs)} and {max(highs)} degrees over the next {days} days.<|im_end|>", "learn": True},
                {"text": "\n", "learn": False},
            ]
        result.append({"id": f"s{i:04d}", "segments": segments})
    return result
