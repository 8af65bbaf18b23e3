"""Models small enough to be made in a test, in GGUF.

`harmony_model` is a whole gpt-oss with one layer and no knowledge: every token has one successor,
so that what it says is known. `adapter` is a LoRA that changes nothing.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

MARKERS = ("<|start|>", "<|message|>", "<|channel|>", "<|end|>", "<|return|>", "<|call|>")
ANSWER_HEADER = "<|start|>assistant<|channel|>final<|message|>"
"""One token here: with one successor each, `<|channel|>` cannot lead to two channels."""
WORDS = (
    "<think>",
    "</think>",
    "system",
    "user",
    "assistant",
    "analysis",
    "Weigh it.",
    "Rest. ",
    "Drink. ",
)

TEMPLATE = (
    "<|start|>system<|message|>Reasoning: {{ reasoning_effort }}<|end|>"
    "{% for message in messages %}"
    "<|start|>{{ message.role }}<|message|>{{ message.content }}<|end|>"
    "{% endfor %}<|start|>assistant"
)

ANSWERS = {
    "assistant": "<|channel|>",
    "<|channel|>": "analysis",
    "analysis": "<|message|>",
    "<|message|>": "Weigh it.",
    "Weigh it.": "<|end|>",
    "<|end|>": ANSWER_HEADER,
    ANSWER_HEADER: "Rest. ",
    "Rest. ": "Drink. ",
    "Drink. ": "<|return|>",
}
"""Thinks, answers, ends."""
THINKS_ON = {**ANSWERS, "Weigh it.": "Weigh it."}
"""Never comes to an answer."""
CALLS = {**ANSWERS, "Weigh it.": "<|call|>"}
"""Ends without an answer."""
RAMBLES = {**ANSWERS, "Drink. ": "Rest. "}
"""Its answer does not end."""


def harmony_model(path: Path, successors: dict[str, str], others: tuple[str, ...] = ()) -> Path:
    """A gpt-oss of about a megabyte that says what `successors` says.

    `others` are tokens besides, of the kind that llama.cpp finds in any text.
    """
    tokens, types = _vocabulary(others)
    writer = gguf.GGUFWriter(path, "gpt-oss")
    size = len(tokens)
    writer.add_name("tiny gpt-oss")
    writer.add_context_length(4096)
    writer.add_embedding_length(size)
    writer.add_block_count(1)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_key_length(32)
    writer.add_value_length(32)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_feed_forward_length(32)
    writer.add_expert_feed_forward_length(32)
    writer.add_expert_count(2)
    writer.add_expert_used_count(1)
    writer.add_sliding_window(128)
    writer.add_rope_freq_base(150_000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-4o")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(tokens.index("<|return|>"))
    writer.add_chat_template(TEMPLATE)
    _weights(writer, tokens, successors)
    return _written(writer, path)


def adapter(path: Path, rank: int = 4, hidden: int = 576, layers: int = 30) -> Path:
    """A LoRA for the default model whose second matrices are zero."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(2 * rank))
    random = np.random.default_rng(1)
    for layer in range(layers):
        first = random.normal(size=(rank, hidden)).astype(np.float32)
        writer.add_tensor(f"blk.{layer}.attn_q.weight.lora_a", first)
        writer.add_tensor(f"blk.{layer}.attn_q.weight.lora_b", np.zeros((hidden, rank), np.float32))
    return _written(writer, path)


def special_tokens(path: Path) -> dict[str, int]:
    """Every token of the file's vocabulary that is not plain text, and its id."""
    reader = gguf.GGUFReader(path)
    tokens = reader.fields["tokenizer.ggml.tokens"]
    types = reader.fields["tokenizer.ggml.token_type"].contents()
    special = (gguf.TokenType.CONTROL, gguf.TokenType.USER_DEFINED, gguf.TokenType.UNKNOWN)
    return {tokens.contents(i): i for i, kind in enumerate(types) if kind in special}


def byte_letters() -> list[str]:
    """GPT-2's way to write each byte as a printable character."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(byte) for byte in printable] + [chr(256 + n) for n in range(256 - len(printable))]


def _vocabulary(found: tuple[str, ...]) -> tuple[list[str], list[int]]:
    letters = byte_letters()
    control = [*MARKERS, ANSWER_HEADER]
    tokens = [*letters, *control, *WORDS, *found]
    tokens += [f"<|unused_{n}|>" for n in range(-len(tokens) % 32)]
    kinds = [gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL] * len(control)
    kinds += [gguf.TokenType.USER_DEFINED] * (len(WORDS) + len(found))
    return tokens, kinds + [gguf.TokenType.CONTROL] * (len(tokens) - len(kinds))


def _weights(writer: gguf.GGUFWriter, tokens: list[str], successors: dict[str, str]) -> None:
    size = len(tokens)
    output = np.zeros((size, size), np.float32)
    for token, successor in successors.items():
        output[tokens.index(successor), tokens.index(token)] = 10.0
    writer.add_tensor("token_embd.weight", np.eye(size, dtype=np.float32))
    writer.add_tensor("output.weight", output)
    writer.add_tensor("output_norm.weight", np.ones(size, np.float32))
    shapes = {
        "attn_norm.weight": (size,), "post_attention_norm.weight": (size,),
        "attn_q.weight": (64, size), "attn_q.bias": (64,),
        "attn_k.weight": (32, size), "attn_k.bias": (32,),
        "attn_v.weight": (32, size), "attn_v.bias": (32,),
        "attn_output.weight": (size, 64), "attn_output.bias": (size,),
        "attn_sinks.weight": (2,),
        "ffn_gate_inp.weight": (2, size), "ffn_gate_inp.bias": (2,),
        "ffn_gate_exps.weight": (2, 32, size), "ffn_gate_exps.bias": (2, 32),
        "ffn_up_exps.weight": (2, 32, size), "ffn_up_exps.bias": (2, 32),
        "ffn_down_exps.weight": (2, size, 32), "ffn_down_exps.bias": (2, size),
    }  # fmt: skip
    for name, shape in shapes.items():
        fill = 1.0 if "norm" in name else 0.0
        writer.add_tensor(f"blk.0.{name}", np.full(shape, fill, np.float32))


def _written(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
