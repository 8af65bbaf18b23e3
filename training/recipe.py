"""A recipe: the whole of an experiment in one YAML file, read strictly.

Knows no library of training. An unknown key, a missing one or a value of the wrong kind is refused
with one sentence, because a misspelt rate would otherwise train with the default in silence.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast


class RecipeError(ValueError):
    """A recipe that cannot be used, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Base:
    """The model that is adapted, and how its prompts are written."""

    model: str
    """On the hub, a folder, or `package:<module>/<file>.gguf` for one inside a Python package."""
    revision: str | None = None
    format: Literal["harmony", "text"] = "harmony"
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    name_on_hub: str | None = None
    """Where `model` is none: for the card."""


@dataclass(frozen=True, slots=True)
class Lora:
    """Hu et al. 2021, LoRA: Low-Rank Adaptation of Large Language Models."""

    rank: int
    targets: tuple[str, ...]
    alpha: int
    dropout: float = 0.0


@dataclass(frozen=True, slots=True)
class Train:
    """How long, how fast, and in what portions. `length` is in tokens, `batch` in rows a device."""

    learning_rate: float
    batch: int
    accumulation: int
    epochs: int
    length: int
    schedule: str
    warmup_ratio: float
    optimizer: str
    weight_decay: float
    max_grad_norm: float
    seed: int
    checkpointing: bool
    eval_steps: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from: a set on the hub, or a JSONL file or folder of them.

    `reasoning` is said for rows that have none; `rows` are drawn with the recipe's seed; `fields`
    gives the set's own names of question, reasoning and answer, with dots where they lie inside
    another. `optional` files of an evaluation are done without where they are not there. `origin`,
    where a file's rows come from, and `license` are for the card.
    """

    hub: str | None = None
    jsonl: str | None = None
    config: str | None = None
    revision: str | None = None
    split: str = "train"
    rows: int | None = None
    repeat: int = 1
    fields: dict[str, str] = field(default_factory=dict[str, str])
    reasoning: str | None = None
    optional: bool = False
    origin: str | None = None
    license: str | None = None

    @property
    def name(self) -> str:
        return self.hub or self.jsonl or "a source without a name"


@dataclass(frozen=True, slots=True)
class Expect:
    """Parameters that the model must have."""

    trainable: int
    all: int


@dataclass(frozen=True, slots=True)
class Needs:
    """What the machine must have, in units of 10^9 bytes. A GPU of 0 GB is none."""

    gpu_gb: float
    ram_gb: float
    disk_gb: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what comes out, but the code's commit."""

    name: str
    base: Base
    lora: Lora
    train: Train
    data: tuple[Source, ...]
    evaluation: tuple[Source, ...]
    similarity: float
    heldout: int
    expect: Expect | None
    needs: Needs
    license: str | None = None
    """Of the adapter; for the card, and so is `ours`: the choices that the original card is silent
    about, by their keys. Without an original card there is none."""
    ours: tuple[str, ...] = ()


def read_recipe(path: Path) -> Recipe:
    """The recipe in the file `path`. Raises `RecipeError`."""
    import yaml  # not in the web install; whoever asks for help there gets it

    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise RecipeError(f"{path.name} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise RecipeError(f"{path.name} is no valid YAML.") from None
    recipe = cast("Recipe", _build(Recipe, content, path.name))
    for source in (*recipe.data, *recipe.evaluation):
        if (source.hub is None) == (source.jsonl is None):
            raise RecipeError(f"{path.name}: a source has either `hub` or `jsonl`.")
    if any(source.optional for source in recipe.data):
        raise RecipeError(f"{path.name}: only an evaluation's files may be optional.")
    if not recipe.data:
        raise RecipeError(f"{path.name}: data names no source.")
    return recipe


def _build(kind: Any, content: object, where: str) -> Any:
    """`content` as `kind`, checked to the last leaf."""
    if dataclasses.is_dataclass(kind):
        return _fields(cast("type", kind), content, where)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        if content is None:
            return None
        return _build(inner[0], content, where)
    if origin is Literal:
        if content not in inner:
            raise RecipeError(f"{where} is {content!r}; it must be one of {', '.join(inner)}.")
        return content
    if origin is tuple:
        if not isinstance(content, list):
            raise RecipeError(f"{where} must be a list.")
        items = cast("list[object]", content)
        return tuple(_build(inner[0], item, f"{where}[{n}]") for n, item in enumerate(items))
    if origin is dict:
        if not isinstance(content, dict):
            raise RecipeError(f"{where} must be a mapping of names to names.")
        return {str(k): str(v) for k, v in cast("dict[object, object]", content).items()}
    if kind is float and type(content) is int:
        return float(content)
    if type(content) is not kind:
        raise RecipeError(f"{where} is {content!r}; it must be of the kind {kind.__name__}.")
    return content


def _fields(kind: type, content: object, where: str) -> Any:
    if not isinstance(content, dict):
        raise RecipeError(f"{where} must have keys.")
    given = cast("dict[str, object]", content)
    hints = typing.get_type_hints(kind)
    known = {f.name: f for f in dataclasses.fields(kind)}
    if unknown := sorted(map(str, set(given) - set(known))):
        raise RecipeError(f"{where} has an unknown key, {unknown[0]!r}.")
    values: dict[str, Any] = {}
    for name, f in known.items():
        if name in given:
            values[name] = _build(hints[name], given[name], f"{where}: {name}")
        elif f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise RecipeError(f"{where} has no {name!r}.")
    return kind(**values)
