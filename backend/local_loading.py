"""The local model on its way onto the GPU: found, fetched, checked, read, merged, warmed up."""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from backend import mxfp4
from backend.background import Background
from backend.base import BackendError, NotReady
from backend.checkpoint import (
    ADAPTER_CONFIG,
    MERGED,
    Place,
    adapter_place,
    check_model,
    gpu_bytes,
    model_place,
    obtain,
    read_config,
)
from backend.decoder import Decoder, Speed
from backend.fetching import Fetching
from backend.gpu import INSTALL, LIBRARIES, SPARE, release
from backend.token_reader import Vocabulary
from backend.weights import merge_adapter, read_model, read_vocabulary
from chat.events import Stage
from settings import Settings

log = logging.getLogger("medicalgpt.model")

Config = dict[str, Any]
ARCHITECTURE = "gpt_oss"


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that can be asked. `revision` and `adapter_revision` are commits of the hub, "" for a
    folder or for none."""

    decoder: Decoder
    vocabulary: Vocabulary
    revision: str
    adapter_revision: str = ""


class LocalLoading(Background[LocalModel]):
    """Begins when made. After a failure, `retry` begins again."""

    def __init__(self, settings: Settings, context: int, device: str) -> None:
        super().__init__()
        self._settings = settings
        self._context = context
        self._device = device
        self.begin()

    def _make(self) -> LocalModel:
        try:
            return self._load()
        except BackendError as error:
            why = str(error)
        # Here the error is gone, and with it the frames that held the memory.
        release()
        raise NotReady(why)

    def _load(self) -> LocalModel:
        self._check_machine()
        place, adapter = model_place(self._settings), adapter_place(self._settings)
        # The config first: what cannot run here is known before 13 GB are fetched.
        config_file, commit = self._obtain(place, "config.json")
        config = read_config(config_file, place)
        unpack = self._check_config(config, place)
        place = replace(place, revision=commit or place.revision)
        self._check_adapter(adapter, config_file.parent)
        folder, _ = self._obtain(place, "")
        check_model(folder, place)
        _check_not_merged(adapter, folder)
        self._check_memory(folder, unpack)
        adapter_folder, adapter_commit = self._obtain(adapter, "") if adapter else (None, "")
        if adapter is not None and adapter_commit and not adapter.revision:
            took = "ADAPTER_REVISION is not set, so the newest %s was taken: set it to %s to stay."
            log.warning(took, adapter.name, adapter_commit)
        self._tell(Stage.LOADING, 0.0)
        vocabulary = read_vocabulary(folder)
        model = read_model(
            folder, self._device, unpack=unpack, share=self._reading, cancelled=self.closed
        )
        if adapter_folder is not None:
            self._tell(Stage.ADAPTING)
            model = merge_adapter(model, adapter_folder)
        self._tell(Stage.WARMING)
        decoder = self._decoder(model, compiled=unpack)
        return LocalModel(decoder, vocabulary, commit, adapter_commit)

    def _free(self, made: LocalModel) -> None:
        made.decoder.free()

    def _obtain(self, place: Place, file: str) -> tuple[Path, str]:
        fetching = Fetching(lambda share: self._tell(Stage.FETCHING, share), self.closed)
        return obtain(place, file, self._settings, fetching)

    def _reading(self, share: float) -> None:
        self._tell(Stage.LOADING, share)

    def _check_machine(self) -> None:
        missing = [name for name in LIBRARIES if find_spec(name) is None]
        if missing:
            raise NotReady(f"{missing[0]} is not installed: run `{INSTALL}`.")
        if self._device == "cpu":
            return
        torch: Any = importlib.import_module("torch")
        if not torch.cuda.is_available():
            raise NotReady(
                "torch sees no CUDA GPU: look at `nvidia-smi` and at torch's CUDA version, or set "
                "BACKEND=embedded."
            )

    def _check_config(self, config: Config, place: Place) -> bool:
        """Whether the experts are to be unpacked. Raises `NotReady`."""
        if config.get("model_type") != ARCHITECTURE:
            raise NotReady(
                f"MODEL_ID is {place.label}, of the kind {config.get('model_type')!r}; this "
                "backend runs gpt_oss models. Others can be served by vLLM behind BACKEND=remote."
            )
        packed = config.get("quantization_config")
        if packed is None:
            return True  # nothing to unpack, and nothing that would keep a compiler out
        if not isinstance(packed, dict) or cast("Config", packed).get("quant_method") != "mxfp4":
            raise NotReady(f"{place.label} is quantised, and not in MXFP4: choose another form.")
        if self._device == "cpu" or self._settings.unpack_mxfp4:
            return True
        if why := mxfp4.obstacle():
            raise NotReady(f"{place.label} is in MXFP4, but {why}. {mxfp4.INSTEAD}")
        return False

    def _check_adapter(self, adapter: Place | None, base: Path) -> None:
        """What is known early: of the hub's `base` the config alone may be here as yet."""
        if adapter is None:
            return
        _check_not_merged(adapter, base)
        read_config(self._obtain(adapter, ADAPTER_CONFIG)[0], adapter)

    def _check_memory(self, folder: Path, unpack: bool) -> None:
        if self._device == "cpu":
            return
        torch: Any = importlib.import_module("torch")
        free, _ = torch.cuda.mem_get_info()
        needed = gpu_bytes(folder, unpacked=unpack) + SPARE
        if free < needed:
            raise NotReady(
                f"The model needs {needed / 1e9:.1f} GB of GPU memory, and {free / 1e9:.1f} GB "
                f"are free: end what else uses the GPU. {mxfp4.INSTEAD}"
            )

    def _decoder(self, model: Any, *, compiled: bool) -> Decoder:
        torch: Any = importlib.import_module("torch")
        # MXFP4's kernels are compiled already; torch.compile would only trace around them.
        speed = Speed.COMPILED if compiled else Speed.GRAPH
        try:
            decoder = Decoder(model, self._context, self._device, speed)
            decoder.warm_up()
        except torch.OutOfMemoryError:
            raise NotReady(
                "The GPU's memory holds the model but not a conversation: end what else uses it."
            ) from None
        except RuntimeError:
            # transformers looks at no shape where a checkpoint is quantised.
            raise NotReady(
                "The model was read but does not compute: its files are damaged, or do not belong "
                "together. Fetch it again."
            ) from None
        return decoder


def _check_not_merged(adapter: Place | None, base: Path) -> None:
    """To be asked of the whole folder: a second time, the adapter would count twice."""
    if adapter is not None and (base / MERGED).is_file():
        raise NotReady("MODEL_ID is merged with its adapter already: set ADAPTER_ID=none.")
