"""The held-out loss of an adapter that was published as a GGUF, row by row:

    python -m training.measure training/embedded.yaml --adapter models/medical-reasoning.gguf \\
        --out models/loss.json

The rows are those that the recipe holds out, by its seed; no word of theirs is written. It is what
a run measures at its end, made again by whoever has the rows and the published file alone.
"""

# torch and its family are not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from training.base import load_base, load_tokenizer
from training.dataset import Example, make_examples
from training.heldout import estimate
from training.recipe import Recipe, RecipeError, read_recipe
from training.record import commit, hardware
from training.rows import RowError
from training.to_gguf import ConversionError, read_adapter
from training.trainer import lora_config


def measure(recipe: Recipe, adapter: Path) -> dict[str, Any]:
    """Losses in nats a token of the assistant's. Raises what `main` says in one sentence."""
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

    examples = make_examples(recipe, load_tokenizer(recipe.base)).heldout
    if not examples:
        raise RowError(f"{recipe.name} holds no rows out.")
    base: Any = load_base(recipe.base)
    tensors = read_adapter(adapter, base.config)
    of_base = _losses(base, examples, "the base")
    adapted: Any = get_peft_model(base, lora_config(recipe, LoraConfig))
    if adapted.get_nb_trainable_parameters()[0] != sum(each.numel() for each in tensors.values()):
        raise ConversionError(f"{adapter.name} is no adapter of {recipe.name}.")
    if set_peft_model_state_dict(adapted, tensors).unexpected_keys:
        raise ConversionError(f"{adapter.name} is no adapter of {recipe.name}.")
    of_adapter = _losses(adapted, examples, "the adapter")
    losses = {"base": of_base, "adapter": of_adapter}
    losses["change"] = [b - a for a, b in zip(of_base, of_adapter, strict=True)]
    return {
        "adapter_sha256": hashlib.sha256(adapter.read_bytes()).hexdigest(),
        "commit": commit(),
        "hardware": hardware(),
        "mean": {name: str(estimate(each)) for name, each in losses.items()},
        "heldout": {name: losses[name] for name in ("base", "adapter")},
    }


def _losses(model: Any, examples: list[Example], what: str) -> list[float]:
    import torch
    from tqdm.auto import tqdm

    model.eval()
    found: list[float] = []
    for each in tqdm(examples, f"loss of {what}"):
        ids, labels = torch.tensor([each.input_ids]), torch.tensor([each.labels])
        with torch.no_grad():
            found.append(round(float(model(input_ids=ids, labels=labels).loss), 4))
    return found


def main(given: list[str] | None = None) -> int:
    """0 when measured; 2 with one sentence where it cannot be."""
    parser = argparse.ArgumentParser("python -m training.measure", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("recipe", type=Path, help="of the run that the adapter is from")
    parser.add_argument("--adapter", type=Path, required=True, help="the .gguf")
    parser.add_argument("--out", type=Path, required=True, help="the .json to write")
    wanted = parser.parse_args(given)
    try:
        found = measure(read_recipe(wanted.recipe), wanted.adapter)
        wanted.out.write_text(json.dumps(found) + "\n", "utf-8")
    except (RecipeError, RowError, ConversionError) as error:
        print(error, file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"{error.name} is missing: pip install -r requirements-train.txt", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{wanted.out.name} could not be written: {error.strerror}.", file=sys.stderr)
        return 2
    print(", ".join(f"{name} {mean}" for name, mean in found["mean"].items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
