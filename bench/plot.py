"""Curves as SVG, drawn by hand: readable on light and dark pages, no script, no library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 320, 64, 44, 40, 150
COLOURS = ("#0b7285", "#c2410c", "#6d28d9", "#4d7c0f")


def curves(
    title: str, *, x_label: str, y_label: str, series: Mapping[str, Sequence[tuple[float, float]]]
) -> str:
    """Lines over a logarithmic x axis, y from zero; each series named at its end."""
    points = [point for line in series.values() for point in line]
    low, high = (math.log10(pick(x for x, _ in points)) for pick in (min, max))
    top = max(y for _, y in points) * 1.1 or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        share = (math.log10(x) - low) / (high - low) if high > low else 0.5
        across = LEFT + share * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - y / top * (HEIGHT - BOTTOM - TOP)

    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'font-family="system-ui, sans-serif" font-size="12"><title>{escape(title)}</title>'
        ),
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="20" font-size="14" font-weight="600">{escape(title)}</text>',
    ]
    for step in range(5):
        _, y = place(10**low, top * step / 4)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(top * step / 4)}</text>'
        )
    for x in sorted({x for x, _ in points}):
        across, _ = place(x, 0)
        parts.append(f'<text x="{across:.1f}" y="{HEIGHT - 26}" text-anchor="middle">{_short(x)}</text>')
    parts.append(
        f'<text x="{LEFT}" y="{HEIGHT - 8}">{escape(x_label)} (across), {escape(y_label)} (up)</text>'
    )
    for colour, (name, line) in zip(COLOURS, series.items(), strict=False):
        placed = [place(x, y) for x, y in line]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in placed]
        x, y = placed[-1]
        parts.append(f'<text x="{x + 8:.1f}" y="{y + 4:.1f}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
