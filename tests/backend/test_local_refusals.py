"""What the local backend will not load, and the sentence for each: row 87 before a question.

What is wrong is made for real. Only what a GPU says of itself is put in torch's mouth.
"""

from __future__ import annotations

import json
import re
import struct
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
import torch
from safetensors.torch import load_file, save_file

from backend import mxfp4
from backend.base import NotReady, Ready, Waking
from backend.local import LocalBackend
from chat.events import Stage
from settings import Settings
from tests.backend.tiny_hub import COMMIT, REPO, hub_of
from tests.tiny_gpt_oss import adapter, checkpoint

SHARD, SECOND = "model-00000-of-00001.safetensors", "model-00001-of-00001.safetensors"


def why(device: str = "cpu", **settings: Any) -> str:
    """The owner's sentence for a load that fails. No path and nothing of torch is in it."""
    given = {"adapter_id": "none", **settings}
    with closing(LocalBackend(Settings(**given), device=device, context=512)) as backend:
        with pytest.raises(NotReady) as raised:
            backend._loading.wait(60.0)  # pyright: ignore[reportPrivateUsage]
        said = str(raised.value)
    assert "/tmp" not in said  # noqa: S108
    assert "Traceback" not in said
    return said


@pytest.fixture
def folder(local_folder: Path, tmp_path: Path) -> Path:
    """The whole model, to be damaged."""
    made = tmp_path / "tiny"
    made.mkdir()
    for file in local_folder.iterdir():
        (made / file.name).symlink_to(file)
    return made


def rewrite(file: Path, content: bytes) -> None:
    file.unlink()
    file.write_bytes(content)


