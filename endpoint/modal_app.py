"""The model as a service on Modal: `modal deploy endpoint/modal_app.py`. See docs/deploy.md.

    serve      https://<workspace>--medicalgpt-serve.modal.run: vLLM on one GPU, which sleeps while
               nobody asks. OpenAI's chat completions, behind `endpoint/gateway.py`
    generate   https://<workspace>--medicalgpt-generate.modal.run: the legacy contract. No GPU; it
               calls `serve` as a function of this app, so that it holds no key and no HTTP request
               of 150 s stands between them

`modal run endpoint/modal_app.py::train` and `::prepare` are in `endpoint/modal_training.py`.

Every setting is an environment variable read at deploy time and baked into the containers.
"""

# Modal's decorators are typed in part only, and a decorated class is typed as its decorator.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportCallIssue=false

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import modal
import modal.experimental

from endpoint import vllm_command as vllm
from endpoint.modal_training import prepare, train

__all__ = ["ask", "prepare", "train"]

MINUTES = 60


def whole(name: str, default: int, low: int, high: int) -> int:
    """The variable `name` as a number; ends the deployment with one sentence where it is wrong."""
    value = os.environ.get(name) or str(default)
    if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
        raise SystemExit(f"{name} is {value!r}; it must be a whole number from {low} to {high}.")
    return int(value)


def switch(name: str) -> bool:
    value = os.environ.get(name) or "off"
    if value not in ("on", "off"):
        raise SystemExit(f"{name} is {value!r}; it must be on or off.")
    return value == "on"


GPU = os.environ.get("SERVE_GPU") or "L4"
"""The cheapest that runs MXFP4 (compute capability 8.0 or more) with room for the weights."""
MAX_CONTAINERS = whole("SERVE_MAX_CONTAINERS", 1, 1, 20)
"""GPUs at a time, and so the most that an hour can cost."""
IDLE_SECONDS = whole("SERVE_IDLE_SECONDS", 5 * MINUTES, 30, 60 * MINUTES)
"""How long the GPU stays, and is paid for, after the last question."""
FOLDER = os.environ.get("SERVE_MODEL_FOLDER") or "medicalgpt"
"""On the volume `medicalgpt-models`: a checkpoint in safetensors."""
ADAPTER = os.environ.get("SERVE_ADAPTER_FOLDER") or ""
"""On the same volume: a LoRA adapter, if FOLDER is a base that it is not merged into."""
NAME = os.environ.get("SERVE_MODEL_NAME") or "medicalgpt"
SNAPSHOT = switch("SERVE_SNAPSHOT")
"""Start from a snapshot of memory and GPU: quicker, and alpha at Modal."""
PUBLIC = switch("GENERATE_PUBLIC")
"""`generate` without a key: anybody who knows its address can wake the GPU and spend."""

# The containers import this file too, where the owner's environment is not.
BAKED = {
    "SERVE_MODEL_FOLDER": FOLDER,
    "SERVE_ADAPTER_FOLDER": ADAPTER,
    "SERVE_MODEL_NAME": NAME,
    "SERVE_SNAPSHOT": "on" if SNAPSHOT else "off",
}
MODELS, CACHE, ENCODINGS = Path("/models"), "/cache", "/opt/harmony"
UPSTREAM = f"http://127.0.0.1:{vllm.PORT}"
SERVED = vllm.Served(
    str(MODELS / FOLDER), NAME, str(MODELS / ADAPTER) if ADAPTER else None, SNAPSHOT
)
START_SECONDS = 20 * MINUTES
"""The first start compiles, and reads a cold disk."""
REPLY_SECONDS = 10 * MINUTES
AT_ONCE = vllm.AT_ONCE + vllm.WAITING

FETCH_HARMONY = (
    "from openai_harmony import load_harmony_encoding as load, HarmonyEncodingName as name; "
    "load(name.HARMONY_GPT_OSS)"
)


def _neither_code_nor_rules(path: Path) -> bool:
    return path.suffix not in (".py", ".toml", ".txt", ".tsv")


