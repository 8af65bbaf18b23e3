"""The exact merge, on a gpt-oss of two layers with experts in MXFP4, and on a plain llama."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from tests.conftest import ROOT  # noqa: E402
from tests.tiny_checkpoints import ANSWERS, COMMIT, cached  # noqa: E402
from tests.tiny_gpt_oss import TARGETS, adapter, checkpoint  # noqa: E402
from training import delta  # noqa: E402
from training.adapter import AdapterError  # noqa: E402
from training.logits import LogitsError, check_room, compare  # noqa: E402
from training.merge import MergeError, Plan, main, merge, plan  # noqa: E402
from training.merged_shard import check  # noqa: E402
from training.shards import ShardError, Tensor, read_tensors  # noqa: E402

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


def copy_of(base: Path, place: Path) -> Path:
    return Path(shutil.copytree(base, place))


@pytest.mark.parametrize("block", [delta.BLOCK, 1_000])
def test_only_the_attention_changes_and_by_exactly_the_delta(
    block: int, base: Path, lora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta, "BLOCK", block)
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


def test_a_sum_between_two_bf16_values_becomes_the_even_one(tmp_path: Path) -> None:
    step = 2.0**-7  # between bf16 values from 1 to 2
    weight = torch.tensor([[1.0, 1 + step, 1.0, -1.0]], dtype=torch.bfloat16)
    tiny_base(tmp_path / "base", weight)
    moves = torch.tensor([[step / 2, step / 2, step * 0.51, -step * 0.49]])
    tiny_lora(tmp_path / "lora", {"p": (moves, torch.ones(1, 1))})
    merge(plan(tmp_path / "base", tmp_path / "lora", tmp_path / "out"))
    found = tensors(tmp_path / "out")["p.weight"]
    assert found.float().tolist() == [[1.0, 1 + 2 * step, 1 + step, -1.0]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.bfloat16])
def test_weights_of_other_dtypes_keep_theirs(dtype: Any, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(9)
    weight = torch.randn(40, 24, generator=generator).to(dtype)
    a, b = (torch.randn(*shape, generator=generator) for shape in ((3, 24), (40, 3)))
    tiny_base(tmp_path / "base", weight)
    tiny_lora(tmp_path / "lora", {"p": (a, b)})
    merge(plan(tmp_path / "base", tmp_path / "lora", tmp_path / "out"))
    found = tensors(tmp_path / "out")["p.weight"]
    assert found.dtype == dtype
    exact = weight.double() + b.double() @ a.double()
    torch.testing.assert_close(found.double(), exact, rtol=torch.finfo(dtype).eps * 0.51, atol=1e-5)


def test_a_sum_that_is_no_number_is_refused(tmp_path: Path) -> None:
    tiny_base(tmp_path / "base", torch.full((2, 2), 6e4, dtype=torch.float16))
    tiny_lora(tmp_path / "lora", {"p": (torch.full((1, 2), 6e4), torch.ones(2, 1))})
    with pytest.raises(delta.DeltaError, match="not finite"):
        merge(plan(tmp_path / "base", tmp_path / "lora", tmp_path / "out"))
    assert not (tmp_path / "out.partial").exists()


def tiny_base(folder: Path, weight: Any) -> None:
    folder.mkdir()
    save_file({"p.weight": weight, "q.weight": weight.clone()}, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")


def tiny_lora(folder: Path, pairs: dict[str, tuple[Any, Any]]) -> None:
    """A and B for each; alpha is the rank, so that the scale is one."""
    folder.mkdir()
    rank = len(next(iter(pairs.values()))[0])
    named = {f"base_model.model.{name}.lora_{m}.weight": pair[m == "B"] for name, pair in
             pairs.items() for m in "AB"}  # fmt: skip
    save_file(named, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "target_modules": list(pairs)}
    (folder / "adapter_config.json").write_text(json.dumps(config))


def test_the_attention_is_what_peft_makes_of_the_unpacked_model(
    base: Path, lora: Path, tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, Mxfp4Config

    merge(plan(base, lora, tmp_path / "out"))
    unpacked = AutoModelForCausalLM.from_pretrained(
        base, dtype=torch.bfloat16, quantization_config=Mxfp4Config(dequantize=True)
    )
    theirs = PeftModel.from_pretrained(unpacked, str(lora)).merge_and_unload().state_dict()
    ours = tensors(tmp_path / "out")
    for n in (0, 1):
        for kind in TARGETS:
            name = f"model.layers.{n}.self_attn.{kind}.weight"
            # peft may round the delta to bf16 first: one step apart, seldom.
            assert float((ours[name] == theirs[name]).float().mean()) > 0.9, name
            torch.testing.assert_close(ours[name], theirs[name], rtol=2**-7, atol=1e-4)


def test_a_model_of_24_layers_changes_in_96_tensors_and_in_no_other_number(
    tmp_path: Path,
) -> None:
    base = checkpoint(tmp_path / "base", layers=24, shards=3)
    report = merge(plan(base, adapter(tmp_path / "lora", layers=24), tmp_path / "out"))
    assert len(report.changed) == 96
    with pytest.raises(AdapterError, match=r"lacks its matrices for model\.layers\.23"):
        plan(base, adapter(tmp_path / "less", layers=23), tmp_path / "other")
    configure(tmp_path / "less", target_modules="all but the last")
    with pytest.raises(MergeError, match="changes 92 tensors; for gpt-oss-20b it must be 96"):
        plan(base, tmp_path / "less", tmp_path / "other")


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
     ({"rank_pattern": {"q_proj": 4}}, "rank_pattern"), ({"alpha_pattern": {"q": 1}}, "alpha_p"),
     ({"fan_in_fan_out": True}, "fan_in"), ({"init_lora_weights": "pissa"}, "pissa"),
     ({"a_setting_of_tomorrow": 3}, "of_tomorrow"), ({"r": "eight"}, "no readable"),
     ({"r": 0}, "rank 0")],
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


def test_a_base_at_another_commit_than_the_adapter_was_trained_on_is_refused(
    base: Path, lora: Path, tmp_path: Path
) -> None:
    configure(lora, revision="a" * 40)
    with pytest.raises(MergeError, match=r"trained on someone/tiny at aaaa.*, and this is bbbb"):
        plan(base, lora, tmp_path / "out", "someone/tiny", "b" * 40)
    plan(base, lora, tmp_path / "out", "someone/tiny", "a" * 40)
    plan(base, lora, tmp_path / "out")  # a folder has no commit to compare
    configure(lora, revision="main")  # a branch says nothing
    plan(base, lora, tmp_path / "out", "someone/tiny", "b" * 40)


def test_an_adapter_is_never_merged_a_second_time(base: Path, lora: Path, tmp_path: Path) -> None:
    once, both = tmp_path / "once", tmp_path / "both"
    merge(plan(base, lora, once))
    with pytest.raises(MergeError, match="once has this adapter in it already"):
        plan(once, lora, tmp_path / "twice")
    merge(plan(once, adapter(tmp_path / "other", seed=2), both))  # another may be added
    with pytest.raises(MergeError, match="both has this adapter in it already"):
        plan(both, lora, tmp_path / "twice")
    (both / "merge_report.json").write_text("{}")
    with pytest.raises(MergeError, match=r"merged before, and its merge_report\.json cannot be"):
        plan(both, lora, tmp_path / "twice")
    assert not (tmp_path / "twice").exists()


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


def test_an_index_that_leads_out_of_its_folder_is_refused(
    base: Path, lora: Path, tmp_path: Path
) -> None:
    index = copy_of(base, tmp_path / "base") / "model.safetensors.index.json"
    index.write_text(index.read_text().replace("model-00000", "../model-00000"))
    with pytest.raises(ShardError, match="cannot be read"):
        plan(tmp_path / "base", lora, tmp_path / "out")


@pytest.mark.parametrize(
    "offsets", [{"a": (0, 4), "b": (8, 12)}, {"a": (0, 8), "b": (4, 12)}, {"a": (0, 12)}],
    ids=["a gap", "an overlap", "a wrong size"],
)  # fmt: skip
def test_a_file_whose_header_does_not_describe_its_bytes_is_refused(
    offsets: dict[str, tuple[int, int]], tmp_path: Path
) -> None:
    header = {n: {"dtype": "F32", "shape": [1], "data_offsets": o} for n, o in offsets.items()}
    raw = json.dumps(header).encode()
    content = len(raw).to_bytes(8, "little") + raw + bytes(12)
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ShardError, match="does not hold"):
        read_tensors(tmp_path)


def test_weights_that_are_no_safetensors_are_refused(lora: Path, tmp_path: Path) -> None:
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"\x80\x02.")
    with pytest.raises(ShardError, match="only safetensors"):
        plan(tmp_path / "pickled", lora, tmp_path / "out")


def command(base: Path, lora: Path, out: Path) -> list[str]:
    given = ["--base", str(base), "--adapter", str(lora), "--out", str(out)]
    return [sys.executable, "-m", "training.merge", *given]


def started(base: Path, lora: Path, out: Path, until: str) -> subprocess.Popen[str]:
    """A merge that has begun to write the file `until`."""
    running = subprocess.Popen(
        command(base, lora, out), cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    file = out.with_name(out.name + ".partial") / until
    limit = time.monotonic() + 60
    while not (file.exists() and file.stat().st_size):
        assert running.poll() is None, running.communicate()[1]
        assert time.monotonic() < limit
        time.sleep(0.0005)
    return running


SHARDS = ["model-00000-of-00001.safetensors", "model-00001-of-00001.safetensors"]


@pytest.mark.parametrize("until", SHARDS)
def test_killed_while_it_writes_it_leaves_nothing_that_passes_for_whole(
    until: str, base: Path, lora: Path, tmp_path: Path
) -> None:
    out, partial = tmp_path / "out", tmp_path / "out.partial"
    running = started(base, lora, out, until)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert partial.exists()
    assert not out.exists()
    (partial / "left over").write_text("from the killed run")
    subprocess.run(command(base, lora, out), cwd=ROOT, check=True)
    assert not partial.exists()
    assert tensors(out).keys() == tensors(base).keys()
    assert not (out / "left over").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_it_writes_it_says_so_and_cleans_up(
    how: signal.Signals, base: Path, lora: Path, tmp_path: Path
) -> None:
    running = started(base, lora, tmp_path / "out", SHARDS[0])
    running.send_signal(how)
    _, said = running.communicate()
    assert (running.returncode, said) == (130, "Stopped; nothing was left behind.\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]


def test_two_merges_into_one_folder_do_not_mix(base: Path, lora: Path, tmp_path: Path) -> None:
    partial = tmp_path / "out.partial"
    partial.mkdir()
    (partial / "half.safetensors").write_text("of the other")
    held = os.open(partial, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        with pytest.raises(MergeError, match="Another merge is writing out"):
            merge(plan(base, lora, tmp_path / "out"))
        assert (partial / "half.safetensors").exists()
    finally:
        os.close(held)


def test_too_little_room_is_seen_before_anything_is_written(
    base: Path, lora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")(10**12, 10**12 - 10**6, 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    with pytest.raises(MergeError, match=r"0\.1 GB are needed on the disk and 0\.0 free"):
        plan(base, lora, tmp_path / "out")


@pytest.mark.parametrize("kind", ["untouched", "changed"])
def test_one_bit_that_is_wrong_in_the_result_is_found(
    kind: str, base: Path, lora: Path, tmp_path: Path
) -> None:
    planned = plan(base, lora, tmp_path / "out")
    merge(planned)
    names = [
        name for name in planned.tensors if (name in planned.adapter.deltas) == (kind[0] == "c")
    ]
    broken = planned.tensors[names[len(names) // 2]]
    check(base, tmp_path / "out", broken, planned.adapter)
    with (tmp_path / "out" / broken.file).open("r+b") as file:
        file.seek(broken.start + broken.size - 2)  # a last bit of the mantissa, in bf16
        before = file.read(1)
        file.seek(broken.start + broken.size - 2)
        file.write(bytes([before[0] ^ 1]))
    with pytest.raises(MergeError, match=broken.name):
        check(base, tmp_path / "out", broken, planned.adapter)


def test_a_merge_that_was_none_does_not_pass_the_check_of_logits(base: Path, lora: Path) -> None:
    with pytest.raises(LogitsError, match="differs from base plus adapter"):
        compare(base, lora, base)


def test_logits_of_more_than_the_memory_are_refused_at_once() -> None:
    packed = Tensor("experts.gate_up_proj_blocks", "U8", (), "", 0, 10**12)
    with pytest.raises(LogitsError, match=r"needs 4000\.0 GB"):
        check_room([packed])


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


@pytest.mark.parametrize("out", [".", "/", "below/.."])
def test_a_place_that_is_no_new_folder_gets_one_sentence(
    out: str, base: Path, lora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--base", str(base), "--adapter", str(lora), "--out", out]) == 2
    said = f"--out {Path(out)} is no name for a new folder: give it one.\n"
    assert capsys.readouterr().err == said


def test_planning_changes_nothing(base: Path, lora: Path, tmp_path: Path) -> None:
    planned: Plan = plan(base, lora, tmp_path / "deep" / "out")
    assert len(planned.adapter.deltas) == 8
    assert not (tmp_path / "deep" / "out").exists()


def test_a_model_of_the_hub_is_named_in_the_report_by_its_commit(tmp_path: Path) -> None:
    cached(tmp_path / "hub", "someone/tiny", "llama", ANSWERS)
    shape = read_tensors(
        tmp_path / "hub" / "models--someone--tiny" / "snapshots" / COMMIT
    )["model.layers.0.self_attn.q_proj.weight"].shape  # fmt: skip
    pair = (torch.ones(2, shape[1]), torch.ones(shape[0], 2))
    tiny_lora(tmp_path / "lora", {"model.layers.0.self_attn.q_proj": pair})
    configure(tmp_path / "lora", base_model_name_or_path="someone/tiny")

    def run(name: str, out: str) -> subprocess.CompletedProcess[str]:
        given = ["--base", name, "--adapter", str(tmp_path / "lora"), "--out", str(tmp_path / out)]
        return subprocess.run(
            [sys.executable, "-m", "training.merge", *given],
            cwd=ROOT,
            env=os.environ | {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    for n, name in enumerate(("someone/tiny", f"someone/tiny@{COMMIT}")):
        ended = run(name, f"out{n}")
        assert ended.returncode == 0, ended.stderr
        report = json.loads((tmp_path / f"out{n}" / "merge_report.json").read_text())
        assert report["base"] == f"someone/tiny@{COMMIT}"
        assert report["command"].startswith(f"python -m training.merge --base {name} ")
        assert report["versions"]["torch"] == torch.__version__
        readable = (tmp_path / f"out{n}" / "merge_report.md").read_text()
        assert f"base: someone/tiny@{COMMIT}" in readable
        assert "1 tensors changed" in readable
    ended = run("someone/tiny@" + "1" * 40, "none")
    assert ended.returncode == 2
    assert ended.stderr.startswith("someone/tiny at revision 1111")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "none").exists()


def test_a_folder_that_is_called_like_a_model_of_the_hub_is_not_compared_by_name(
    base: Path, lora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(lora, base_model_name_or_path="openai/gpt-oss-20b")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "base").symlink_to(base)
    monkeypatch.chdir(tmp_path)
    assert main(["--base", "models/base", "--adapter", "adapter", "--out", "out"]) == 0
