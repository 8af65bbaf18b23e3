"""llama.cpp in this process, through xllamacpp: load, tokenise, generate.

`xllamacpp.Server` is llama.cpp's own server without its process. It listens, because tokenising
without special tokens is offered over HTTP only: here on a UNIX socket in a folder that only this
user can enter, with a key made at random, so that no port is opened and nobody else can reach it.
"""

from __future__ import annotations

import atexit
import http.client
import importlib
import json
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from backend.base import BackendError, BrokeContract, Interrupted, NotReady, TooLong
from backend.cancelled import Cancelled
from backend.cores import cores
from backend.watcher import Watcher

BATCH = 32
"""Tokens read at once. A stop is noticed between two batches: 3,000 tokens in, on one core, one
takes 0.3 s (0.6 s on a busy machine), 64 take 0.6 s and 128 take 1.3 s; all read equally fast."""
PATH_LIMIT = 100
"""Bytes of a UNIX socket's path that every system allows."""
CALL_SECONDS = 30.0
NO_FLASH_ATTENTION = 0
Q8_0 = 8


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen, in llama.cpp's words."""

    temperature: float
    top_p: float
    seed: int | None
    top_k: int = 0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    """Over the last 64 tokens; 1 is none."""
    dry: float = 0.0
    """DRY's multiplier: how strongly going on with a sequence said before is held back."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One prompt and the text after it."""

    prompt: list[int]
    slot: int
    max_tokens: int
    stop: Sequence[str]
    sampling: Sampling
    reuse: bool = True
    """Whether what the slot holds of this prompt already is not read again. llama.cpp does not
    promise the same numbers to the last digit then, nor one text for one seed."""
    endless: bool = False
    """Whether end-of-sequence tokens are forbidden."""
    adapted: bool = True
    """Whether the adapter, where one is loaded, has its say."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass came to: tokens generated, and whether they ended for want of room."""

    tokens: int
    ran_out: bool


class Llama:
    """A loaded model with `slots` places, `context` tokens each.

    `special` makes control tokens come out as text. Raises `NotReady` where the file cannot be
    loaded. `run` may be called from several threads, one for each slot.
    """

    def __init__(
        self, model: Path, *, adapter: Path | None, context: int, slots: int, special: bool
    ) -> None:
        self._folder = _socket_folder()
        # For a process that is told to end at once, and does not close what it has.
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        self._socket = str(self._folder / "s.sock")
        self._key = secrets.token_hex(16)
        try:
            self._server: Any = self._start(model, adapter, context, slots, special)
            self._warm_up()
        except BackendError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _start(
        self, model: Path, adapter: Path | None, context: int, slots: int, special: bool
    ) -> Any:
        # OpenMP's threads wait by spinning unless told not to before it is loaded. Where another
        # process wants the core, 60 tokens then took over 40 s on two cores, and 2 to 3 s so.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        try:
            xllamacpp: Any = importlib.import_module("xllamacpp")
        except ModuleNotFoundError:
            raise NotReady(
                "xllamacpp is not installed: run `python -m pip install -r requirements.txt`."
            ) from None
        except ImportError:
            raise NotReady(
                "xllamacpp could not be loaded: it needs Linux x86-64 and the OpenMP runtime "
                "(Debian: `apt-get install libgomp1`)."
            ) from None
        wanted = xllamacpp.CommonParams()
        wanted.model.path = str(model)
        if adapter is not None:
            wanted.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
        wanted.n_ctx, wanted.n_parallel = context * slots, slots
        wanted.n_batch = wanted.n_ubatch = BATCH
        wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = _threads()
        # On CPU, decoding is 10 to 40 % faster without it; keys in 8 bits then save a quarter of
        # the context's memory at no measurable loss of speed.
        wanted.flash_attn_type, wanted.cache_type_k = NO_FLASH_ATTENTION, Q8_0
        wanted.cache_ram_mib, wanted.cache_idle_slots = 0, False  # keep nobody's prompts aside
        wanted.special, wanted.use_jinja = special, True
        wanted.fit_params = wanted.warmup = False
        wanted.verbosity = -1  # at any other level prompts reach the log
        wanted.hostnames, wanted.api_keys, wanted.n_threads_http = [self._socket], [self._key], 2
        wanted.ui = wanted.endpoint_slots = wanted.endpoint_props = wanted.endpoint_metrics = False
        try:
            return xllamacpp.Server(wanted)
        except RuntimeError:
            what = f"{model.name} with the adapter {adapter.name}" if adapter else model.name
            raise NotReady(
                f"llama.cpp could not load {what}: the file is broken, is of a kind this version "
                "does not know, or does not fit in memory."
            ) from None

    def tokenise(self, text: str, *, special: bool, first: bool = False) -> list[int]:
        """Token ids. Without `special` nothing in `text` can become a control token.

        `first` adds what the model wants at the very beginning, where it wants anything.
        """
        body = {"content": text, "parse_special": special, "add_special": first}
        return cast("list[int]", self._call("/tokenize", body)["tokens"])

    def render(self, messages: list[dict[str, str]], **template: str) -> str:
        """The model's own chat template over `messages`; `template` is given to it by name."""
        body = {"messages": messages, "chat_template_kwargs": template}
        return str(self._call("/apply-template", body)["prompt"])

    def run(self, wanted: Pass, text: Callable[[str], None], watcher: Watcher) -> Passed:
        """Generate, giving each piece to `text`. Raises `Cancelled`, `TooLong`, `Interrupted`."""
        call = _Call(text, watcher)
        returned = self._server.handle_completions(_request(wanted), call.take)
        return call.result(returned)

    def close(self) -> None:
        """Free the model. No `run` may be under way. Safe to call twice."""
        self._server = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _warm_up(self) -> None:
        """Generate one token.

        A server freed before its loop has begun waits for that loop for ever, and the whole
        process with it: one reply proves that it has.
        """
        one = Pass(self.tokenise("a", special=False), 0, 1, (), Sampling(0.0, 1.0, 0))
        unwatched = Watcher(read=lambda share: None, cancelled=lambda: False)
        self.run(one, lambda text: None, unwatched)

    def _call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        connection = _UnixConnection(self._socket)
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        try:
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            raise Interrupted("llama.cpp did not answer in this process.") from None
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise BrokeContract(f"llama.cpp answered {path} with {response.status}.")
        return cast("dict[str, Any]", json.loads(text))


