"""What the page is told of an embedded model, before it is loaded and after."""

from __future__ import annotations

from pathlib import Path

from backend import hub
from backend.adapter_file import chosen, shipped
from backend.base import BackendInfo, NotReady, Option, Options, versioned
from backend.gguf_header import Header, read_header
from backend.model_file import ModelFile, default_file
from settings import Settings

HARMONY_ARCHITECTURE = "gpt-oss"
"""Of models that write harmony themselves, as `general.architecture` in the file says."""
SMALL = 3_000_000_000
"""Parameters. What a smaller model says about medicine is not to be trusted at all."""

DEFAULT = Header(kind="model", architecture="llama", context=8_192, parameters=134_515_008)
UNKNOWN = Header(kind="model", architecture="", context=0, parameters=0)


def speaks_harmony(header: Header) -> bool:
    return header.architecture == HARMONY_ARCHITECTURE


def context_of(header: Header) -> int:
    """The tokens one conversation gets.

    4,096 hold the longest question and several answers; of the default model's they take 71 MB.
    A model that thinks at length needs twice that.
    """
    wanted = 8_192 if speaks_harmony(header) else 4_096
    return min(header.context or wanted, wanted)


def describe(file: ModelFile, header: Header, adapter: ModelFile | None) -> BackendInfo:
    files = [file] if adapter is None else [file, adapter]
    context = context_of(header)
    # gpt-oss is meant to be sampled as it is; the small model says less nonsense when held short.
    held = Options(max_new_tokens=768, temperature=0.3, top_p=0.95)
    free = Options(max_new_tokens=2_048, temperature=1.0, top_p=1.0)
    return BackendInfo(
        name="embedded",
        model="+".join(each.name for each in files),
        revision="+".join(each.revision for each in files if each.revision),
        context_window=context,
        max_new_tokens=context // 2,
        honours=frozenset(Option),
        defaults=free if speaks_harmony(header) else held,
        unreliable=header.parameters < SMALL,
        base=None if adapter is None else file.name,
        base_revision=file.revision,
        continues=True,
        adapter="" if adapter is None else versioned(adapter.name, adapter.revision),
    )


def expected(settings: Settings) -> BackendInfo:
    """The same from the settings alone: nothing is fetched, and nothing raised."""
    file, header = _expected_model(settings)
    try:
        adapter = chosen(settings) or shipped(settings, file)
    except NotReady:
        adapter = None
    return describe(file, header, adapter)


def _expected_model(settings: Settings) -> tuple[ModelFile, Header]:
    value = settings.embedded_model
    if value is None:
        return default_file(Path()), DEFAULT
    wanted = hub.parse(value)
    path = Path(wanted.file if wanted else value).expanduser()
    revision = (wanted.revision or "") if wanted else ""
    try:
        header = read_header(path) if wanted is None else UNKNOWN
    except NotReady:
        header = UNKNOWN
    return ModelFile(path, path.stem, revision[:12]), header
