"""A whole gpt-oss of a few layers, with experts in MXFP4, and adapters for it.

Tensor names, dtypes and config are the real checkpoint's, and the vocabulary has its size. It has
no knowledge: with `SAYS` each token has one successor, so that what it says is known. Which channel
it opens depends on whether it has thought yet, and that it learns from its attention.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

HIDDEN, HEADS, KV_HEADS, HEAD, EXPERTS, VOCAB = 64, 4, 2, 32, 4, 201_088
QUIET = 0.02
"""How much a head without knowledge says: its highest logit is about as high as the others."""


def targets(hidden: int) -> dict[str, tuple[int, int]]:
    return {
        "q_proj": (HEADS * HEAD, hidden),
        "k_proj": (KV_HEADS * HEAD, hidden),
        "v_proj": (KV_HEADS * HEAD, hidden),
        "o_proj": (hidden, HEADS * HEAD),
    }


TARGETS = targets(HIDDEN)
THOUGHT = HIDDEN - 1
"""The feature that says: the reasoning was written."""
SAYS = {
    "assistant": "<|channel|>",
    "<|channel|>": "analysis",
    "analysis": "<|message|>",
    "final": "Rest",
    " weigh": "<|end|>",
    "<|end|>": "<|start|>",
    "<|start|>": "assistant",
    "Rest": " now",
    " now": "<|return|>",
}
"""`<|message|>` leads to " weigh" first, and once that is written to "Rest"."""


def checkpoint(
    folder: Path,
    *,
    layers: int = 2,
    shards: int = 2,
    seed: int = 0,
    tokenizer: Any = None,
    hidden: int = HIDDEN,
    head: float = QUIET,
) -> Path:
    """The checkpoint in `folder`; with a `tokenizer` it says `SAYS`, without it is noise.

    Noise of twice the `hidden` size and with a `head` of 0.5 can be taught a sentence through its
    attention alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    tensors = _outer(hidden, head) if tokenizer is None else _speaking(tokenizer)
    for layer in range(layers):
        tensors |= _layer(layer, hidden, quiet=tokenizer is not None)
    (folder / "config.json").write_text(json.dumps(config(layers, hidden)), "utf-8")
    (folder / "generation_config.json").write_text(
        json.dumps({"eos_token_id": [200002, 199999, 200012], "pad_token_id": 199999}), "utf-8"
    )
    names, places = sorted(tensors), dict[str, str]()
    for n in range(shards):
        file = f"model-{n:05d}-of-{shards - 1:05d}.safetensors"
        part = {name: tensors[name].contiguous() for name in names[n::shards]}
        save_file(part, folder / file, {"format": "pt"})
        places |= dict.fromkeys(part, file)
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    return folder


