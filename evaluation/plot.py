"""Shares with their intervals as a picture: SVG, written by hand, read by people and by git."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from evaluation.intervals import Interval

ROW, LEFT, WIDTH, RIGHT, TOP = 22, 560, 420, 30, 34
BASE, ADAPTER = "#7a7a7a", "#1f5fa8"


@dataclass(frozen=True, slots=True)
class Bar:
    """One row. `chance` is what guessing gives, drawn as a short line; None for none."""

    label: str
    value: float
    interval: Interval
    chance: float | None
    adapter: bool


def draw(bars: Sequence[Bar], title: str) -> str:
    """The picture; the axis goes from 0 to 100 %."""
    height = TOP + ROW * len(bars) + 40
    width = LEFT + WIDTH + RIGHT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *(_tick(share / 100, height) for share in range(0, 101, 20)),
        *(_row(at, bar) for at, bar in enumerate(bars)),
        f'<text x="{LEFT}" y="20" fill="#333">{escape(title)}</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _x(share: float) -> float:
    return round(LEFT + WIDTH * min(1.0, max(0.0, share)), 1)


def _tick(share: float, height: int) -> str:
    x, bottom = _x(share), height - 28
    return (
        f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}" stroke="#ddd"/>'
        f'<text x="{x}" y="{bottom + 18}" text-anchor="middle" fill="#333">{share:.0%}</text>'
    )


def _row(at: int, bar: Bar) -> str:
    y = TOP + ROW * at + ROW // 2
    colour = ADAPTER if bar.adapter else BASE
    low, high = bar.interval
    chance = ""
    if bar.chance is not None:
        x = _x(bar.chance)
        chance = f'<line x1="{x}" y1="{y - 9}" x2="{x}" y2="{y + 9}" stroke="#c33"/>'
    return (
        f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(bar.label)}</text>'
        f'{chance}<line x1="{_x(low)}" y1="{y}" x2="{_x(high)}" y2="{y}" stroke="{colour}" '
        f'stroke-width="2"/><circle cx="{_x(bar.value)}" cy="{y}" r="4.5" fill="{colour}"/>'
    )