def _request(wanted: Pass) -> dict[str, Any]:
    sampling = wanted.sampling
    return {
        "prompt": wanted.prompt,
        "id_slot": wanted.slot,
        "n_predict": wanted.max_tokens,
        "stop": list(wanted.stop),
        "stream": True,
        "return_progress": True,
        "cache_prompt": wanted.reuse,
        "ignore_eos": wanted.endless,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repeat_penalty,
        "repeat_last_n": 64,
        "dry_multiplier": sampling.dry,
        "dry_allowed_length": 4,
        "dry_penalty_last_n": 1_024,
        "seed": -1 if sampling.seed is None else sampling.seed % 2**32,
        **({} if wanted.adapted else {"lora": [{"id": 0, "scale": 0.0}]}),
    }


class _Call:
    """One native call: sorts what its callback is given."""

    def __init__(self, text: Callable[[str], None], watcher: Watcher) -> None:
        self._text = text
        self._watcher = watcher
        self._last: dict[str, Any] = {}
        self._cancelled = False

    def take(self, chunk: dict[str, Any]) -> bool:
        """Called by xllamacpp with each chunk; True ends the generation."""
        progress = chunk.get("prompt_progress")
        if progress:
            self._watcher.read(progress["processed"] / max(1, progress["total"]))
        for choice in chunk.get("choices", ()):
            if choice["text"]:
                self._text(choice["text"])
        if "usage" in chunk or "error" in chunk:
            self._last = chunk
        self._cancelled = self._watcher.cancelled()
        return self._cancelled

    def result(self, returned: dict[str, Any] | None) -> Passed:
        last = self._last or returned or {}
        if "usage" in last:
            ran_out = last["choices"][0]["finish_reason"] == "length"
            return Passed(last["usage"]["completion_tokens"], ran_out)
        if self._cancelled:
            raise Cancelled
        # The error's message is llama.cpp's own and may quote a prompt: its kind is enough.
        kind = last.get("error", {}).get("type", "no end")
        if kind == "exceed_context_size_error":
            raise TooLong("The conversation is longer than the model's context.")
        raise Interrupted(f"llama.cpp stopped in the middle ({kind}).")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=CALL_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _socket_folder() -> Path:
    """A new folder that only this user can enter, with a path short enough for a socket."""
    for parent in (None, "/tmp", "/dev/shm"):  # noqa: S108
        try:
            folder = Path(tempfile.mkdtemp(prefix="medicalgpt-", dir=parent))
        except OSError:
            continue
        if len(os.fsencode(folder)) < PATH_LIMIT - len("/s.sock"):
            return folder
        folder.rmdir()
    raise NotReady("No folder for temporary files can be written: set TMPDIR to one that can.")


def _threads() -> int:
    """What OMP_NUM_THREADS says, else one less than the cores it is given, and at least one.

    The threads wait for each other, spinning, hundreds of times a token. With one for each core
    and any other work on the machine, our own page's included, they wait for one that does not
    run: on two busy cores we measured 3 to 40 tokens/s with two threads and 44 to 117 with one.
    On quiet ones both give about 117; the second thread only halves the time to read a prompt.
    Under a quota they use it up together: at 0.1 CPU one gave 10 tokens/s, two 5.6, seven 2.2.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    return max(1, cores() - 1)