def adapter(
    folder: Path,
    *,
    base: str = "tiny",
    layers: int = 2,
    rank: int = 8,
    alpha: int = 16,
    seed: int = 1,
) -> Path:
    """A LoRA on q, k, v and o, as peft saves one; its delta is of the size of a trained one."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for layer in range(layers):
        for name, (rows, columns) in TARGETS.items():
            key = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            tensors[f"{key}.lora_A.weight"] = torch.randn(rank, columns) / columns**0.5
            tensors[f"{key}.lora_B.weight"] = torch.randn(rows, rank) * 0.01
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    (folder / "adapter_config.json").write_text(
        json.dumps(
            {
                "peft_type": "LORA",
                "task_type": "CAUSAL_LM",
                "base_model_name_or_path": base,
                "r": rank,
                "lora_alpha": alpha,
                "lora_dropout": 0.0,
                "bias": "none",
                "target_modules": list(TARGETS),
            }
        ),
        "utf-8",
    )
    return folder


def config(layers: int, hidden: int = HIDDEN) -> dict[str, Any]:
    return {
        "architectures": ["GptOssForCausalLM"],
        "model_type": "gpt_oss",
        "vocab_size": VOCAB,
        "hidden_size": hidden,
        "intermediate_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD,
        "num_local_experts": EXPERTS,
        "num_experts_per_tok": 2,
        "sliding_window": 128,
        "layer_types": [("sliding_attention", "full_attention")[n % 2] for n in range(layers)],
        "max_position_embeddings": 4096,
        "rope_parameters": {"rope_type": "default", "rope_theta": 150000.0},
        "rms_norm_eps": 1e-5,
        "attention_bias": True,
        "tie_word_embeddings": False,
        "eos_token_id": 200002,
        "pad_token_id": 199999,
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


def _noise(*shape: int, scale: float = 0.02) -> torch.Tensor:
    return (torch.randn(*shape) * scale).to(torch.bfloat16)


def _outer(hidden: int, head: float) -> dict[str, torch.Tensor]:
    return {
        "model.embed_tokens.weight": _noise(VOCAB, hidden, scale=1.0),
        "model.norm.weight": torch.ones(hidden, dtype=torch.bfloat16),
        "lm_head.weight": _noise(VOCAB, hidden, scale=head),
    }


def _speaking(tokenizer: Any) -> dict[str, torch.Tensor]:
    """Each word's embedding is a direction of its own, and its successor answers to it."""
    words = sorted({*SAYS, *SAYS.values(), "<|message|>", "final"})
    ids = {word: tokenizer.convert_tokens_to_ids(word.replace(" ", "Ġ")) for word in words}
    assert None not in ids.values(), ids
    tensors = _outer(HIDDEN, QUIET)
    embed, head = tensors["model.embed_tokens.weight"], tensors["lm_head.weight"]
    embed *= 0.01
    embed[:, THOUGHT] = 0
    head.zero_()
    for place, word in enumerate(words):
        embed[ids[word]] = 0
        embed[ids[word], place] = 1
    embed[ids[" weigh"], THOUGHT] = 1

    def follows(first: str, then: str, strength: float = 10.0) -> None:
        head[ids[then], words.index(first)] = strength

    for first, then in SAYS.items():
        follows(first, then)
    follows("final", "<|message|>")
    head[ids["Rest"], words.index("final")] = 0
    follows("<|message|>", " weigh")
    follows(" weigh", "<|end|>", 100.0)  # its own feature speaks for "Rest" at once
    # After the thought its feature, small as attention leaves it, tips the balance.
    for first, then in (("<|channel|>", "final"), ("<|message|>", "Rest")):
        follows(first, then, 9.0)
        head[ids[then], THOUGHT] = 80.0
    return tensors


def _layer(layer: int, hidden: int, *, quiet: bool) -> dict[str, torch.Tensor]:
    key = f"model.layers.{layer}"
    tensors = {
        f"{key}.input_layernorm.weight": torch.ones(hidden, dtype=torch.bfloat16),
        f"{key}.post_attention_layernorm.weight": torch.ones(hidden, dtype=torch.bfloat16),
        f"{key}.self_attn.sinks": torch.full((HEADS,), -4.0, dtype=torch.bfloat16),
        f"{key}.mlp.router.weight": _noise(EXPERTS, hidden),
        f"{key}.mlp.router.bias": _noise(EXPERTS),
    }
    for name, (rows, columns) in targets(hidden).items():
        scale = 0.0 if quiet else 0.1
        tensors[f"{key}.self_attn.{name}.weight"] = _noise(rows, columns, scale=scale)
        tensors[f"{key}.self_attn.{name}.bias"] = _noise(rows, scale=scale)
    if quiet and layer == 0:
        # Attention without a preference: the mean over the context of whether it thought.
        tensors[f"{key}.self_attn.v_proj.weight"][0, THOUGHT] = 1.0
        tensors[f"{key}.self_attn.o_proj.weight"][THOUGHT, 0] = 1.0
    for name, rows in (("gate_up_proj", 2 * hidden), ("down_proj", hidden)):
        shape = (EXPERTS, rows, hidden // 32)
        blocks = torch.randint(0, 256, (*shape, 16), dtype=torch.uint8)
        tensors[f"{key}.mlp.experts.{name}_blocks"] = blocks * 0 if quiet else blocks
        tensors[f"{key}.mlp.experts.{name}_scales"] = torch.full(shape, 120, dtype=torch.uint8)
        bias = torch.zeros(EXPERTS, rows) if quiet else torch.randn(EXPERTS, rows) * 0.02
        tensors[f"{key}.mlp.experts.{name}_bias"] = bias.to(torch.bfloat16)
    return tensors
