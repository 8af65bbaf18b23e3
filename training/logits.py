"""Does the merged model say what base and adapter say together, and not what the base says?

Next-token logits over fixed prompts. Needs memory for one model at a time, unpacked: MXFP4 has no
kernel on every machine.
"""

# torch and its family are not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from training.shards import Tensor

MEMORY = Path("/proc/meminfo")
SEED, PROMPTS, TOKENS = 3, 4, 24


class LogitsError(RuntimeError):
    """The merged model speaks otherwise than it should."""


def check_room(tensors: Iterable[Tensor]) -> None:
    """Raises `LogitsError` where the unpacked model is larger than the memory that is free."""
    # A byte of MXFP4's blocks is two values, and two bytes each in bf16; the scales go into them.
    needed = sum(
        4 * tensor.size if tensor.name.endswith("_blocks") else tensor.size for tensor in tensors
    )
    lines = MEMORY.read_text().splitlines() if MEMORY.exists() else []
    free = next((int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line), needed)
    if free < needed:
        raise LogitsError(
            f"--check-logits needs {needed / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are "
            "free: merge without it, or on a larger machine."
        )


def compare(base: Path, adapter: Path, merged: Path) -> dict[str, float]:
    """The largest differences, beside the scale of the logits. Raises `LogitsError`.

    In bf16 two ways of one sum differ by roundings: with the delta folded in each weight is
    rounded once more. That is small beside what the adapter changes.
    """
    try:
        of_base, of_both, of_merged = _spoken(base, adapter, merged)
    except (ImportError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise LogitsError(
            f"The models could not be compared ({type(error).__name__}): merge without "
            "--check-logits, or install requirements-local.txt."
        ) from None
    found = {
        "scale": float(of_base.std()),
        "merged_to_adapter": float((of_merged - of_both).abs().mean()),
        "base_to_adapter": float((of_base - of_both).abs().mean()),
    }
    roundings = min(0.02 * found["scale"], 0.5 * found["base_to_adapter"])
    if not found["base_to_adapter"] > 0:
        raise LogitsError("The adapter changes nothing that the model says.")
    if not found["merged_to_adapter"] < roundings:
        raise LogitsError("The merged model differs from base plus adapter: do not use it.")
    return found


def _spoken(base: Path, adapter: Path, merged: Path) -> tuple[Any, Any, Any]:
    import torch
    from peft import PeftModel

    plain = _load(base)
    seeded = torch.Generator().manual_seed(SEED)
    ids = torch.randint(0, plain.config.vocab_size, (PROMPTS, TOKENS), generator=seeded)
    of_base = _logits(plain, ids)
    of_both = _logits(PeftModel.from_pretrained(plain, str(adapter)), ids)
    del plain
    return of_base, of_both, _logits(_load(merged), ids)


def _load(folder: Path) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, Mxfp4Config

    packed = getattr(AutoConfig.from_pretrained(folder), "quantization_config", None) is not None
    return AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.bfloat16,
        quantization_config=Mxfp4Config(dequantize=True) if packed else None,
        use_safetensors=True,
        trust_remote_code=False,
    ).eval()


def _logits(model: Any, ids: Any) -> Any:
    import torch

    with torch.no_grad():
        return model(input_ids=ids).logits.float()
