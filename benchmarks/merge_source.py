"""A gpt-oss checkpoint of the real shapes, a number of layers long, and an adapter for it.

Every byte is written and random: no sparse files. What the values are does not change how long a
merge takes.

    python -m benchmarks.merge_source FOLDER LAYERS
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

HIDDEN, HEADS, KV_HEADS, HEAD, EXPERTS, VOCAB = 2_880, 64, 8, 64, 32, 201_088
SHAPES = {
    "q_proj": (HEADS * HEAD, HIDDEN),
    "k_proj": (KV_HEADS * HEAD, HIDDEN),
    "v_proj": (KV_HEADS * HEAD, HIDDEN),
    "o_proj": (HIDDEN, HEADS * HEAD),
}
SHARD = 5_000_000_000
"""Bytes of a file, as the published checkpoint's."""


def write_checkpoint(folder: Path, layers: int) -> Path:
    """`layers` of 24; the whole is 13.8 GB."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    places: dict[str, str] = {}
    shard: dict[str, torch.Tensor] = {}
    pending, number = 0, 0

    def flush() -> None:
        nonlocal pending, number, shard
        file = f"model-{number:05d}.safetensors"
        save_file(shard, folder / file, {"format": "pt"})
        places.update(dict.fromkeys(shard, file))
        shard, pending, number = {}, 0, number + 1

    for part in (_outer(), *(_layer(n) for n in range(layers))):
        size = sum(tensor.nbytes for tensor in part.values())
        if shard and pending + size > SHARD:
            flush()
        shard |= part
        pending += size
    flush()
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    (folder / "config.json").write_text(json.dumps(_config(layers)), "utf-8")
    return folder


def write_adapter(folder: Path, layers: int) -> Path:
    """The recipe's: rank 8 on q, k, v and o."""
    folder.mkdir(parents=True)
    torch.manual_seed(1)
    tensors: dict[str, torch.Tensor] = {}
    for layer in range(layers):
        for name, (rows, columns) in SHAPES.items():
            key = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            tensors[f"{key}.lora_A.weight"] = torch.randn(8, columns) / columns**0.5
            tensors[f"{key}.lora_B.weight"] = torch.randn(rows, 8) * 0.01
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "synthetic",
        "r": 8,
        "lora_alpha": 16,
        "bias": "none",
        "target_modules": list(SHAPES),
    }
    (folder / "adapter_config.json").write_text(json.dumps(config), "utf-8")
    return folder


def _outer() -> dict[str, torch.Tensor]:
    return {
        "model.embed_tokens.weight": _weights(VOCAB, HIDDEN),
        "model.norm.weight": _weights(HIDDEN),
        "lm_head.weight": _weights(VOCAB, HIDDEN),
    }


def _layer(layer: int) -> dict[str, torch.Tensor]:
    key = f"model.layers.{layer}"
    tensors = {
        f"{key}.input_layernorm.weight": _weights(HIDDEN),
        f"{key}.post_attention_layernorm.weight": _weights(HIDDEN),
        f"{key}.self_attn.sinks": _weights(HEADS),
        f"{key}.mlp.router.weight": _weights(EXPERTS, HIDDEN),
        f"{key}.mlp.router.bias": _weights(EXPERTS),
    }
    for name, (rows, columns) in SHAPES.items():
        tensors[f"{key}.self_attn.{name}.weight"] = _weights(rows, columns)
        tensors[f"{key}.self_attn.{name}.bias"] = _weights(rows)
    for name, rows in (("gate_up_proj", 2 * HIDDEN), ("down_proj", HIDDEN)):
        shape = (EXPERTS, rows, HIDDEN // 32)
        blocks = torch.randint(0, 256, (*shape, 16), dtype=torch.uint8)
        tensors[f"{key}.mlp.experts.{name}_blocks"] = blocks
        tensors[f"{key}.mlp.experts.{name}_scales"] = torch.full(shape, 120, dtype=torch.uint8)
        tensors[f"{key}.mlp.experts.{name}_bias"] = _weights(EXPERTS, rows)
    return tensors


def _weights(*shape: int) -> torch.Tensor:
    return (torch.randn(*shape) * 0.02).to(torch.bfloat16)


def _config(layers: int) -> dict[str, Any]:
    return {
        "architectures": ["GptOssForCausalLM"],
        "model_type": "gpt_oss",
        "vocab_size": VOCAB,
        "hidden_size": HIDDEN,
        "intermediate_size": HIDDEN,
        "num_hidden_layers": layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD,
        "num_local_experts": EXPERTS,
        "num_experts_per_tok": 4,
        "sliding_window": 128,
        "layer_types": [("sliding_attention", "full_attention")[n % 2] for n in range(layers)],
        "rope_parameters": {"rope_type": "default", "rope_theta": 150000.0},
        "rms_norm_eps": 1e-5,
        "attention_bias": True,
        "tie_word_embeddings": False,
        "dtype": "bfloat16",
        "quantization_config": {
            "quant_method": "mxfp4",
            "modules_to_not_convert": [
                "model.layers.*.self_attn",
                "model.layers.*.mlp.router",
                "model.embed_tokens",
                "lm_head",
            ],
        },
    }


if __name__ == "__main__":
    write_checkpoint(Path(sys.argv[1]) / "base", int(sys.argv[2]))
    write_adapter(Path(sys.argv[1]) / "adapter", int(sys.argv[2]))
