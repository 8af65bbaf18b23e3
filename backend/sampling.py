"""How the next token is chosen: temperature and top_p, on the device, without waiting for it."""

# torch is not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false

from __future__ import annotations

import importlib
from typing import Any

from backend.base import Options

COLD = 0.01
"""Below this temperature the likeliest token is taken."""
BROKEN = -1
"""In place of a token, where the logits are not finite."""


class Sampler:
    """One reply's choices. The same seed gives the same text on the same machine."""

    def __init__(self, options: Options, device: str) -> None:
        self._torch: Any = importlib.import_module("torch")
        self._temperature = options.temperature
        self._top_p = options.top_p
        self._random = self._torch.Generator(device=device)
        if options.seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(options.seed % 2**63)

    def choose(self, logits: Any) -> tuple[Any, Any]:
        """The token's id, to go on with, and the same or `BROKEN`, to be read. 1 number each."""
        torch = self._torch
        scores = logits.float().reshape(-1)
        token = self._draw(scores).reshape(1)
        whole = torch.isfinite(scores).all()
        return token, torch.where(whole, token, BROKEN)

    def _draw(self, scores: Any) -> Any:
        torch = self._torch
        if self._temperature < COLD:
            return scores.argmax()
        shares = torch.softmax(scores / self._temperature, -1)
        if self._top_p >= 1.0:
            return self._race(shares)
        shares, ids = shares.sort(descending=True)
        # The likeliest whose sum reaches top_p; the first is always among them.
        shares = shares.masked_fill(shares.cumsum(-1) - shares >= self._top_p, 0.0)
        return ids[self._race(shares)]

    def _race(self, shares: Any) -> Any:
        """Draws as `multinomial` does, which would make the host wait."""
        return (
            shares / self._torch.empty_like(shares).exponential_(generator=self._random)
        ).argmax()
