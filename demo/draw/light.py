"""Lamps."""

from __future__ import annotations

from random import Random

from demo.draw.colour import Palette, mix
from demo.draw.pen import Pen
from demo.draw.registry import draws


@draws("lamp")
def lamp(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A table lamp; styles: cone, dome, globe, arm (desk lamp)."""
    pen.shadow(400, 648, 170)
    pen.oval(400, 330, 330, 300, pen.glow("#fff2c4", 0.85))
    if style == "arm":
        pen.rect(280, 624, 220, 24, pen.round(p.base), 12)
        pen.line("M390 624L300 400L500 260", p.dark, 15)
        pen.disc(300, 400, 19, p.accent)
        pen.path("M440 250L560 170Q640 230 620 320L500 310Z", pen.sheen(p.base))
        pen.oval(560, 318, 62, 14, "#fff4cf")
        return
    foot = random.choice((p.accent, "#b98a5a", p.metal))
    if style == "globe":
        pen.rect(300, 596, 200, 46, pen.round(foot), 22)
        pen.disc(400, 420, 184, pen.glow(mix(p.base, "#ffffff", 0.3), 1, 1))
        pen.disc(400, 420, 184, pen.glow("#fff6d8", 0.95, 0.1))
        return
    shape = random.choice(("column", "belly", "balls"))
    if shape == "column":
        pen.rect(376, 380, 48, 240, pen.round(foot), 10)
    elif shape == "belly":
        pen.path(
            "M376 380H424Q424 430 470 500Q490 600 440 630H360Q310 600 330 500Q376 430 376 380Z",
            pen.round(foot),
        )
    else:
        for y, r in ((578, 58), (484, 46), (410, 34)):
            pen.disc(400, y, r, pen.sheen(foot))
    pen.rect(320, 622, 160, 24, pen.round(mix(foot, "#1d2130", 0.2)), 10)
    top, wide = random.randint(84, 130), random.randint(186, 216)
    if style == "dome":
        pen.path(f"M{400 - wide} 390Q{400 - wide} 190 400 190T{400 + wide} 390Z", pen.round(p.base))
    else:
        pen.path(f"M{400 - top} 180H{400 + top}L{400 + wide} 390H{400 - wide}Z", pen.round(p.base))
    pen.oval(400, 390, wide, 20, "#fff4cf")
    pen.rect(400 - wide + 10, 374, 2 * wide - 20, 10, p.dark, opacity=0.3)


@draws("pendant")
def pendant(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A hanging lamp; styles: bell, disc, paper, cluster."""
    pen.oval(400, 470, 340, 300, pen.glow("#fff2c4", 0.8))
    if style == "cluster":
        for x, y, r in ((260, 330, 66), (410, 470, 84), (560, 290, 56)):
            pen.rect(x - 3, 0, 6, y - r, p.ink)
            pen.rect(x - 18, y - r - 30, 36, 38, p.accent, 8)
            pen.disc(x, y, r, p.base, opacity=0.9)
            pen.disc(x, y, r * 0.8, pen.glow("#fff6d8", 1, 0.2))
        return
    pen.rect(397, 0, 6, 260, p.ink)
    if style == "paper":
        pen.oval(400, 420, 210, 184, pen.glow(mix(p.base, "#ffffff", 0.6), 1, 1))
        for at in range(-3, 4):
            half = 208 * (1 - (at / 4) ** 2) ** 0.5
            pen.line(
                f"M{400 - half:.0f} {420 + at * 46}q{half:.0f} 24 {2 * half:.0f} 0", p.dark, 3, opacity=0.4
            )
        return
    pen.rect(374, 236, 52, 46, p.accent, 12)
    if style == "disc":
        pen.path("M130 420Q400 220 670 420Z", pen.round(p.base))
        pen.oval(400, 420, 270, 24, "#fff4cf")
    else:
        pen.path("M350 274H450Q470 380 580 480H220Q330 380 350 274Z", pen.round(p.base))
        pen.oval(400, 480, 180, 22, "#fff4cf")
        pen.disc(400, 492, 32, "#fff8e0")


@draws("floorlamp")
def floorlamp(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: tripod, arc."""
    pen.oval(400, 230, 300, 240, pen.glow("#fff2c4", 0.85))
    pen.shadow(400, 700, 200)
    if style == "arc":
        pen.rect(180, 680, 180, 26, pen.round(p.ink), 12)
        pen.line("M270 680V330Q270 90 560 200", p.accent, 12)
        pen.path("M470 260Q480 180 560 180T650 260Z", pen.round(p.base))
        pen.oval(560, 262, 90, 12, "#fff4cf")
        return
    for x in (260, 400, 540):
        pen.line(f"M400 350L{x} 704", "#a97a4c", 15)
    pen.path("M310 130H490L540 340H260Z", pen.round(p.base))
    pen.oval(400, 340, 140, 14, "#fff4cf")
