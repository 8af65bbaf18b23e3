"""Whether this machine can compute in MXFP4, asked before anything large is fetched or loaded.

transformers unpacks the experts without a word where it cannot: gpt-oss-20b then takes 42 GB
instead of 13. Source: transformers 5.22.2, quantizers/quantizer_mxfp4.py, integrations/mxfp4.py.
"""

# torch and transformers are not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from backend.gpu import INSTALL

KERNEL, KERNEL_VERSION = "kernels-community/gpt-oss-triton-kernels", 1
CAPABILITY = (7, 5)
TRITON = (3, 4)
INSTEAD = (
    "What works: vLLM behind BACKEND=remote, or gpt-oss as a GGUF in the embedded backend "
    "(BACKEND=embedded, EMBEDDED_MODEL); on a GPU with 48 GB or more, UNPACK_MXFP4=on."
)


def obstacle() -> str | None:
    """Why MXFP4 cannot be computed here, as the rest of a sentence; None where it can.

    May fetch the kernel, some MB, from the hub. Needs a CUDA GPU.
    """
    torch: Any = importlib.import_module("torch")
    capability: tuple[int, int] = torch.cuda.get_device_capability()
    return (
        lacking(capability, _installed("triton"), _installed("kernels"), kernels_range())
        or _kernel()
    )


def lacking(
    capability: tuple[int, int],
    triton: str | None,
    kernels: str | None,
    wanted: tuple[str, str],
) -> str | None:
    """The same from what is known without trying. `wanted` is from and below, for `kernels`."""
    if capability < CAPABILITY:
        return f"this GPU's compute capability is {_dotted(capability)}, and 7.5 is needed"
    if triton is None or _numbers(triton) < TRITON:
        found = triton or "not installed"
        return f"Triton is {found}, and {_dotted(TRITON)} or newer is needed ({INSTALL})"
    low, high = wanted
    if kernels is None or not _numbers(low) <= _numbers(kernels) < _numbers(high):
        found = kernels or "not installed"
        return (
            f"the package kernels is {found}, and {low} or newer below {high} is needed ({INSTALL})"
        )
    return None


def kernels_range() -> tuple[str, str]:
    """What the installed transformers asks of `kernels`: from, and below."""
    asked: Any = importlib.import_module("transformers.utils.import_utils")
    return str(asked.KERNELS_MIN_VERSION), str(asked.KERNELS_MAX_VERSION)


def _kernel() -> str | None:
    try:
        hub: Any = importlib.import_module("transformers.integrations.hub_kernels")
        found = hub.get_kernel(KERNEL, version=KERNEL_VERSION)
    except Exception as error:  # whatever a download, an import or a compiler may raise
        return f"its kernel {KERNEL} could not be had from the hub ({type(error).__name__})"
    return None if found is not None else f"the hub has no {KERNEL} for this machine"


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, ...]:
    parts = text.partition("+")[0].split(".")
    return tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in parts[:3])


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers)
