"""The default model in transformers, fp32, as `benchmarks.embedded` compares it.

    python benchmarks/transformers_engine.py MODEL.gguf

Reads requests from stdin and tells speeds on stdout, one JSON object a line. Imports nothing of
ours, so that it runs in an environment of its own.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, StoppingCriteria, StoppingCriteriaList


class Clock(StoppingCriteria):
    """Notes when each token came; never stops."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        self.times.append(time.perf_counter())
        return torch.zeros(input_ids.shape[0], dtype=torch.bool)


def main(path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32
    )
    for line in sys.stdin:
        asked = json.loads(line)
        prompt = torch.tensor([asked["prompt"]])
        clock = Clock()
        began = time.perf_counter()
        with torch.inference_mode():
            model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                min_new_tokens=asked["tokens"],
                max_new_tokens=asked["tokens"],
                do_sample=True,
                temperature=0.3,
                repetition_penalty=1.15,
                stopping_criteria=StoppingCriteriaList([clock]),
            )
        first, last = clock.times[0], clock.times[-1]
        speed = {"first": first - began, "per_second": (len(clock.times) - 1) / (last - first)}
        print(json.dumps(speed), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
