"""The adapter's model card, from nothing but the run's own numbers (`run.json`)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.heldout import Estimate

NAME_ON_HUB = re.compile(r"[\w.-]+/[\w.-]+")
CARD = "README.md"
LIMITS = """\
For education and research. **It is not a medical device**: it must not be used to diagnose, to
treat, or to decide whether somebody needs help. Nobody with a medical licence has checked it.

- It was trained to write in the form of its rows: reasoning, then an answer. A lower loss says
  that it writes more like them, not that it is right. It can be wrong with confidence, and in an
  emergency too; what serves it has to recognise emergencies before the model is asked.
- The reasoning is text that the model writes. It need not be why it answers as it does.
- Rows that restate an evaluation's question were looked for by their words alone: some are missed.
- The rows are English, and written by another model in the main. What that model got wrong, and
  whom it overlooks, is in them."""


def write_card(numbers: Mapping[str, Any], run: Path) -> None:
    """In the run's folder and beside the adapter, over the drafts that the trainer leaves there."""
    text = card(numbers)
    for folder in (run, run / "adapter"):
        (folder / CARD).write_text(text, "utf-8")


def card(numbers: Mapping[str, Any]) -> str:
    """Markdown, with the front matter that the hub reads."""
    recipe = numbers["recipe"]
    base, at = _base(recipe["base"])
    return f"""\
---
{_front(recipe, base)}---

# {numbers["name"]}

A LoRA adapter for {base}{at}. It thinks in harmony's `analysis` channel and answers in `final`.

## Limits

{LIMITS}

## Result

{_result(numbers)}

## Data

{_data(numbers)}

## Training

| | |
|---|---|
{_training(numbers)}
{_marked(recipe)}
## Made with

{_made_with(numbers)}
"""


def _base(base: Mapping[str, Any]) -> tuple[str, str]:
    """The base's name on the hub where it has one, and what of it was trained on."""
    name, model, revision = base["name_on_hub"], base["model"], base["revision"]
    at = f" at revision `{revision}`" if revision else ""
    return (name, f", from `{model}`{at}") if name else (model, at)


def _front(recipe: Mapping[str, Any], base: str) -> str:
    """YAML; strings in JSON's form, which YAML reads."""
    names = [source["hub"] or source["origin"] or "" for source in recipe["data"]]
    sets = list(dict.fromkeys(name for name in names if NAME_ON_HUB.fullmatch(name)))
    front: dict[str, Any] = {
        "base_model": base if NAME_ON_HUB.fullmatch(base) else None,
        "base_model_relation": "adapter" if NAME_ON_HUB.fullmatch(base) else None,
        "datasets": sets or None,
        "license": recipe["license"],
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "language": ["en"],
        "tags": ["lora", "medical", "reasoning", "harmony"],
    }
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in front.items() if value)


def _result(numbers: Mapping[str, Any]) -> str:
    found = {name: Estimate(**value) for name, value in numbers["loss"].items()}
    if not found:
        return "No rows were held out: nothing was measured."
    rows = "\n".join(
        f"| {label} | {found[name]} |"
        for name, label in (("base", "base"), ("adapter", "with the adapter"), ("change", "change"))
    )
    return f"""\
Loss on held-out rows, in nats a token of what the assistant writes: the mean over rows (n =
{found["base"].n}) and its 95 % interval (1.96 standard errors).

| | loss |
|---|---|
{rows}

What it says was not scored here."""


def _data(numbers: Mapping[str, Any]) -> str:
    recipe, counted = numbers["recipe"], numbers["rows"]
    sources = "\n".join(f"- {_source(source)}" for source in recipe["data"])
    asked = ", ".join(map(_questions, recipe["evaluation"]))
    seed, length = recipe["train"]["seed"], recipe["train"]["length"]
    return f"""\
{sources}

Drawn, split and shuffled with seed {seed}. Each row that was read is in one of the others:

| rows | |
|---|---|
| read | {counted["read"]:,} |
| left out: asked twice | {counted["repeated"]:,} |
| left out: restates an evaluation's or a held-out question | {counted["paraphrases"]:,} |
| left out: over {length:,} tokens | {counted["too_long"]:,} |
| held out | {counted["heldout"]:,} |
| trained on | {counted["trained"]:,} |

A row counts as a restatement from a word-weighted cosine of {recipe["similarity"]:g} on, against
{asked or "no evaluation set"} and the held-out rows. A row that is too long is left out whole."""


def _source(source: Mapping[str, Any]) -> str:
    parts = [f"`{source['hub'] or Path(source['jsonl']).name}`"]
    if source["config"]:
        parts.append(f"config `{source['config']}`")
    if source["hub"]:
        parts.append(f"split `{source['split']}`")
        parts.append(f"revision `{source['revision']}`" if source["revision"] else "no revision")
    if source["origin"]:
        parts.append(f"from {source['origin']}")
    parts.append(f"licence {source['license'] or 'not stated'}")
    if source["rows"]:
        parts.append(f"{source['rows']:,} rows drawn")
    if source["repeat"] > 1:
        parts.append(f"each {source['repeat']} times")
    return ", ".join(parts)


def _questions(source: Mapping[str, Any]) -> str:
    if not source["hub"]:
        return f"`{source['jsonl']}`"
    at = f"revision `{source['revision']}`" if source["revision"] else "no pinned revision"
    config = f"`{source['config']}`, " if source["config"] else ""
    return f"{source['hub']} ({config}`{source['split']}`, {at})"


def _training(numbers: Mapping[str, Any]) -> str:
    recipe, counted = numbers["recipe"], numbers["parameters"]
    share = counted["trainable"] / counted["all"]
    rows: dict[str, Any] = {
        "parameters": f"{counted['trainable']:,} trainable of {counted['all']:,} ({share:.2%})",
        "base": f"frozen, in {recipe['base']['dtype']}",
        **recipe["lora"],
        **recipe["train"],
        "targets": ", ".join(recipe["lora"]["targets"]),
        "rows a step": recipe["train"]["batch"] * recipe["train"]["accumulation"],
        "steps": numbers["steps"],
        "loss on": "what the assistant writes, in both channels",
    }
    lines = (f"| {name} | {value}{_ours(name, recipe)} |" for name, value in rows.items())
    return "\n".join(lines)


def _ours(name: str, recipe: Mapping[str, Any]) -> str:
    return " (ours)" if name in recipe["ours"] else ""


def _marked(recipe: Mapping[str, Any]) -> str:
    if not recipe["ours"]:
        return ""
    return "\n*Ours* are choices that the original card is silent about.\n"


def _made_with(numbers: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in numbers["versions"].items())
    lines = {
        "command": f"`{numbers['command']}`",
        "commit": ", then ".join(f"`{commit}`" for commit in numbers["commits"]),
        "hardware": numbers["hardware"],
        "versions": versions,
    }
    return "\n".join(f"- {name}: {value}" for name, value in lines.items())
