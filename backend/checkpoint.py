"""A model or an adapter in safetensors: where and what it is, and how large. Knows no torch."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from backend.base import NotReady
from backend.fetching import Fetching
from backend.hub import HubFile, NotOnHub, fetch
from settings import MODEL_COMMIT, MODEL_ID, Settings

NONE = "none"
"""The ADAPTER_ID of who wants no adapter."""
MERGED = "merge_report.json"
"""`python -m training.merge` leaves it in what it wrote."""
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
HEADER_LIMIT = 100_000_000
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4}


@dataclass(frozen=True, slots=True)
class Place:
    """What a variable names: a folder of this disk, or a repository of the hub."""

    variable: str
    name: str
    revision: str | None = None

    @property
    def folder(self) -> Path | None:
        path = Path(self.name).expanduser()
        return path if path.is_dir() else None

    @property
    def label(self) -> str:
        """As a person would name it; no path."""
        return Path(self.name).name


def model_place(settings: Settings) -> Place:
    """At the revision that is set; the default model of the hub at the one it was trained on."""
    place = Place("MODEL", settings.model_id, settings.model_revision)
    default = place.name == MODEL_ID and place.folder is None
    return replace(place, revision=MODEL_COMMIT) if default and not place.revision else place


def adapter_place(settings: Settings) -> Place | None:
    if settings.adapter_id.lower() == NONE:
        return None
    return Place("ADAPTER", settings.adapter_id, settings.adapter_revision)


def obtain(place: Place, file: str, settings: Settings, fetching: Fetching) -> tuple[Path, str]:
    """`file` of it, or with "" its folder of weights; and the commit, "" for a folder of this disk.

    Raises `NotReady` and `Cancelled`.
    """
    if (folder := place.folder) is not None:
        if place.revision:
            raise NotReady(
                f"{place.variable}_ID is a folder, which has no revision: leave "
                f"{place.variable}_REVISION empty."
            )
        if file and not (folder / file).is_file():
            raise NotReady(f"{place.variable}_ID is {place.label}, which has no {file}.")
        return folder / file, ""
    if place.name.startswith((".", "/", "~")) or place.name.count("/") != 1:
        raise NotReady(
            f"{place.variable}_ID is {place.label}: no such folder, and no name of the hub "
            "(owner/name)."
        )
    try:
        return fetch(HubFile(place.name, file, place.revision), fetching, settings.hf_token)
    except NotOnHub as error:
        at = f" at revision {place.revision}" if place.revision else ""
        raise NotReady(f"{place.name}{at} could not be fetched: {error}.") from None


def read_config(path: Path, place: Place) -> dict[str, Any]:
    """A JSON object. Raises `NotReady`."""
    try:
        found: object = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise NotReady(f"{place.variable}_ID is {place.label}, whose {path.name} cannot be read.")
    return cast("dict[str, Any]", found)


def check_model(folder: Path, place: Place) -> None:
    """Whether every file of weights is there, whole, and in safetensors. Raises `NotReady`."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        files = set(
            cast("dict[str, str]", read_config(index, place).get("weight_map") or {}).values()
        )
        missing = sorted(file for file in files if not (folder / file).is_file())
        if missing:
            raise NotReady(
                f"{place.label} lacks {missing[0]} ({len(missing)} of {len(files)} files of "
                "weights): fetch it again."
            )
    elif not any(folder.glob("*.safetensors")):
        raise NotReady(
            f"{place.label} has no weights in safetensors. Other forms, such as .bin, can run "
            "code when they are opened, and are not: convert it, or choose another."
        )
    for file in folder.glob("*.safetensors"):
        _header(file)


def gpu_bytes(folder: Path, *, unpacked: bool) -> int:
    """What the weights take in memory; `unpacked` counts MXFP4 as bf16. Raises `NotReady`."""
    total = 0
    for name, kind, shape in _tensors(folder):
        count = math.prod(shape)
        if unpacked and name.endswith("_scales"):
            continue
        if unpacked and name.endswith("_blocks"):
            total += count * 4  # each byte holds two numbers
        else:
            total += count * BYTES.get(kind, 1)
    return total


def tensor_names(file: Path) -> set[str]:
    """Of one safetensors file. Raises `NotReady`."""
    return set(_header(file))


def _tensors(folder: Path) -> Iterator[tuple[str, str, list[int]]]:
    for file in sorted(folder.glob("*.safetensors")):
        for name, about in _header(file).items():
            yield name, about["dtype"], about["shape"]


def _header(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            length = struct.unpack("<Q", opened.read(8))[0]
            if length > HEADER_LIMIT:
                raise ValueError
            found: dict[str, Any] = json.loads(opened.read(length))
        ends = max((about["data_offsets"][1] for name, about in found.items() if name[:2] != "__"))
        if file.stat().st_size != 8 + length + ends:
            raise ValueError
    except (OSError, ValueError, struct.error, KeyError, TypeError):
        raise NotReady(f"{file.name} is cut off or no safetensors: fetch it again.") from None
    found.pop("__metadata__", None)
    return found
