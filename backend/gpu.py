"""What this machine has for the local backend, found without loading anything that is not there."""

from __future__ import annotations

import gc
import importlib
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

WEIGHTS = 13_800_000_000
"""Bytes of gpt-oss-20b, by its checkpoint's headers."""
SPARE = 1_500_000_000
"""Bytes beside the weights: 0.4 GB for the keys and values of 8,192 tokens, the rest for a prompt
being read and for CUDA's own."""
NEEDED = WEIGHTS + SPARE
"""Bytes of GPU memory, as loading asks for them. What is sold as 16 GB shows 15.8 to 17.2 GB."""
INSTALL = "python -m pip install -r requirements-local.txt"
LIBRARIES = ("torch", "transformers", "peft", "accelerate", "safetensors")


@dataclass(frozen=True, slots=True)
class Gpu:
    """`memory` in bytes, 0 where torch sees no CUDA GPU or was not asked."""

    present: bool
    installed: bool = False
    memory: int = 0

    @property
    def usable(self) -> bool:
        return self.memory >= NEEDED


def nvidia_gpu() -> bool:
    """Whether the NVIDIA driver sees a GPU. Imports no torch."""
    gpus = Path("/proc/driver/nvidia/gpus")
    return gpus.is_dir() and any(gpus.iterdir())


def look() -> Gpu:
    """torch is imported only where there is a GPU and everything that would use it."""
    if not nvidia_gpu():
        return Gpu(present=False)
    if any(find_spec(name) is None for name in LIBRARIES):
        return Gpu(present=True)
    return Gpu(present=True, installed=True, memory=_memory())


def release() -> None:
    """Give the GPU what torch keeps of tensors that nobody holds any more."""
    torch: Any = sys.modules.get("torch")
    gc.collect()
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _memory() -> int:
    torch: Any = importlib.import_module("torch")
    if not torch.cuda.is_available():
        return 0
    return int(torch.cuda.get_device_properties(0).total_memory)