gpu_image = (
    modal.Image.debian_slim(python_version="3.12")
    .uv_pip_install(f"vllm=={vllm.VERSION}")  # brings starlette and httpx
    .env({"TIKTOKEN_RS_CACHE_DIR": ENCODINGS})
    .run_commands(f'mkdir -p {ENCODINGS} && python -c "{FETCH_HARMONY}"')
    .env(vllm.environment(CACHE, ENCODINGS, sleeps=SNAPSHOT))
    .add_local_python_source("endpoint", "chat")
)
small_image = (
    modal.Image.debian_slim(python_version="3.12")
    .uv_pip_install("starlette==1.10.0", "httpx==0.28.1")
    .add_local_python_source("endpoint", "chat")
    .add_local_python_source("safety", ignore=_neither_code_nor_rules)
)
models = modal.Volume.from_name("medicalgpt-models", create_if_missing=True)
cache = modal.Volume.from_name("medicalgpt-cache", create_if_missing=True)
app = modal.App("medicalgpt")


@app.cls(
    image=gpu_image,
    env={**BAKED},
    gpu=GPU,
    cpu=2.0,
    memory=20 * 1024,  # MiB: the checkpoint is read ahead into memory
    volumes={str(MODELS): models.with_mount_options(read_only=True), CACHE: cache},
    min_containers=0,
    max_containers=MAX_CONTAINERS,
    scaledown_window=IDLE_SECONDS,
    startup_timeout=START_SECONDS,
    timeout=REPLY_SECONDS,
    retries=0,  # a question is asked once
    enable_memory_snapshot=SNAPSHOT,
    experimental_options={"enable_gpu_snapshot": True} if SNAPSHOT else {},
)
@modal.concurrent(max_inputs=AT_ONCE, target_inputs=vllm.AT_ONCE)
class Serve:
    """vLLM in a container with a GPU. No request reaches it before it is ready."""

    @modal.enter(snap=SNAPSHOT)
    def start(self) -> None:
        from endpoint.vllm_process import VllmProcess

        if not (MODELS / FOLDER / "config.json").is_file():
            raise FileNotFoundError(
                f"The volume medicalgpt-models has no checkpoint in {FOLDER!r}: put one there, "
                "as docs/deploy.md says."
            )
        self.server: Any = VllmProcess(vllm.command(SERVED), UPSTREAM)
        self.server.wait_until_ready(START_SECONDS)
        # A dead one would be paid for as long as somebody asks for it.
        self.server.when_it_ends(modal.experimental.stop_fetching_inputs)
        if SNAPSHOT:
            self.server.sleep()

    @modal.enter(snap=False)
    def wake(self) -> None:
        if SNAPSHOT:  # this runs where the snapshot is restored
            self.server.wake()
            self.server.wait_until_ready(START_SECONDS)

    @modal.asgi_app(label="medicalgpt-serve", requires_proxy_auth=True)
    def serve(self) -> Any:
        from endpoint.gateway import create_gateway

        return create_gateway(UPSTREAM)

    @modal.method()
    async def answer(self, message: str) -> Any:
        """An `endpoint.generate.Answer`. Cancelling the call ends the work."""
        from endpoint.generate import ask_server

        return await ask_server(UPSTREAM, NAME, message)

    @modal.method()
    async def awake(self) -> None:
        """Returns, which takes a container that is ready."""

    @modal.exit()
    def stop(self) -> None:
        self.server.stop()


@app.function(
    image=small_image,
    env={**BAKED},
    min_containers=0,
    max_containers=1,
    scaledown_window=MINUTES,
    startup_timeout=MINUTES,
    timeout=START_SECONDS + REPLY_SECONDS,
)
@modal.concurrent(max_inputs=100)
@modal.asgi_app(label="medicalgpt-generate", requires_proxy_auth=not PUBLIC)
def generate() -> Any:
    """The legacy contract. A GET wakes the GPU, and is a 405 once it is awake."""
    from endpoint.generate import create_legacy

    async def ask(message: str) -> Any:
        return await finished(await Serve().answer.spawn.aio(message))

    async def awake() -> None:
        await finished(await Serve().awake.spawn.aio())

    return create_legacy(ask, awake)


async def finished(call: Any) -> Any:
    """The result of a function call. Cancelled with whoever waits for it."""
    from endpoint.allowed import Refusal
    from endpoint.generate import AskFailed

    try:
        return await call.get.aio()
    except asyncio.CancelledError:
        await asyncio.shield(call.cancel.aio())
        raise
    except (Refusal, AskFailed):
        raise
    except Exception as error:
        raise AskFailed(type(error).__name__) from None


@app.local_entrypoint()
def ask(question: str = "What are the warning signs of a stroke?", url: str = "") -> None:
    """`modal run endpoint/modal_app.py::ask --question "..."`: wait, ask, print."""
    from endpoint.ask import ask_and_print

    ask_and_print(question, url or str(Serve().serve.get_web_url()))
