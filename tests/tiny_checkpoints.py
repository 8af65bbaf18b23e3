"""Models small enough to be made in a test, in the folder that `transformers` reads.

Each is whole and has no knowledge: every token has one successor, so that what it says is known.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

END = "<|im_end|>"
NEWLINE = "\u010a"  # as byte-level tokenizers write it
MARKERS = (END, "<|im_start|>", "<think>", "</think>")
WORDS = ("assistant", "user", "system", "Weigh it. ", "Rest. ", "Drink. ")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ANSWERS = {
    NEWLINE: "<think>",
    "<think>": "Weigh it. ",
    "Weigh it. ": "</think>",
    "</think>": "Rest. ",
    "Rest. ": "Drink. ",
    "Drink. ": END,
}
"""Thinks, answers, ends."""
RAMBLES = {**ANSWERS, "Drink. ": "Rest. "}
"""Its answer does not end."""
COMMIT = "0" * 40


def cached(hub: Path, name: str, kind: str, successors: dict[str, str]) -> None:
    """A model of a megabyte as `name` in the cache of models at `hub`. `kind` is qwen2 or llama."""
    repository = hub / f"models--{name.replace('/', '--')}"
    folder = repository / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    tokens = [*_letters(), *MARKERS, *WORDS]
    tokens += [f"<|unused_{n}|>" for n in range(-len(tokens) % 32)]
    for file, content in {
        "config.json": _config(kind, len(tokens), tokens.index(END)),
        "generation_config.json": {"eos_token_id": tokens.index(END), "do_sample": True},
        "tokenizer.json": _tokenizer(tokens),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": END,
            "pad_token": END,
            "chat_template": TEMPLATE,
        },
    }.items():
        (folder / file).write_text(json.dumps(content))
    save_file(_weights(kind, tokens, successors), folder / "model.safetensors", {"format": "pt"})


def _config(kind: str, size: int, end: int) -> dict[str, Any]:
    return {
        "model_type": kind,
        "architectures": ["Qwen2ForCausalLM" if kind == "qwen2" else "LlamaForCausalLM"],
        "vocab_size": size,
        "hidden_size": size,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": size // 2,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
        "eos_token_id": end,
        "bos_token_id": None,
        "dtype": "float32",
    }


def _letters() -> list[str]:
    # GPT-2's way to write each byte as a printable character.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(byte) for byte in printable] + [chr(256 + n) for n in range(256 - len(printable))]


def _tokenizer(tokens: list[str]) -> dict[str, Any]:
    letters = tokens[:256]
    added = [
        {"id": 256 + n, "content": token, "special": token in (END, "<|im_start|>")}
        | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        for n, token in enumerate(tokens[256:])
    ]
    bytewise = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}
    return {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": bytewise,
        "decoder": bytewise,
        "model": {"type": "BPE", "vocab": {t: n for n, t in enumerate(letters)}, "merges": []},
    }


def _weights(
    kind: str, tokens: list[str], successors: dict[str, str]
) -> dict[str, np.ndarray[Any, Any]]:
    size = len(tokens)
    head = np.zeros((size, size), np.float32)
    for token, successor in successors.items():
        head[tokens.index(successor), tokens.index(token)] = 10.0
    layer, shapes = "model.layers.0", {
        "self_attn.q_proj": (size, size),
        "self_attn.k_proj": (size // 2, size),
        "self_attn.v_proj": (size // 2, size),
        "self_attn.o_proj": (size, size),
        "mlp.gate_proj": (32, size),
        "mlp.up_proj": (32, size),
        "mlp.down_proj": (size, 32),
    }  # fmt: skip
    weights = {f"{layer}.{name}.weight": np.zeros(s, np.float32) for name, s in shapes.items()}
    if kind == "qwen2":
        for name, (rows, _) in list(shapes.items())[:3]:
            weights[f"{layer}.{name}.bias"] = np.zeros(rows, np.float32)
    for norm in (f"{layer}.input_layernorm", f"{layer}.post_attention_layernorm", "model.norm"):
        weights[f"{norm}.weight"] = np.ones(size, np.float32)
    return weights | {
        "model.embed_tokens.weight": np.eye(size, dtype=np.float32),
        "lm_head.weight": head,
    }
