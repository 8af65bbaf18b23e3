"""What a merge did, for whoever has to trust its result."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

NAME = "merge_report.json"


@dataclass(slots=True)
class Report:
    """Hashes are sha256 of a tensor's bytes; `size` is bytes of all tensors."""

    base_hashes: dict[str, str]
    changed: dict[str, str]
    size: int
    rank: int
    scale: float
    logits: dict[str, float] = field(default_factory=dict[str, float])

    def sentence(self) -> str:
        return (
            f"{len(self.changed)} tensors changed, "
            f"{len(self.base_hashes) - len(self.changed)} are bit-identical to the base, "
            f"{self.size / 1e9:.2f} GB; verified."
        )


def write_report(report: Report, folder: Path) -> None:
    content = {"result": report.sentence(), **asdict(report)}
    (folder / NAME).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