def change_config(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    config = json.loads(file.read_text())
    rewrite(file, json.dumps(config | changes).encode())


def pickled_only(folder: Path) -> None:
    for file in folder.glob("*.safetensors*"):
        file.unlink()
    torch.save({}, folder / "pytorch_model.bin")


def without_a_file(folder: Path) -> None:
    (folder / SECOND).unlink()


def without_a_tensor(folder: Path) -> None:
    tensors = load_file(folder / SHARD)
    del tensors["lm_head.weight"]
    (folder / SHARD).unlink()
    save_file(tensors, folder / SHARD, {"format": "pt"})


def with_a_tensor_of_another_shape(folder: Path) -> None:
    tensors = load_file(folder / SECOND)
    name = next(name for name in tensors if name.endswith("q_proj.weight"))
    tensors[name] = tensors[name][:-2].contiguous()
    (folder / SECOND).unlink()
    save_file(tensors, folder / SECOND, {"format": "pt"})


def with_what_is_no_number(folder: Path) -> None:
    tensors = load_file(folder / SHARD)
    tensors["lm_head.weight"][7] = float("nan")
    (folder / SHARD).unlink()
    save_file(tensors, folder / SHARD, {"format": "pt"})


def cut_off(folder: Path) -> None:
    rewrite(folder / SHARD, (folder / SHARD).read_bytes()[:-100])


def no_safetensors_inside(folder: Path) -> None:
    rewrite(folder / SHARD, struct.pack("<Q", 2**60) + b"no header")


def without_a_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def with_another_tokenizer(folder: Path) -> None:
    rewrite(folder / "tokenizer.json", b"{}")


def of_another_kind(folder: Path) -> None:
    change_config(folder, model_type="llama")


def quantised_otherwise(folder: Path) -> None:
    change_config(folder, quantization_config={"quant_method": "bitsandbytes"})


def without_a_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def with_a_damaged_config(folder: Path) -> None:
    rewrite(folder / "config.json", b'{"model_type":')


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (pickled_only, "no weights in safetensors.*can run code"),
        (without_a_file, f"tiny lacks {SECOND} .1 of 2 files.*fetch it again"),
        (without_a_tensor, "tiny lacks weights.*lm_head.weight.*fetch it again"),
        (with_a_tensor_of_another_shape, "does not compute.*do not belong together"),
        (with_what_is_no_number, "logits are not finite: its weights are damaged"),
        (cut_off, "cut off or no safetensors: fetch it again"),
        (no_safetensors_inside, "cut off or no safetensors: fetch it again"),
        (without_a_tokenizer, "tokenizer.json is missing or damaged"),
        (with_another_tokenizer, "tokenizer.json is missing or damaged"),
        (of_another_kind, "of the kind 'llama'; this backend runs gpt_oss.*BACKEND=remote"),
        (quantised_otherwise, "tiny is quantised, and not in MXFP4"),
        (without_a_config, "MODEL_ID is tiny, which has no config.json"),
        (with_a_damaged_config, "MODEL_ID is tiny, whose config.json cannot be read"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_model_that_is_not_whole_or_not_safe_is_refused(
    folder: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    damage(folder)
    assert re.search(sentence, why(model_id=str(folder)))


def test_code_that_comes_with_a_model_is_never_run(folder: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Evil: pass\n")
    change_config(folder, auto_map={"AutoModelForCausalLM": "evil.Evil", "AutoConfig": "evil.Evil"})
    with closing(
        LocalBackend(Settings(model_id=str(folder), adapter_id="none"), device="cpu", context=512)
    ) as backend:
        assert backend._loading.wait(60.0) is not None  # pyright: ignore[reportPrivateUsage]
    assert not ran.exists()


def test_places_that_are_none_are_told_apart(folder: Path) -> None:
    model = str(folder)
    assert "no such folder" in why(model_id="./nowhere")
    assert "a folder, which has no revision" in why(model_id=model, model_revision=COMMIT)
    assert "ADAPTER_ID is nowhere: no such folder" in why(model_id=model, adapter_id="./nowhere")
    (folder / "merge_report.json").write_text("{}")
    assert "set ADAPTER_ID=none" in why(model_id=model, adapter_id=str(folder))


def config_says_another_rank(where: Path) -> None:
    file = where / "adapter_config.json"
    file.write_text(file.read_text().replace('"r": 8', '"r": 4'))


def one_tensor_too_few(where: Path) -> None:
    tensors = load_file(where / "adapter_model.safetensors")
    tensors.pop(next(iter(tensors)))
    save_file(tensors, where / "adapter_model.safetensors")


def one_tensor_too_many(where: Path) -> None:
    tensors = load_file(where / "adapter_model.safetensors")
    tensors["base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight"] = torch.ones(8, 64)
    save_file(tensors, where / "adapter_model.safetensors")


def pickled(where: Path) -> None:
    (where / "adapter_model.safetensors").rename(where / "adapter_model.bin")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (config_says_another_rank, "could not be applied.*damaged, or of another model"),
        (one_tensor_too_few, "15 tensors and its config asks for 16"),
        (one_tensor_too_many, "17 tensors and its config asks for 16"),
        (pickled, "no adapter_model.safetensors.*can run code"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_adapter_that_does_not_fit_is_refused(
    folder: Path, tmp_path: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    where = adapter(tmp_path / "delta")
    damage(where)
    assert re.search(sentence, why(model_id=str(folder), adapter_id=str(where)))


def test_the_hub_s_model_is_fetched_at_its_revision_and_no_other_is_taken(
    local_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (published := tmp_path / "published").mkdir()
    for file in local_folder.iterdir():
        (published / file.name).symlink_to(file)
    (published / "pytorch_model.bin").write_bytes(b"never fetched")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    with hub_of(published) as hub:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.server_port}")
        said = why(model_id=REPO, model_revision="0" * 40)
        assert said.startswith(
            f"{REPO} at revision {'0' * 40} could not be fetched: the hub has no"
        )
        given = Settings(model_id=REPO, model_revision=COMMIT, adapter_id="none")
        with closing(LocalBackend(given, device="cpu", context=512)) as backend:
            stages = {Stage.LOADING}
            while not isinstance(status := backend.status(), Ready):
                assert isinstance(status, Waking)
                time.sleep(0.01)
                stages.add(status.stage)
            assert backend.info.revision == COMMIT[:12]
    assert Stage.FETCHING in stages
    assert any(path.endswith(SHARD) for path in hub.asked)
    assert not any(path.endswith(".bin") for path in hub.asked)


def test_a_merged_model_of_the_hub_gets_no_adapter_a_second_time_on_its_first_start_either(
    local_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When only its config was fetched, what the merge left beside it is not here yet."""
    (published := tmp_path / "published").mkdir()
    for file in local_folder.iterdir():
        (published / file.name).symlink_to(file)
    (published / "merge_report.json").write_text("{}")
    lora = adapter(tmp_path / "lora")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    with hub_of(published) as hub:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.server_port}")
        for _ in ("on the first start", "and on the next"):
            said = why(model_id=REPO, model_revision=COMMIT, adapter_id=str(lora))
            assert said == "MODEL_ID is merged with its adapter already: set ADAPTER_ID=none."


def test_the_commit_of_an_adapter_that_nobody_pinned_is_told(
    local_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    lora = adapter(tmp_path / "lora")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    with hub_of(lora) as hub:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.server_port}")
        for revision in (None, COMMIT):
            given = Settings(model_id=str(local_folder), adapter_id=REPO, adapter_revision=revision)
            caplog.clear()
            with closing(LocalBackend(given, device="cpu", context=512)) as backend:
                assert backend.info.revision == (revision or "")[:12]
                backend._loading.wait(60.0)  # pyright: ignore[reportPrivateUsage]
                assert backend.info.revision == COMMIT[:12]
                assert backend.info.adapter.endswith(f"@{COMMIT[:12]}")
            told = f"the newest {REPO} was taken: set it to {COMMIT} to stay" in caplog.text
            assert told == (revision is None)


def test_without_a_gpu_it_says_so_before_anything_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "torch sees no CUDA GPU" in why("cuda", model_id="owner/never-asked-for")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An H100 with little of its memory free, as far as torch tells."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1_400_000_000, 80_000_000_000))
    return monkeypatch


OFFER = "vLLM behind BACKEND=remote, or gpt-oss as a GGUF in the embedded backend"


def test_without_mxfp4_s_kernel_nothing_is_loaded_and_what_works_is_offered(
    gpu: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The weights are left out: looking for them first would give another sentence."""
    checkpoint(tmp_path / "tiny")
    for file in (tmp_path / "tiny").glob("*.safetensors*"):
        file.unlink()
    gpu.setattr(mxfp4, "_installed", {"triton": "3.7.0", "kernels": "0.17.2"}.get)
    gpu.setenv("HF_HUB_OFFLINE", "1")
    said = why("cuda", model_id=str(tmp_path / "tiny"))
    assert "in MXFP4, but its kernel kernels-community/gpt-oss-triton-kernels" in said
    assert OFFER in said
    gpu.setattr(mxfp4, "_installed", {"triton": "3.7.0"}.get)
    said = why("cuda", model_id=str(tmp_path / "tiny"))
    assert "the package kernels is not installed" in said
    assert OFFER in said


@pytest.mark.parametrize(
    ("capability", "triton", "kernels", "sentence"),
    [
        ((7, 0), "3.7.0", "0.17.2", "compute capability is 7.0, and 7.5 is needed"),
        ((9, 0), None, "0.17.2", "Triton is not installed"),
        ((9, 0), "3.3.1", "0.17.2", "Triton is 3.3.1"),
        ((9, 0), "3.7.0", "0.18.2", "kernels is 0.18.2, and 0.17.2 or newer below 0.18.0"),
        ((9, 0), "3.7.0", "0.9.0", "kernels is 0.9.0"),
        ((7, 5), "3.4.0", "0.17.2", None),
        ((9, 0), "3.10.0+cu130", "0.17.10", None),
    ],
)
def test_what_mxfp4_needs_is_known_without_trying(
    capability: tuple[int, int], triton: str | None, kernels: str | None, sentence: str | None
) -> None:
    said = mxfp4.lacking(capability, triton, kernels, ("0.17.2", "0.18.0"))
    assert (sentence is None) == (said is None)
    assert (sentence or "") in (said or "")


def test_the_pinned_kernels_are_those_that_the_pinned_transformers_takes() -> None:
    pins = Path("requirements-local.txt").read_text()
    pinned = re.search(r"^kernels==(\S+)$", pins, re.MULTILINE)
    assert pinned is not None
    assert mxfp4.lacking((9, 0), "3.4.0", pinned[1], mxfp4.kernels_range()) is None


def test_a_gpu_with_too_little_free_memory_is_told_before_loading(
    folder: Path, gpu: pytest.MonkeyPatch
) -> None:
    said = why("cuda", model_id=str(folder), unpack_mxfp4=True)
    assert "needs 1.6 GB of GPU memory, and 1.4 GB are free" in said
    assert OFFER in said
