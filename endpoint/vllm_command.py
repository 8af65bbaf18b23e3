"""How vLLM is started for gpt-oss: its pinned version, its command line, its environment.

Knows neither Modal nor vLLM's code: strings in, strings out. `python -m endpoint.check_vllm_flags`
compares every name used here with the pinned wheel. vLLM listens on loopback only; what of it is
reachable from outside stands in `endpoint/gateway.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

VERSION = "0.33.0"
"""Its wheel was read on 2026-11-23, see docs/decisions.md; at least 0.18.0 for CVE-2026-27893."""
WHEEL_SHA256 = "4b6bdec4ab269990bf70d45a3c1e94c3760a27064513760193b26d6f0da883aa"
"""Of vllm-0.33.0-cp38-abi3-manylinux_2_28_x86_64.whl."""
PORT = 8000
CONTEXT = 16_384
"""Tokens, prompt and reply. The longest conversation that the page sends has about 12,000."""
AT_ONCE = 16
"""Replies generated at a time. An L4 has room for about 15 whole contexts (computed)."""
WAITING = 16
"""Questions beyond those that may wait; the next one gets a 503."""
RANK = 8
"""Of the adapter."""


@dataclass(frozen=True, slots=True)
class Served:
    """What is served. `adapter` goes with a base that is not merged; merged weights are faster."""

    folder: str
    name: str
    adapter: str | None = None
    sleeps: bool = False
    """Whether the weights can be put aside for a memory snapshot. See docs/deploy.md."""


def command(served: Served) -> list[str]:
    """The program and its arguments."""
    return [
        *("vllm", "serve", served.folder, "--host", "127.0.0.1", "--port", str(PORT)),
        # What is loaded: safetensors or nothing; remote code is off unless asked for.
        *("--load-format", "safetensors"),
        # A volume is a network disk: files are read ahead, in several threads.
        *("--safetensors-load-strategy", "prefetch"),
        *_names(served),
        # Reasoning comes apart from the answer, as `delta.reasoning`.
        *("--reasoning-parser", "openai_gptoss"),
        # A chat for a few: short start, small steps.
        *("--max-model-len", str(CONTEXT), "--max-num-seqs", str(AT_ONCE)),
        *("--max-num-queued-reqs", str(AT_ONCE + WAITING)),
        *("--gpu-memory-utilization", "0.92", "--max-num-batched-tokens", "2048"),
        # Each size is captured at every start: 83 of them took 106 s on an A100 (vLLM #22525).
        *("--cudagraph-capture-sizes", "1", "2", "4", "8", "16"),
        "--no-enable-flashinfer-autotune",
        *("--stream-interval", "2", "--sse-keep-alive-interval", "15"),
        # Nobody's prompt is kept for the next person to be timed against. The price: a
        # conversation is read again at each of its turns.
        "--no-enable-prefix-caching",
        # Nothing that was said, and nobody's address, reaches a log.
        *("--no-enable-log-requests", "--disable-uvicorn-access-log", "--disable-log-stats"),
        *("--disable-fastapi-docs", "--fingerprint-mode", "none"),
        "--fail-on-environ-validation",  # a VLLM_ variable it does not know stops it
        *(["--enable-sleep-mode"] if served.sleeps else []),
    ]


def _names(served: Served) -> list[str]:
    if served.adapter is None:
        return ["--served-model-name", served.name]
    return [
        *("--served-model-name", f"{served.name}-base", "--enable-lora", "--max-loras", "1"),
        *("--max-lora-rank", str(RANK), "--lora-modules", f"{served.name}={served.adapter}"),
    ]


def environment(cache: str, encodings: str, *, sleeps: bool = False) -> dict[str, str]:
    """Variables of its process; `cache` is a folder that outlives it, `encodings` has harmony's."""
    dev_mode = {"VLLM_SERVER_DEV_MODE": "1"} if sleeps else {}  # /sleep and /wake_up, on loopback
    return {
        "HF_HOME": f"{cache}/huggingface",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TIKTOKEN_RS_CACHE_DIR": encodings,
        "VLLM_CACHE_ROOT": f"{cache}/vllm",
        "TRITON_CACHE_DIR": f"{cache}/triton",
        "VLLM_ENABLE_STARTUP_PLAN": "1",  # memory is measured at the first start, not at each
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_DO_NOT_TRACK": "1",
        "VLLM_MAX_N_SEQUENCES": "1",
        "VLLM_USE_FLASHINFER_SAMPLER": "0",  # it may want a CUDA compiler, which the image has not
        **dev_mode,
    }
