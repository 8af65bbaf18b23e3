"""A llama of two layers and its adapter: llama.cpp says what transformers and peft say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

import gguf  # noqa: E402
import numpy as np  # noqa: E402
from peft import LoraConfig, PeftModel, get_peft_model  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

from backend.llama import Llama, Pass, Sampling  # noqa: E402
from tests.backend.asking import UNWATCHED, model  # noqa: E402
from tests.backend.tiny_models import byte_letters  # noqa: E402
from training.to_gguf import NAMES, ConversionError, convert, read_adapter  # noqa: E402

LETTERS, WORDS = 256, 64
SHAPE = {"hidden_size": 128, "intermediate_size": 96, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2,
         "vocab_size": LETTERS + WORDS}  # fmt: skip
IDS = np.random.default_rng(13).integers(0, LETTERS + WORDS, 40).tolist()
"""What is read; the model is asked what comes after each of them."""
CLEAR = 0.5
"""By how much the highest logit must stand out: llama.cpp keeps keys in 8 bits."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(11)
    llama = LlamaForCausalLM(LlamaConfig(**SHAPE, rms_norm_eps=1e-5, tie_word_embeddings=False))
    for name, parameter in llama.named_parameters():
        if "norm" not in name:
            # So large that attention has a preference, and the highest logit stands out.
            torch.nn.init.normal_(parameter, std=1.0 if "embed" in name else 0.2)
    # A letter is a byte, which need not be text: only words are said.
    llama.lm_head.weight.data[:LETTERS] = 0.0
    folder = tmp_path_factory.mktemp("llama")
    llama.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def lora(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """On all seven kinds of matrices, and of their size."""
    torch.manual_seed(12)
    tuned: Any = get_peft_model(
        LlamaForCausalLM.from_pretrained(plain),
        LoraConfig(r=8, lora_alpha=16, target_modules=list(NAMES), task_type="CAUSAL_LM"),
    )
    for name, parameter in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    folder = tmp_path_factory.mktemp("lora")
    tuned.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def whole(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as a GGUF, written by this test: q and k in llama.cpp's order."""
    path = tmp_path_factory.mktemp("gguf") / "llama.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(256)
    writer.add_embedding_length(SHAPE["hidden_size"])
    writer.add_block_count(SHAPE["num_hidden_layers"])
    writer.add_feed_forward_length(SHAPE["intermediate_size"])
    writer.add_head_count(SHAPE["num_attention_heads"])
    writer.add_head_count_kv(SHAPE["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(SHAPE["hidden_size"] // SHAPE["num_attention_heads"])
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(WORDS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*byte_letters(), *(f"w{n}." for n in range(WORDS))])
    writer.add_token_types([gguf.TokenType.NORMAL] * (LETTERS + WORDS))
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(0)
    for name, tensor in LlamaForCausalLM.from_pretrained(plain).state_dict().items():
        writer.add_tensor(*_renamed(name, tensor.numpy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _renamed(name: str, tensor: Any) -> tuple[str, Any]:
    outer = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    stem = name.removesuffix(".weight")
    if stem in outer:
        return f"{outer[stem]}.weight", tensor
    layer, kind = stem.split(".")[2], stem.split(".")[-1]
    norms = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    heads = {"q_proj": 4, "k_proj": 2}.get(kind)
    if heads:  # row by row: pairs (n, n + half) of a head become neighbours
        size = tensor.shape[0] // heads
        order = [
            head * size + half * size // 2 + n
            for head in range(heads)
            for n in range(size // 2)
            for half in (0, 1)
        ]
        tensor = tensor[order]
    return f"blk.{layer}.{(NAMES | norms)[kind]}.weight", np.ascontiguousarray(tensor)


def ranked(llama: Any) -> list[tuple[int, float]]:
    """After each of `IDS`: the token that is ranked first, and by how much, by transformers."""
    with torch.no_grad():
        best = llama(torch.tensor([IDS])).logits[0].topk(2)
    margins = (best.values[:, 0] - best.values[:, 1]).tolist()
    return list(zip(best.indices[:, 0].tolist(), margins, strict=True))


def said(llama: Llama) -> list[int]:
    """The same tokens by llama.cpp."""
    found: list[int] = []
    for end in range(1, len(IDS) + 1):
        pieces: list[str] = []
        asked = Pass(IDS[:end], 0, 1, (), Sampling(0.0, 1.0, 0), reuse=False)
        llama.run(asked, pieces.append, UNWATCHED)
        found.append(LETTERS + int("".join(pieces)[1:-1]))
    return found


def same_where_clear(theirs: list[tuple[int, float]], ours: list[int]) -> None:
    clear = [(a, b) for (a, margin), b in zip(theirs, ours, strict=True) if margin > CLEAR]
    assert len(clear) > len(IDS) // 2
    assert [b for _, b in clear] == [a for a, _ in clear]


def test_without_and_with_the_adapter_llama_cpp_ranks_the_same_tokens_first(
    plain: Path, lora: Path, whole: Path, tmp_path: Path
) -> None:
    assert convert(lora, str(plain), tmp_path / "lora.gguf") == 2 * 7 * 2
    base: Any = LlamaForCausalLM.from_pretrained(plain).eval()
    alone = ranked(base)
    with model(whole) as llama:
        same_where_clear(alone, said(llama))
    both = ranked(PeftModel.from_pretrained(base, lora).eval())
    assert sum(a != b for (a, _), (b, _) in zip(alone, both, strict=True)) > len(IDS) // 2
    with model(whole, adapter=tmp_path / "lora.gguf") as llama:
        same_where_clear(both, said(llama))


def test_what_was_converted_is_read_back_as_peft_saved_it(
    plain: Path, lora: Path, tmp_path: Path
) -> None:
    convert(lora, str(plain), tmp_path / "lora.gguf")
    saved = load_file(lora / "adapter_model.safetensors")
    read = read_adapter(tmp_path / "lora.gguf", LlamaConfig(**SHAPE))
    assert read.keys() == saved.keys()
    for name, tensor in saved.items():
        assert torch.equal(read[name], tensor.half().float()), name
    (tmp_path / "cut.gguf").write_bytes((tmp_path / "lora.gguf").read_bytes()[:999])
    with pytest.raises(ConversionError, match=r"cut\.gguf is no adapter that can be read"):
        read_adapter(tmp_path / "cut.gguf", LlamaConfig(**SHAPE))
