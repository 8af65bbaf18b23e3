"""Keys and values of one sequence in buffers that never move, and the attention over them.

Never moving is what lets a GPU repeat one recorded decode step. transformers repeats each key for
the eight heads that share it; this attention reads it once for all of them.
"""

# torch is not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import importlib
from typing import Any

ATTENTION = "medicalgpt"
"""The name under which transformers knows `attend`."""


class KeyValues:
    """What `past_key_values` is to a gpt-oss model of transformers, of a fixed `length` in tokens.

    `at` says which positions the next forward computes; `masks` goes with it.
    """

    def __init__(self, config: Any, length: int, device: str, dtype: Any) -> None:
        torch = self._torch = importlib.import_module("torch")
        self.length = length
        self.position = torch.zeros(1, dtype=torch.long, device=device)
        """Of the token that a decode step computes."""
        self._window = min(int(config.sliding_window), length)
        self._sliding = [kind == "sliding_attention" for kind in config.layer_types]
        shape = (1, config.num_key_value_heads, length, config.head_dim)
        self._keys = [torch.zeros(shape, dtype=dtype, device=device) for _ in self._sliding]
        self._values = [torch.zeros(shape, dtype=dtype, device=device) for _ in self._sliding]
        self._places = torch.arange(length, device=device)
        self._seen = torch.zeros(self._window, dtype=torch.long, device=device)
        self._chunk: tuple[int, int] | None = None

    def read(self, start: int, end: int) -> dict[str, Any]:
        """The next forward computes `start` to `end` of a prompt. Gives its masks."""
        self._chunk = (start, end)
        asking = self._places[start:end, None]
        seen = self._places[None, :end]
        causal = seen <= asking
        near = causal & (seen > asking - self._window)
        return {"full_attention": causal, "sliding_attention": near[:, self._low(start) :]}

    def decode(self) -> dict[str, Any]:
        """The next forward computes the token at `position`. Gives its masks.

        The same work at every position, so that it can be recorded once and repeated.
        """
        self._chunk = None
        last = self.position - self._window + 1 + self._places[: self._window]
        self._seen.copy_(last.clamp(min=0))
        return {
            "full_attention": (self._places <= self.position)[None],
            "sliding_attention": (last >= 0)[None],
        }

    def update(self, keys: Any, values: Any, layer: int, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Keep a layer's new keys and values; gives those that its attention reads."""
        return (
            self._keep(self._keys[layer], keys, self._sliding[layer]),
            self._keep(self._values[layer], values, self._sliding[layer]),
        )

    def get_seq_length(self, layer: int = 0) -> int:
        """Asked by transformers where no positions are given: they always are."""
        return 0 if self._chunk is None else self._chunk[0]

    def _low(self, start: int) -> int:
        return max(0, start - self._window + 1)

    def _keep(self, buffer: Any, new: Any, sliding: bool) -> Any:
        if self._chunk is None:
            buffer.index_copy_(2, self.position, new)
            return buffer.index_select(2, self._seen) if sliding else buffer
        start, end = self._chunk
        buffer[:, :, start:end] = new
        return buffer[:, :, self._low(start) if sliding else 0 : end]


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float,
    s_aux: Any = None,
    **_: Any,
) -> tuple[Any, None]:
    """Attention with gpt-oss's sinks, for a batch of one; `attention_mask` is what may be seen.

    Softmax in fp32. Registered with transformers by `register`.
    """
    _, heads, count, size = query.shape
    groups = key.shape[1]
    share = heads // groups
    asked = query.reshape(groups, share * count, size)
    # In place from here on: at 8,192 tokens a copy of a chunk's scores would take 540 MB.
    scores = (asked @ key[0].transpose(1, 2)).float().mul_(scaling)
    scores = scores.view(groups, share, count, -1).masked_fill_(~attention_mask, float("-inf"))
    sinks = s_aux.float().view(groups, share, 1, 1)
    top = scores.amax(-1, keepdim=True).maximum(sinks)
    weights = scores.sub_(top).exp_()
    weights = weights.div_(weights.sum(-1, keepdim=True) + (sinks - top).exp())
    found = weights.to(value.dtype).view(groups, share * count, -1) @ value[0]
    return found.view(1, heads, count, size).transpose(1, 2).contiguous(), None


def register() -> str:
    """Make `attend` known to transformers. Gives its name."""
    transformers: Any = importlib.import_module("transformers")
    transformers.AttentionInterface.register(ATTENTION, attend)
    return ATTENTION
