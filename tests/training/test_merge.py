"""The exact merge, on a gpt-oss of two layers with experts in MXFP4, and on a plain llama."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from tests.conftest import ROOT  # noqa: E402
from tests.tiny_gpt_oss import TARGETS, adapter, checkpoint  # noqa: E402
from training.adapter import AdapterError  # noqa: E402
from training.merge import MergeError, Plan, main, merge, plan  # noqa: E402
from training.shards import ShardError, read_tensors  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("base"))


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    return adapter(tmp_path / "adapter")


def tensors(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in sorted(folder.glob("*.safetensors")):
        found |= load_file(file)
    return found


def edit(lora: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = load_file(lora / "adapter_model.safetensors")
    change(content)
    save_file(content, lora / "adapter_model.safetensors")


def configure(lora: Path, **values: object) -> None:
    file = lora / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_only_the_attention_changes_and_by_exactly_the_delta(
    base: Path, lora: Path, tmp_path: Path
) -> None:
    merge(plan(base, lora, tmp_path / "out"))
    before, after, learned = tensors(base), tensors(tmp_path / "out"), tensors(lora)
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    wanted = {f"model.layers.{n}.self_attn.{kind}.weight" for n in (0, 1) for kind in TARGETS}
    assert changed == wanted
    for name in wanted:
        key = "base_model.model." + name.removesuffix(".weight")
        a, b = learned[f"{key}.lora_A.weight"], learned[f"{key}.lora_B.weight"]
        exact = before[name].double() + 16 / 8 * (b.double() @ a.double())
        # One rounding to bf16 of what doubles give; fp32 may fall to the other side of a tie.
        apart = (after[name].double() - exact).abs()
        assert bool((apart <= exact.abs() * 2**-8 * 1.01 + 1e-9).all()), name
        assert after[name].dtype == torch.bfloat16


def test_the_files_keep_their_size_and_their_experts_their_bytes(
    base: Path, lora: Path, tmp_path: Path
) -> None:
    merge(plan(base, lora, tmp_path / "out"))
    for file in base.iterdir():
        assert (tmp_path / "out" / file.name).stat().st_size == file.stat().st_size
    with safe_open(tmp_path / "out" / "model-00000-of-00001.safetensors", "pt") as opened:
        packed = [name for name in opened.keys() if name.endswith("_blocks")]  # noqa: SIM118
        assert packed
        assert all(opened.get_tensor(name).dtype == torch.uint8 for name in packed)


def test_the_merged_model_says_what_base_and_adapter_say_together(
    base: Path, lora: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    given = ["--base", str(base), "--adapter", str(lora), "--out", str(out), "--check-logits"]
    assert main(given) == 0
    report = json.loads((out / "merge_report.json").read_text())
    logits = report["logits"]
    assert 0 < logits["merged_to_adapter"] < 0.5 * logits["base_to_adapter"]
    assert "8 tensors changed" in capsys.readouterr().out
    for name, tensor in read_tensors(base).items():
        content = (base / tensor.file).read_bytes()[tensor.start : tensor.start + tensor.size]
        assert report["base_hashes"][name] == hashlib.sha256(content).hexdigest()


def test_a_plain_model_in_one_file_is_merged_as_peft_merges_it(tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(5)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(tmp_path / "llama")
    targets = ["q_proj", "v_proj", "gate_proj", "down_proj"]
    tuned: Any = get_peft_model(
        model,
        LoraConfig(r=4, lora_alpha=8, target_modules=targets, use_rslora=True),
    )
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    tuned.save_pretrained(tmp_path / "lora")
    merge(plan(tmp_path / "llama", tmp_path / "lora", tmp_path / "out"))
    ours = LlamaForCausalLM.from_pretrained(tmp_path / "out").state_dict()
    for name, theirs in tuned.merge_and_unload().state_dict().items():
        torch.testing.assert_close(ours[name], theirs, rtol=1e-6, atol=1e-7)


def gone(content: dict[str, Any]) -> None:
    del content["base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"]


def extra(content: dict[str, Any]) -> None:
    content["base_model.model.model.layers.7.self_attn.q_proj.lora_A.weight"] = torch.ones(8, 64)
    content["base_model.model.model.layers.7.self_attn.q_proj.lora_B.weight"] = torch.ones(128, 8)


def misshapen(content: dict[str, Any]) -> None:
    content["base_model.model.model.layers.0.self_attn.o_proj.lora_B.weight"] = torch.ones(65, 8)


def unknown(content: dict[str, Any]) -> None:
    content["base_model.model.lm_head.weight"] = torch.ones(8, 64)


@pytest.mark.parametrize(
    ("change", "said"),
    [(gone, "lacks the other"), (extra, "no model.layers.7"), (misshapen, "65 x 128"),
     (unknown, "no LoRA matrix")],
)  # fmt: skip
def test_matrices_that_do_not_fit_are_refused_before_anything_is_written(
    change: Callable[[dict[str, Any]], object], said: str, base: Path, lora: Path, tmp_path: Path
) -> None:
    edit(lora, change)
    with pytest.raises(AdapterError, match=said):
        plan(base, lora, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]


@pytest.mark.parametrize(
    ("values", "said"),
    [({"r": 4}, "rank 4"), ({"use_dora": True}, "use_dora"), ({"bias": "all"}, "bias"),
     ({"modules_to_save": ["lm_head"]}, "modules_to_save"), ({"peft_type": "IA3"}, "IA3"),
     ({"rank_pattern": {"q_proj": 4}}, "rank_pattern")],
)  # fmt: skip
def test_a_config_that_cannot_be_merged_exactly_is_refused(
    values: dict[str, object], said: str, base: Path, lora: Path, tmp_path: Path
) -> None:
    configure(lora, **values)
    with pytest.raises(AdapterError, match=said):
        plan(base, lora, tmp_path / "out")


def test_an_adapter_of_another_base_is_refused_by_name(
    base: Path, lora: Path, tmp_path: Path
) -> None:
    configure(lora, base_model_name_or_path="openai/gpt-oss-120b")
    with pytest.raises(MergeError, match="trained on openai/gpt-oss-120b"):
        plan(base, lora, tmp_path / "out", "openai/gpt-oss-20b")
    plan(base, lora, tmp_path / "out")  # a folder has no name to compare


def test_gpt_oss_20b_must_change_in_exactly_96_tensors(base: Path, tmp_path: Path) -> None:
    config = json.loads((base / "config.json").read_text()) | {"num_hidden_layers": 24}
    real = tmp_path / "real"
    real.mkdir()
    for file in base.iterdir():
        (real / file.name).symlink_to(file)
    (real / "config.json").unlink()
    (real / "config.json").write_text(json.dumps(config))
    with pytest.raises(MergeError, match="changes 8 tensors; for gpt-oss-20b it must be 96"):
        plan(real, adapter(tmp_path / "lora"), tmp_path / "out")


def test_an_adapter_that_was_never_trained_is_refused_and_nothing_is_left(
    base: Path, lora: Path, tmp_path: Path
) -> None:
    edit(lora, lambda content: [t.zero_() for name, t in content.items() if "lora_B" in name])
    with pytest.raises(MergeError, match="was it trained"):
        merge(plan(base, lora, tmp_path / "out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]


def test_a_folder_that_holds_something_is_never_written_into(
    base: Path, lora: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(MergeError, match="there already"):
        plan(base, lora, tmp_path / "out")
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"


def test_a_shard_that_was_cut_off_is_refused(base: Path, lora: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    cut.mkdir()
    for file in base.iterdir():
        (cut / file.name).write_bytes(file.read_bytes())
    shard = cut / "model-00001-of-00001.safetensors"
    os.truncate(shard, shard.stat().st_size - 1)
    with pytest.raises(ShardError, match="fetch it again"):
        plan(cut, lora, tmp_path / "out")


def test_weights_that_are_no_safetensors_are_refused(lora: Path, tmp_path: Path) -> None:
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"\x80\x02.")
    with pytest.raises(ShardError, match="only safetensors"):
        plan(tmp_path / "pickled", lora, tmp_path / "out")


def command(base: Path, lora: Path, out: Path) -> list[str]:
    given = ["--base", str(base), "--adapter", str(lora), "--out", str(out)]
    return [sys.executable, "-m", "training.merge", *given]


def test_killed_at_any_moment_it_leaves_no_folder_that_passes_for_whole(
    base: Path, lora: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    began = time.monotonic()
    subprocess.run(command(base, lora, tmp_path / "first"), cwd=ROOT, check=True)
    whole = time.monotonic() - began
    for share in (0.5, 0.7, 0.8, 0.9, 0.95):
        running = subprocess.Popen(command(base, lora, out), cwd=ROOT)
        time.sleep(share * whole)
        running.send_signal(signal.SIGKILL)
        running.wait()
        if out.exists():  # it was quicker this time: then it is whole
            assert tensors(out).keys() == tensors(base).keys()
            assert (out / "merge_report.json").exists()
            break
    if not out.exists():
        subprocess.run(command(base, lora, out), cwd=ROOT, check=True)
    assert not out.with_name("out.partial").exists()


def test_a_full_disk_gives_one_sentence_and_leaves_nothing(
    base: Path, lora: Path, tmp_path: Path
) -> None:
    limited = ["bash", "-c", 'trap "" XFSZ; ulimit -f 1000; exec "$@"', "-"]
    out = tmp_path / "out"
    ended = subprocess.run(
        [*limited, *command(base, lora, out)],
        cwd=ROOT,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (2, "Nothing was merged: the disk is full.\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]


def test_bad_names_get_one_sentence(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--base", str(base), "--adapter", "./nowhere", "--out", str(tmp_path / "o")]) == 2
    assert (
        capsys.readouterr().err
        == "./nowhere is no folder here and no name of the hub (owner/name).\n"
    )


def test_planning_changes_nothing(base: Path, lora: Path, tmp_path: Path) -> None:
    planned: Plan = plan(base, lora, tmp_path / "deep" / "out")
    assert len(planned.adapter.deltas) == 8
    assert not (tmp_path / "deep" / "out").exists()
