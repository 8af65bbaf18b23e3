"""Of what a reply was made: which model answered, with which settings, when, how it ended.

It travels with the reply, as attributes of its foot, so that whoever takes a conversation along or
has it kept takes this along too. Nothing that a person or a model wrote is in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from html import escape

from backend.base import BackendInfo, Option, Options


@dataclass(frozen=True, slots=True)
class Provenance:
    """How and when a reply was asked for. `asked` is in UTC."""

    options: Options
    asked: datetime

    def attributes(self, info: BackendInfo, ended: str) -> str:
        """HTML attributes. A setting that the backend does not honour is left out."""
        options, honours = self.options.within(info), info.honours
        values = {
            "ended": ended,
            "asked": self.asked.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "model": info.model,
            "revision": info.revision,
            "adapter": info.adapter,
            "effort": options.effort.value if Option.EFFORT in honours else "",
            "length": str(options.max_new_tokens) if Option.MAX_NEW_TOKENS in honours else "",
            "temperature": f"{options.temperature:g}" if Option.TEMPERATURE in honours else "",
        }
        return "".join(f' data-{name}="{_value(value)}"' for name, value in values.items() if value)


def _value(value: str) -> str:
    # An empty line would end the markup for Markdown's parser.
    return escape(" ".join(value.split()))
