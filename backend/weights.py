"""A gpt-oss model out of safetensors into memory, and an adapter merged into it."""

# torch, transformers and peft are not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from backend.base import NotReady
from backend.cancelled import Cancelled
from backend.checkpoint import ADAPTER_WEIGHTS, tensor_names
from backend.kv_cache import register
from backend.token_reader import Vocabulary

Share = Callable[[float], None]


def read_model(folder: Path, device: str, *, unpack: bool, share: Share, cancelled: Event) -> Any:
    """The model on `device`. `unpack` turns MXFP4 into bf16. Raises `NotReady`, `Cancelled`."""
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    more = {"quantization_config": transformers.Mxfp4Config(dequantize=True)} if unpack else {}
    with _watched(share, cancelled):
        try:
            model, told = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=torch.bfloat16,
                device_map={"": device},
                attn_implementation=register(),
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
                **more,
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            kind = type(error).__name__
            failure = NotReady(f"{folder.name}: the weights could not be read ({kind}).")
            if isinstance(error, torch.OutOfMemoryError):
                failure = NotReady("The GPU has too little free memory for the model.")
        else:
            _all_there(told, folder.name)
            return model
    raise failure


def read_vocabulary(folder: Path) -> Vocabulary:
    """Without transformers, which reads the 28 MB several times and holds the interpreter for it.

    Raises `NotReady`.
    """
    tokenizers: Any = importlib.import_module("tokenizers")
    try:
        return Vocabulary(tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")))
    except Exception:  # the library's errors have no class of their own
        raise NotReady(f"{folder.name}: its tokenizer.json is missing or damaged.") from None


def merge_adapter(model: Any, folder: Path) -> Any:
    """`model` with the adapter folded in, so that no token costs more than the base's.

    Every one of its tensors must find its place. Raises `NotReady`.
    """
    peft: Any = importlib.import_module("peft")
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise NotReady(
            f"The adapter has no {ADAPTER_WEIGHTS}. Other forms, such as .bin, can run code when "
            "they are opened, and are not."
        )
    offered = tensor_names(folder / ADAPTER_WEIGHTS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on missing keys; they are counted below
            adapted = peft.PeftModel.from_pretrained(model, folder, use_safetensors=True)
            placed = set(peft.get_peft_model_state_dict(adapted, save_embedding_layers=False))
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        kind = type(error).__name__
        raise NotReady(
            f"The adapter could not be applied ({kind}): it is damaged, or of another model."
        ) from None
    if offered != placed:
        raise NotReady(
            f"The adapter has {len(offered)} tensors and its config asks for {len(placed)}, of "
            f"which {len(offered & placed)} are the same: it is damaged, or of another model."
        )
    return adapted.merge_and_unload()


def _all_there(told: Any, name: str) -> None:
    """transformers fills what a checkpoint lacks with random numbers; here that is refused."""
    missing = sorted(told.get("missing_keys") or ())
    mismatched = sorted(told.get("mismatched_keys") or ())
    errors = told.get("error_msgs") or told.get("conversion_errors") or ()
    if missing or mismatched or errors:
        what = missing[0] if missing else str(mismatched[0] if mismatched else "a tensor")
        raise NotReady(
            f"{name} lacks weights that the model needs, or has them in another shape "
            f"({len(missing) + len(mismatched)}, such as {what}): fetch it again."
        )


@contextmanager
def _watched(share: Share, cancelled: Event) -> Generator[None]:
    """transformers' progress bar told to `share`, and shown to nobody."""
    logging: Any = importlib.import_module("transformers.utils.logging")

    def hook(factory: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if named.get("desc") != "Loading weights" or not given:
            return factory(*given, **{**named, "disable": True})
        return _counted(given[0], share, cancelled)

    before = logging.set_tqdm_hook(hook)
    logging.set_verbosity_error()  # its warnings name folders, and what they say is checked here
    try:
        yield
    finally:
        logging.set_tqdm_hook(before)


def _counted(items: Any, share: Share, cancelled: Event) -> Iterator[Any]:
    whole = max(1, len(items))
    for number, item in enumerate(items):
        if cancelled.is_set():
            raise Cancelled
        share(number / whole)
        yield item
