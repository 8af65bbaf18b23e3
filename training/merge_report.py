"""What a merge did, for whoever has to trust its result."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NAME, READABLE = "merge_report.json", "merge_report.md"
PACKAGES = ("torch", "numpy", "transformers", "peft", "huggingface_hub")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass(slots=True)
class Report:
    """Hashes are sha256 of a tensor's bytes; `size` is bytes of all tensors."""

    base: str
    adapter: str
    adapter_sha256: str
    """Of the file with its matrices."""
    base_hashes: dict[str, str]
    changed: dict[str, str]
    size: int
    rank: int
    scale: float
    merged_before: tuple[str, ...] = ()
    """The same, of adapters that were in the base already."""
    command: str = ""
    logits: dict[str, float] = field(default_factory=dict[str, float])
    versions: dict[str, str] = field(default_factory=_versions)

    def sentence(self) -> str:
        return (
            f"{len(self.changed)} tensors changed, "
            f"{len(self.base_hashes) - len(self.changed)} are bit-identical to the base, "
            f"{self.size / 1e9:.2f} GB; verified."
        )


def write_report(report: Report, folder: Path) -> None:
    """As JSON with every hash, and in short for people."""
    content = {"result": report.sentence(), **asdict(report)}
    (folder / NAME).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    (folder / READABLE).write_text(_short(report), "utf-8")


def _short(report: Report) -> str:
    lines = [
        "# Merge report\n",
        report.sentence() + "\n",
        f"* base: {report.base}",
        f"* adapter: {report.adapter}, rank {report.rank}, scale {report.scale:g}, "
        f"sha256 {report.adapter_sha256}",
        f"* command: `{report.command}`",
        f"* versions: {', '.join(f'{name} {n}' for name, n in report.versions.items())}",
    ]
    if report.logits:
        lines.append(
            "* next-token logits, mean difference from base plus adapter: merged "
            f"{report.logits['merged_to_adapter']:.2g}, base alone "
            f"{report.logits['base_to_adapter']:.2g} (spread of the logits "
            f"{report.logits['scale']:.2g})"
        )
    lines.append(f"\nThe sha256 of every tensor stands in `{NAME}`.")
    return "\n".join(lines) + "\n"
