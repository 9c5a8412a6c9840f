"""The same requests by distilabel, for bench/hosted.ts: a pipeline of one step that sends so many prompts to an OpenAI-compatible server.

    python hosted_peer.py BASE_URL REQUESTS IN_FLIGHT TIMES

TIMES is a file for its own notes. Ends with one line `{"seconds", "pipeline_seconds", "answers"}`: the asking alone (from the first request to the last answer, as the pipeline's own step takes them),
the pipeline with what it takes to start and to end, and how many answers came.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration


class Timed(OpenAILLM):
    """Notes when it was first asked and when it last answered, in a file: steps run in processes of their own."""

    times: str = ""

    def generate_outputs(self, *args: Any, **kwargs: Any) -> Any:
        began = time.time()
        outputs = super().generate_outputs(*args, **kwargs)
        with open(self.times, "a", encoding="utf-8") as file:
            file.write(f"{began} {time.time()} {len(outputs)}\n")
        return outputs


def main() -> None:
    base_url, requests, in_flight, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    prompts = [{"instruction": f"Write request number {n} of a user of the tools."} for n in range(requests)]
    with Pipeline(name="hosted-peer") as pipeline:
        load = LoadDataFromDicts(data=prompts, batch_size=in_flight)
        ask = TextGeneration(llm=Timed(model="m", base_url=base_url, api_key="none", times=times), input_batch_size=in_flight)
        load >> ask
    began = time.perf_counter()
    pipeline.run(use_cache=False)
    seconds = time.perf_counter() - began
    with open(times, encoding="utf-8") as file:
        spans = [line.split() for line in file]
    asking = max(float(end) for _, end, _ in spans) - min(float(begin) for begin, _, _ in spans)
    print(json.dumps({"seconds": asking, "pipeline_seconds": seconds, "answers": sum(int(n) for _, _, n in spans)}))


if __name__ == "__main__":
    main()
