"""An adapter as GGUF: the names, the order of the rows, and what llama.cpp makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import gguf  # noqa: E402
import numpy as np  # noqa: E402

from backend.llama import Pass, Sampling  # noqa: E402
from tests.backend import tiny_models  # noqa: E402
from tests.backend.asking import UNWATCHED, model  # noqa: E402
from tests.tiny_gpt_oss import adapter, checkpoint, config  # noqa: E402
from training.to_gguf import (  # noqa: E402
    ConversionError,
    convert,
    gguf_name,
    main,
    rotary_order,
)


def fields(path: Path) -> tuple[Any, dict[str, Any]]:
    reader = gguf.GGUFReader(path)
    return reader, {tensor.name: tensor.data for tensor in reader.tensors}


def test_the_gpt_oss_adapter_becomes_what_llama_cpp_calls_it(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    base, lora = checkpoint(tmp_path / "base"), adapter(tmp_path / "lora")
    assert convert(lora, str(base), tmp_path / "out.gguf") == 16
    reader, tensors = fields(tmp_path / "out.gguf")
    assert reader.fields["general.architecture"].contents() == "gpt-oss"
    assert reader.fields["general.type"].contents() == "adapter"
    assert reader.fields["adapter.type"].contents() == "lora"
    assert reader.fields["adapter.lora.alpha"].contents() == 16.0
    learned = load_file(lora / "adapter_model.safetensors")
    key = "base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight"
    assert np.array_equal(tensors["blk.1.attn_q.weight.lora_b"], learned[key].half().numpy())
    assert set(tensors) == {
        f"blk.{n}.attn_{kind}.weight.lora_{ab}"
        for n in (0, 1)
        for kind in ("q", "k", "v", "output")
        for ab in "ab"
    }


def test_llama_cpp_takes_the_gpt_oss_adapter_and_says_what_it_adds(tmp_path: Path) -> None:
    """The model says its one successor after another; the adapter's attention always "Drink. "."""
    whole = tiny_models.harmony_model(tmp_path / "tiny.gguf", tiny_models.ANSWERS)
    lora = swayed(tmp_path, whole, towards="Rest. ")  # which "Drink. " follows
    assert convert(lora, str(tmp_path), tmp_path / "lora.gguf") == 8
    said: list[str] = []
    for chosen in (None, tmp_path / "lora.gguf"):
        with model(whole, adapter=chosen, special=True) as llama:
            pieces: list[str] = []
            start = llama.tokenise("assistant", special=True)
            llama.run(Pass(start, 0, 4, (), Sampling(0.0, 1.0, 0)), pieces.append, UNWATCHED)
            said.append("".join(pieces))
    assert said == ["<|channel|>analysis<|message|>Weigh it.", "Drink. " * 4]


def swayed(folder: Path, whole: Path, *, towards: str) -> Path:
    """An adapter for the model `whole`, whose attention adds the embedding of one token."""
    from safetensors.torch import save_file

    reader, tensors = fields(whole)
    shapes = {name: tensors[f"blk.0.attn_{name}.weight"].shape for name in ("q", "k", "v")}
    rows, columns = shapes["q"]
    place = reader.fields["tokenizer.ggml.tokens"].contents().index(towards)
    shapes["o"] = (columns, rows)
    matrices: dict[str, Any] = {}
    for name, (out, into) in shapes.items():
        key = f"base_model.model.model.layers.0.self_attn.{name}_proj"
        # Whatever q and k attend to, v says the same of it.
        fill = 0.0 if name in "vo" else 0.1
        a, b = torch.full((8, into), fill), torch.full((out, 8), fill)
        if name == "v":
            a[0], b[0, 0] = 1.0, 1.0
        elif name == "o":
            a[0, 0], b[place, 0] = 1.0, 10.0
        matrices |= {f"{key}.lora_A.weight": a, f"{key}.lora_B.weight": b}
    adapter(folder / "lora")
    save_file(matrices, folder / "lora" / "adapter_model.safetensors")
    shape = config(layers=1) | {"num_attention_heads": 2, "num_key_value_heads": 1}
    (folder / "config.json").write_text(json.dumps(shape), "utf-8")
    return folder / "lora"


def test_the_rows_of_a_head_are_interleaved_as_llama_cpp_wants_them() -> None:
    rows = np.arange(8).reshape(8, 1)  # two heads of four: halves (0, 1) and (2, 3)
    assert rotary_order(rows, 2).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_what_llama_cpp_would_drop_in_silence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="lm_head"):
        gguf_name("base_model.model.lm_head.lora_A.weight")
    base = checkpoint(tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    config |= {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}
    del config["quantization_config"]
    (base / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConversionError, match="neither llama nor gpt_oss"):
        convert(adapter(tmp_path / "lora"), str(base), tmp_path / "out.gguf")
    assert not (tmp_path / "out.gguf").exists()


def cut_config(lora: Path) -> None:
    (lora / "adapter_config.json").write_text('{"peft_type": "LORA", "r":')


def no_alpha(lora: Path) -> None:
    (lora / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 8}')


def cut_matrices(lora: Path) -> None:
    file = lora / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def no_matrices(lora: Path) -> None:
    (lora / "adapter_model.safetensors").unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut_config, "lora has no readable adapter_config.json of peft's."),
        (no_alpha, "lora has no readable adapter_config.json of peft's."),
        (cut_matrices, "lora has no adapter_model.safetensors that holds matrices."),
        (no_matrices, "lora has no adapter_model.safetensors that holds matrices."),
    ],
)
def test_a_damaged_adapter_is_one_sentence(
    damage: Callable[[Path], None], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, lora, out = checkpoint(tmp_path / "base"), adapter(tmp_path / "lora"), tmp_path / "o.gguf"
    damage(lora)
    assert main(["--adapter", str(lora), "--base", str(base), "--out", str(out)]) == 2
    assert capsys.readouterr().err == f"{said}\n"
    assert list(tmp_path.glob("o*")) == []


def test_a_place_that_is_no_gguf_and_a_base_that_is_none_are_one_sentence_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lora = str(adapter(tmp_path / "lora"))
    assert main(["--adapter", lora, "--base", str(tmp_path), "--out", "."]) == 2
    assert capsys.readouterr().err == "--out . is no name of a .gguf file.\n"
    out = str(tmp_path / "o.gguf")
    assert main(["--adapter", lora, "--base", str(tmp_path), "--out", out]) == 2
    assert "has no config that can be read" in capsys.readouterr().err
