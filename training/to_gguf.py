"""A peft adapter as the GGUF that llama.cpp loads: `python -m training.to_gguf --help`.

Knows the two families that this project adapts: llama (SmolLM2) and gpt-oss. Matrices are stored
in 16 bits. Where llama.cpp orders the rows of q and k otherwise than transformers does (llama's
rotary embedding), the rows of B are reordered, as the weight they are added to was.
"""

# transformers and gguf are not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.adapter import WEIGHTS, AdapterError, read_config
from training.base import gguf_path
from training.disk import disk_full
from training.recipe import Base, RecipeError

KEY = re.compile(
    r"base_model\.model\.model\.layers\.(\d+)\.(?:self_attn|mlp)\.(\w+)\.lora_([AB])\.weight"
)
NAMES = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
FAMILIES = {"llama": "llama", "gpt_oss": "gpt-oss"}


class ConversionError(ValueError):
    """An adapter that cannot be written as GGUF, and why."""


@dataclass(frozen=True, slots=True)
class Family:
    """What of the base decides the form: llama.cpp's name for it, and its heads."""

    name: str
    heads: int
    kv_heads: int


def convert(adapter: Path, base: str, out: Path) -> int:
    """Write `out`; the number of matrices in it.

    Raises `ConversionError`, `AdapterError`, `RecipeError`, `OSError`.
    """
    if out.suffix != ".gguf":
        raise ConversionError(f"--out {out} is no name of a .gguf file.")
    config = read_config(adapter)
    tensors = _matrices(adapter)
    family = read_family(base)
    written = {gguf_name(key): tensor for key, tensor in tensors.items()}
    if family.name == "llama":
        for name, tensor in written.items():
            heads = {"attn_q": family.heads, "attn_k": family.kv_heads}.get(name.split(".")[2])
            if heads and name.endswith("lora_b"):
                if tensor.shape[0] % (2 * heads):
                    raise ConversionError(f"{name} does not fit the base's {heads} heads.")
                written[name] = rotary_order(tensor, heads)
    _write(out, family.name, _alpha(config), written)
    return len(written)


def _matrices(adapter: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(adapter / WEIGHTS)
    except (OSError, SafetensorError):
        tensors = {}
    if not tensors:
        raise ConversionError(f"{adapter.name} has no {WEIGHTS} that holds matrices.")
    return tensors


def read_family(base: str) -> Family:
    """Raises `ConversionError` for any other than llama and gpt-oss, `RecipeError`."""
    from transformers import AutoConfig

    place = gguf_path(Base(base))
    try:
        config: Any = (
            AutoConfig.from_pretrained(place.parent, gguf_file=place.name)
            if place
            else AutoConfig.from_pretrained(base)
        )
    except (OSError, ValueError) as error:
        raise ConversionError(
            f"The base {base} has no config that can be read ({type(error).__name__})."
        ) from None
    if config.model_type not in FAMILIES:
        raise ConversionError(f"{config.model_type} is neither llama nor gpt_oss.")
    return Family(
        FAMILIES[config.model_type], config.num_attention_heads, config.num_key_value_heads
    )


def gguf_name(key: str) -> str:
    """peft's name of a matrix in llama.cpp's words. Raises `ConversionError`."""
    found = KEY.fullmatch(key)
    if found is None or found[2] not in NAMES:
        raise ConversionError(f"{key} is no matrix of an attention or feed-forward layer.")
    return f"blk.{found[1]}.{NAMES[found[2]]}.weight.lora_{found[3].lower()}"


def rotary_order(rows: Any, heads: int) -> Any:
    """Within each head, transformers keeps the two halves apart; llama.cpp interleaves them."""
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def transformers_order(rows: Any, heads: int) -> Any:
    """What `rotary_order` does, undone."""
    pairs = rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:])
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def read_adapter(file: Path, config: Any) -> dict[str, Any]:
    """A GGUF that `convert` wrote for a llama of this config, as the tensors that peft saves.

    Raises `ConversionError`.
    """
    import numpy as np
    import torch
    from gguf import GGUFReader

    kinds = {ours: theirs for theirs, ours in NAMES.items()}
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    found: dict[str, Any] = {}
    try:
        for tensor in GGUFReader(file).tensors:
            _, layer, kind, _, which = tensor.name.split(".")
            rows = np.array(tensor.data, dtype=np.float32)
            if kind in heads and which == "lora_b":
                rows = transformers_order(rows, heads[kind])
            place = "mlp" if kind.startswith("ffn") else "self_attn"
            key = f"base_model.model.model.layers.{layer}.{place}.{kinds[kind]}"
            found[f"{key}.lora_{which[-1].upper()}.weight"] = torch.from_numpy(rows.copy())
    except (OSError, ValueError, KeyError, IndexError):
        raise ConversionError(f"{file.name} is no adapter that can be read.") from None
    return found


def _alpha(config: dict[str, Any]) -> float:
    # llama.cpp scales by alpha / rank only.
    alpha, rank = float(config["lora_alpha"]), int(config["r"])
    return alpha * math.sqrt(rank) if config.get("use_rslora") else alpha


def _write(out: Path, family: str, alpha: float, tensors: dict[str, Any]) -> None:
    import gguf
    import numpy as np

    half = out.with_suffix(".partial")
    writer = gguf.GGUFWriter(half, family)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    for name, tensor in sorted(tensors.items()):
        writer.add_tensor(name, np.ascontiguousarray(tensor, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(half, out)


def main(given: list[str] | None = None) -> int:
    """0 when written; 2 with one sentence where it cannot be."""
    parser = argparse.ArgumentParser("python -m training.to_gguf", description=__doc__)
    parser.add_argument("--adapter", type=Path, required=True, help="a folder that peft saved")
    parser.add_argument("--base", required=True, help="the adapted model, as in the recipe")
    parser.add_argument("--out", type=Path, required=True, help="the .gguf to write")
    wanted = parser.parse_args(given)
    try:
        count = convert(wanted.adapter, wanted.base, wanted.out)
    except (ConversionError, AdapterError, RecipeError) as error:
        print(error, file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"{error.name} is missing: pip install -r requirements-train.txt", file=sys.stderr)
        return 2
    except OSError as error:
        what = "the disk is full" if disk_full(error) else (error.strerror or "the disk failed")
        print(f"{wanted.out.name} could not be written: {what.lower()}.", file=sys.stderr)
        return 2
    print(f"{wanted.out}: {count} matrices, {wanted.out.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
