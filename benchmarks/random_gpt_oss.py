"""gpt-oss-20b's shape with random weights, made on the device: nothing is fetched or read.

What it says is noise; what it costs is the real model's, as long as the router spreads its tokens.
"""

# torch and its family are not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import Any

import torch
from transformers import GptOssConfig, GptOssForCausalLM, Mxfp4Config
from transformers.integrations import mxfp4 as packing

LAYERS = 24
SHAPE = {
    "vocab_size": 201_088,
    "hidden_size": 2_880,
    "intermediate_size": 2_880,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
    "layer_types": [("sliding_attention", "full_attention")[n % 2] for n in range(LAYERS)],
    "max_position_embeddings": 131_072,
    "rope_parameters": {"rope_type": "default", "rope_theta": 150_000.0},
}
SCALE = 0.02
EXPONENT = 120
"""Of MXFP4's scales: 2 ** (120 - 127), so that a block's values are about as large as `SCALE`."""
PACKED, PLAIN = 0.53125, 2.0
"""Bytes a weight: four bits and a shared scale for 32 of them; bf16."""


def make(shape: dict[str, Any], device: str, *, packed: bool) -> Any:
    """A GptOssForCausalLM in bf16; `packed` puts its experts in MXFP4, which needs the kernel."""
    known = {name: value for name, value in shape.items() if name != "quantization_config"}
    config = GptOssConfig(**known)
    torch.manual_seed(0)
    with torch.device("meta"):
        model: Any = GptOssForCausalLM(config).to(torch.bfloat16)
    if packed:
        packing.replace_with_mxfp4_linear(model, Mxfp4Config(), ["lm_head"])
    model.to_empty(device=device)
    for name, each in model.named_parameters():
        if each.dtype is torch.uint8:
            each.data.random_(0, 256)
        elif "norm" in name:
            each.data.fill_(1.0)
        else:
            each.data.normal_(0.0, SCALE)
    if packed:
        _pack(model)
    rotary = model.model.rotary_emb
    model.model.rotary_emb = type(rotary)(config).to(device)  # its buffers are never stored
    model.generation_config.eos_token_id = None
    return model.eval()


def step_bytes(shape: dict[str, Any], *, packed: bool) -> float:
    """What one token must read: attention, router and `num_experts_per_tok` experts a layer, and
    the head. 3.71e9 for gpt-oss-20b in MXFP4, 7.22e9 in bf16; keys and values come on top.
    """
    hidden, heads = shape["hidden_size"], shape["num_attention_heads"] * shape["head_dim"]
    few = shape["num_key_value_heads"] * shape["head_dim"]
    attention = 2 * hidden * heads + 2 * hidden * few
    router = hidden * shape["num_local_experts"]
    experts = shape["num_experts_per_tok"] * 3 * hidden * shape["intermediate_size"]
    layer = (attention + router) * PLAIN + experts * (PACKED if packed else PLAIN)
    return shape["num_hidden_layers"] * layer + shape["vocab_size"] * hidden * PLAIN


def _pack(model: Any) -> None:
    """As transformers does with the blocks and scales of a checkpoint."""
    for module in model.modules():
        if isinstance(module, packing.Mxfp4GptOssExperts):
            for name in ("gate_up_proj", "down_proj"):
                blocks = getattr(module, name).data
                scales = torch.full_like(blocks[..., 0], EXPONENT)
                packing.swizzle_mxfp4_convertops(
                    blocks, scales, module, name, blocks.device, packing.triton_kernels_hub
                )
