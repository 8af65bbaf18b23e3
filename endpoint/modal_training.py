"""Training and merging on Modal: `modal run endpoint/modal_app.py::train` and `::prepare`.

    train      training/recipe.yaml on a rented GPU. The run lies on the volume `medicalgpt-runs`,
               so that one that is killed goes on
    prepare    base and adapter, at revisions that are pinned, merged into the volume that `serve`
               reads; no GPU

An app of its own: what it needs is built when it is run, and `modal deploy` builds nothing of it.
What runs in the containers are this project's own commands, in processes of their own.
"""

# Modal's decorators are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import modal

HOUR = 3_600
GPU = os.environ.get("TRAIN_GPU") or "A100-80GB"
"""The recipe needs 60 GB. `H100:2` is two of them."""
BASE = "openai/gpt-oss-20b"
BASE_REVISION = "6cee5e81ee83917806bbde320786a8fb61efebee"
"""The recipe's."""
ADAPTER = "dousery/medical-reasoning-gpt-oss-20b"
PACKAGES = (
    "accelerate==1.15.0",
    "datasets==5.2.0",
    "huggingface_hub==2.4.0",
    "matplotlib==3.11.2",
    "peft==0.21.2",
    "pyyaml==6.0.3",
    "safetensors==0.8.0",
    "scikit-learn==1.9.1",
    "torch==2.13.0",
    "transformers==5.22.2",
    "trl==1.16.0",
)
"""Of requirements-train.txt, what training and merging import. A test holds them together."""
MODELS, RUNS = Path("/models"), Path("/runs")
CODE = Path(__file__).resolve().parent.parent
SECRET = "medicalgpt-hub"  # noqa: S105
"""Modal's, with HF_TOKEN in it; asked for only where something private is read or pushed."""
PINNED = re.compile(r"[0-9a-f]{40}")
FOLDER = re.compile(r"[\w-][\w.-]*")
WRONG = 2
"""The exit code of a command that said in one sentence why it cannot."""


def _neither_code_nor_data(path: Path) -> bool:
    return path.suffix not in (".py", ".yaml", ".jsonl")


image = (
    modal.Image.debian_slim(python_version="3.12")
    .uv_pip_install(*PACKAGES)
    .add_local_python_source("endpoint", "chat")
    .add_local_python_source("training", ignore=_neither_code_nor_data)
)
models = modal.Volume.from_name("medicalgpt-models", create_if_missing=True)
runs = modal.Volume.from_name("medicalgpt-runs", create_if_missing=True)
app = modal.App("medicalgpt-training")


@app.function(
    image=image,
    gpu=GPU,
    cpu=8.0,
    memory=32 * 1024,  # MiB
    volumes={str(RUNS): runs},
    max_containers=1,
    timeout=24 * HOUR,  # Modal's longest
    retries=modal.Retries(max_retries=5, initial_delay=10.0),  # each goes on where the last ended
)
def train_on_gpu(words: list[str], recipe: str, text: str, commit: str) -> int:
    """The exit code of `python -m training.train`; raises where another try may go on.

    `text` is the recipe, to be written where `words` look for it.
    """
    Path(recipe).parent.mkdir(parents=True, exist_ok=True)
    Path(recipe).write_text(text, "utf-8")
    code = _run(words, {"MEDICAL_DATA": str(RUNS / "data"), "MEDICALGPT_COMMIT": commit})
    runs.commit()
    if code not in (0, WRONG):
        raise RuntimeError(f"The training ended with {code}; it goes on from its last step.")
    return code


@app.function(
    image=image,
    cpu=4.0,
    memory=4 * 1024,  # MiB; the merge holds one weight at a time
    volumes={str(MODELS): models, str(RUNS): runs.with_mount_options(read_only=True)},
    max_containers=1,
    timeout=2 * HOUR,
    retries=0,
)
def prepare_on_cpu(words: list[str]) -> int:
    """The exit code of `python -m training.merge`. What is not whole is never committed by name:
    the merge gives the folder its name last."""
    code = _run(words, {})
    if code == 0:
        models.commit()
    return code


@app.local_entrypoint()
def train(recipe: str = "training/recipe.yaml", run: str = "", push: str = "") -> None:
    """Train on a rented GPU; the same command again goes on. `--push owner/name`: then the hub."""
    out = RUNS / _folder(run or Path(recipe).stem)
    there = out / Path(recipe).name
    try:
        text = Path(recipe).read_text("utf-8")
    except OSError as error:
        raise SystemExit(f"{recipe} cannot be read: {error.strerror}.") from None
    rented: Any = train_on_gpu
    if push:
        rented = rented.with_options(secrets=[modal.Secret.from_name(SECRET)])
    raise SystemExit(rented.remote(training(there, out, push), str(there), text, _commit()))


@app.local_entrypoint()
def prepare(
    adapter: str = ADAPTER,
    adapter_revision: str = "",
    run: str = "",
    base: str = BASE,
    base_revision: str = BASE_REVISION,
    folder: str = os.environ.get("SERVE_MODEL_FOLDER") or "medicalgpt",
    private: bool = False,
) -> None:
    """Merge into the volume that `serve` reads. `--run NAME` takes the adapter of that run instead
    of the hub's; `--private` reads the hub with the secret's token."""
    source = [str(RUNS / _folder(run) / "adapter")] if run else [adapter, adapter_revision]
    words = merging([base, base_revision], source, MODELS / _folder(folder))
    rented: Any = prepare_on_cpu
    if private:
        rented = rented.with_options(secrets=[modal.Secret.from_name(SECRET)])
    raise SystemExit(rented.remote(words))


def training(recipe: Path, out: Path, push: str = "", gpu: str = GPU) -> list[str]:
    """The command for `gpu`, which is several of them where it ends in `:2` and so on."""
    count = gpu.partition(":")[2] or "1"
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", count]
    words = [
        *(launch if count != "1" else []),
        "-m",
        "training.train",
        str(recipe),
        "--out",
        str(out),
    ]
    return [*words, "--push", push] if push else words


def merging(base: Sequence[str], adapter: Sequence[str], out: Path) -> list[str]:
    """The command. `base` and `adapter` are a name of the hub and its commit, or a folder alone.

    Ends with one sentence where a revision is not pinned: a branch moves.
    """
    words = ["-m", "training.merge", "--out", str(out)]
    for what, (name, *revision) in (("base", base), ("adapter", adapter)):
        words += [f"--{what}", name]
        for commit in revision:
            if not PINNED.fullmatch(commit):
                raise SystemExit(
                    f"--{what}-revision is {commit!r}; it must be the 40 hex digits of a commit of "
                    f"{name}, from its page on the hub."
                )
            words += [f"--{what}-revision", commit]
    return words


def _run(words: Sequence[str], environ: dict[str, str]) -> int:
    # In a process of its own: it takes signals, which only a main thread may.
    ended = subprocess.run(
        [sys.executable, *words], cwd=CODE, env={**os.environ, **environ}, check=False
    )
    return ended.returncode


def _folder(name: str) -> str:
    if not FOLDER.fullmatch(name):
        raise SystemExit(f"{name!r} is no name of a folder: letters, digits, dots and dashes.")
    return name


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()
