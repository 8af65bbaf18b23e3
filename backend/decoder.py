"""A gpt-oss model's tokens, one sequence at a time: prefill in chunks, then decode steps.

Knows ids only: no text, no channels. On a GPU the step is recorded once as a CUDA graph and
replayed, and the next step is started before the last token is read, so that the host is never
waited for.
"""

# torch is not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false

from __future__ import annotations

import importlib
import logging
from collections.abc import Generator, Sequence
from enum import Enum
from typing import Any

from backend.base import BrokeContract, Options
from backend.cancelled import Cancelled
from backend.gpu import release
from backend.kv_cache import KeyValues
from backend.sampling import Sampler
from backend.watcher import Watcher

log = logging.getLogger("medicalgpt.model")

CHUNK = 256
"""Tokens of a prompt read at once. A stop is noticed between two; at 8,192 tokens of context the
64 heads' scores of one layer take 540 MB in fp32."""
WARM = 3
"""Steps before one is recorded: kernels are chosen, and compiled, in the first."""


class Speed(Enum):
    """How a decode step is run."""

    EAGER = "eager"  # kernel by kernel
    GRAPH = "graph"  # replayed from a CUDA graph
    COMPILED = "compiled"  # fused by torch.compile first, then replayed


class Decoder:
    """`model` is a GptOssForCausalLM with the attention of `backend/kv_cache.py`.

    One `generate` at a time, from any thread.
    """

    def __init__(self, model: Any, context: int, device: str, speed: Speed) -> None:
        self._torch: Any = importlib.import_module("torch")
        self._model: Any = model.eval()
        self._layers: Any = model.model
        self._device = device
        self._ahead = device.startswith("cuda")
        self._cache = KeyValues(model.config, context, device, model.lm_head.weight.dtype)
        self._token = self._torch.zeros((1, 1), dtype=self._torch.long, device=device)
        self._graph: Any = None
        self._logits: Any = None
        self.speed = Speed.EAGER
        self._wanted = speed if self._ahead else Speed.EAGER

    @property
    def context(self) -> int:
        """Tokens, prompt and reply together."""
        return self._cache.length

    def warm_up(self) -> None:
        """The longest prompt for nobody, so that no shorter one runs out of memory later; then
        records the step. Falls back to a slower way that works.
        """
        list(self.generate([0] * (self.context - WARM), WARM, Options(temperature=0.0)))
        ways = {Speed.EAGER: (), Speed.GRAPH: (Speed.GRAPH,)}
        for speed in ways.get(self._wanted, (Speed.COMPILED, Speed.GRAPH)):
            try:
                self._record(speed)
            except Exception as error:
                # What cannot be recorded is still computed rightly step by step.
                log.warning("decode steps cannot be %s (%s)", speed.value, type(error).__name__)
                self._graph, self._layers = None, self._model.model
            else:
                self.speed = speed
                return

    def generate(
        self, prompt: Sequence[int], limit: int, options: Options, watcher: Watcher | None = None
    ) -> Generator[int]:
        """Up to `limit` ids after `prompt`. It never ends by itself: the reader knows the end.

        Raises `Cancelled` within one token, and `BrokeContract` for logits that are not finite.
        """
        sampler = Sampler(options, self._device)
        choice = self._choose(sampler, self._prefill(prompt, watcher))
        for number in range(limit):
            place = len(prompt) + number
            following = None
            if self._ahead and number + 1 < limit:
                following = self._next(sampler, choice, place)
            token = self._read(choice)
            if watcher is not None and watcher.cancelled():
                raise Cancelled
            if token < 0:
                raise BrokeContract(
                    "The model's logits are not finite: its weights are damaged, or a kernel is "
                    "wrong for this GPU."
                )
            yield token
            if following is None and number + 1 < limit:
                following = self._next(sampler, choice, place)
            choice = following

    def free(self) -> None:
        """Let the model go. No `generate` may be under way."""
        self._graph = self._logits = self._model = self._layers = None
        release()

    def _prefill(self, prompt: Sequence[int], watcher: Watcher | None) -> Any:
        ids = self._torch.tensor([list(prompt)], device=self._device)
        hidden: Any = None
        for start in range(0, len(prompt), CHUNK):
            if watcher is not None:
                if watcher.cancelled():
                    raise Cancelled
                watcher.read(start / len(prompt))
            end = min(start + CHUNK, len(prompt))
            places = self._torch.arange(start, end, device=self._device)
            with self._torch.no_grad():
                masks = self._cache.read(start, end)
                hidden = self._forward(self._model.model, ids[:, start:end], places, masks)
        return self._head(hidden)

    def _head(self, hidden: Any) -> Any:
        with self._torch.no_grad():
            return self._model.lm_head(hidden[0, -1])

    def _forward(self, layers: Any, ids: Any, places: Any, masks: Any) -> Any:
        return layers(
            input_ids=ids,
            attention_mask=masks,
            position_ids=places[None],
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state

    def _step(self) -> Any:
        """The logits after the token in `_token`, which stands at the cache's position."""
        with self._torch.no_grad():
            masks = self._cache.decode()
            hidden = self._forward(self._layers, self._token, self._cache.position, masks)
        return self._head(hidden)

    def _next(self, sampler: Sampler, choice: Any, place: int) -> Any:
        """Start the step that goes on from `choice`; on a GPU it is not waited for."""
        self._token.copy_(choice[0].view(1, 1))
        self._cache.position.fill_(place)
        if self._graph is None:
            return self._choose(sampler, self._step())
        self._graph.replay()
        return self._choose(sampler, self._logits)

    def _choose(self, sampler: Sampler, logits: Any) -> Any:
        token, said = sampler.choose(logits)
        if not self._ahead:
            return token, said, None
        cuda = self._torch.cuda
        arrived = cuda.Event()
        there = self._torch.empty(1, dtype=said.dtype, pin_memory=True)
        there.copy_(said, non_blocking=True)
        arrived.record()
        return token, there, arrived

    def _read(self, choice: Any) -> int:
        _, said, arrived = choice
        if arrived is not None:
            arrived.synchronize()  # waits for this token, and not for the step after it
        return int(said[0])

    def _record(self, speed: Speed) -> None:
        torch = self._torch
        if speed is Speed.COMPILED:
            self._layers = torch.compile(self._model.model, dynamic=False)
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM):
                self._step()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # Other threads of this process may use the GPU meanwhile.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._logits = self._step()
        self._graph = graph
