"""Screens, cameras and wearables."""

from __future__ import annotations

from math import cos, pi, sin
from random import Random

from demo.draw.colour import Palette, mix
from demo.draw.pen import Pen
from demo.draw.registry import draws


def _wallpaper(pen: Pen, p: Palette, x: float, y: float, w: float, h: float, random: Random) -> None:
    """A small landscape that fills a screen."""
    pen.rect(
        x, y, w, h, pen.fade([(0, mix(p.accent, "#ffffff", 0.55)), (1, mix(p.wall, p.accent, 0.3))], 0, 1), 8
    )
    pen.disc(x + w * random.uniform(0.3, 0.7), y + h * 0.36, h * 0.12, "#fff3d2")
    a, b = random.uniform(0.5, 0.62), random.uniform(0.66, 0.76)
    pen.path(
        f"M{x} {y + h * a:.0f}"
        f"Q{x + w * 0.4:.0f} {y + h * (a - 0.16):.0f} {x + w} {y + h * b:.0f}V{y + h}H{x}Z",
        mix(p.base, p.accent, 0.4),
        opacity=0.75,
    )
    pen.path(
        f"M{x} {y + h * 0.85:.0f}Q{x + w * 0.6:.0f} {y + h * 0.6:.0f} {x + w} {y + h * 0.8:.0f}V{y + h}H{x}Z",
        p.dark,
        opacity=0.8,
    )


@draws("watch")
def watch(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A wristwatch seen from the front; styles: dress, diver, chrono, square; the colour is the strap's."""
    pen.shadow(400, 690, 150)
    pen.path("M330 90H470L488 280H312Z", pen.round(p.base))
    pen.path("M312 520H488L470 700Q400 720 330 700Z", pen.round(p.base))
    for y in (580, 618, 656):
        pen.oval(400, y, 7, 10, p.deep)
    pen.line("M344 110L330 270M456 110L470 270", p.light, 4, stroke_dasharray="9 8", opacity=0.8)
    metal = random.choice(("#d2ab57", "#c9cdd2", "#c58f6e")) if style != "diver" else "#b9bec5"
    pen.rect(560 if style != "square" else 550, 384, 36, 32, pen.round(metal), 8)
    face = random.choice((p.cream, mix(p.base, "#ffffff", 0.8), "#2d3a4f"))
    hand = "#f4efe4" if face == "#2d3a4f" else p.ink
    if style == "square":
        pen.rect(250, 250, 300, 300, pen.sheen(metal), 60)
        pen.rect(272, 272, 256, 256, face, 46)
    else:
        pen.disc(400, 400, 172, pen.sheen(metal))
        if style == "diver":
            pen.disc(400, 400, 160, "#26324d")
            for at in range(12):
                pen.rect(396, 248, 8, 20, "#e9edf1", transform=f"rotate({at * 30} 400 400)")
        pen.disc(400, 400, 128 if style == "diver" else 150, face)
    for at in range(12):
        pen.rect(396, 290, 8, 20 if at % 3 == 0 else 12, hand, 3, transform=f"rotate({at * 30} 400 400)")
    if style == "chrono":
        for x, y in ((350, 400), (450, 400), (400, 462)):
            pen.ring(x, y, 32, metal, 5)
            pen.line(f"M{x} {y}v-22", hand, 4)
    for turn, length, width in ((random.randint(290, 320), 70, 11), (random.randint(40, 80), 100, 7)):
        a = turn * pi / 180
        pen.line(f"M400 400l{sin(a) * length:.0f} {-cos(a) * length:.0f}", hand, width)
    pen.disc(400, 400, 10, p.accent)


@draws("smartwatch")
def smartwatch(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: square, round, band."""
    pen.shadow(400, 690, 150)
    half = 46 if style == "band" else 76
    pen.rect(400 - half, 80, 2 * half, 640, pen.round(p.base), 40)
    for y in (600, 632, 664):
        pen.oval(400, y, 12, 6, p.deep)
    if style == "round":
        pen.disc(400, 390, 170, pen.sheen("#565b64"))
        pen.disc(400, 390, 150, "#1d2027")
    else:
        w, h = (130, 330) if style == "band" else (280, 320)
        pen.rect(400 - w / 2, 390 - h / 2, w, h, pen.sheen("#565b64"), 62 if style == "band" else 76)
        pen.rect(412 - w / 2, 402 - h / 2, w - 24, h - 24, "#1d2027", 50 if style == "band" else 64)
    size = 38 if style == "band" else 92
    for r, colour in ((size, "#f08a6e"), (size - 20, p.accent), (size - 40, "#8fd0b0")):
        if r > 0:
            sweep = random.randint(55, 90) / 100 * 2 * pi * r
            pen.ring(400, 390, r, mix(colour, "#1d2027", 0.7), 13)
            pen.ring(
                400,
                390,
                r,
                colour,
                13,
                stroke_dasharray=f"{sweep:.0f} 900",
                stroke_linecap="round",
                transform="rotate(-90 400 390)",
            )
    if style != "band":
        pen.rect(572 if style == "round" else 540, 360, 20, 56, p.metal, 8)


@draws("camera")
def camera(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: mirrorless, compact, instant, action."""
    pen.shadow(400, 636, 280)
    if style == "instant":
        pen.rect(290, 520, 220, 140, "#fbf8f1", 6)
        pen.rect(306, 530, 188, 90, pen.fade([(0, "#9ec3d6"), (1, "#e7bf9c")], 0, 1))
        pen.path(
            "M230 240H570L610 330V560H190V330Z",
            p.base,
            stroke=p.base,
            stroke_width=30,
            stroke_linejoin="round",
        )
        pen.rect(190, 500, 420, 26, p.accent)
        pen.rect(240, 250, 90, 60, p.cream, 14)
        pen.rect(480, 250, 80, 50, p.ink, 14)
    elif style == "action":
        pen.rect(220, 300, 360, 300, pen.sheen(p.base), 44)
        pen.rect(240, 440, 120, 110, "#1d2027", 14)
        pen.rect(280, 280, 90, 24, p.accent, 10)
    else:
        if style == "mirrorless":
            pen.path("M330 300L360 230H470L500 300Z", p.dark)
        pen.rect(170, 290, 460, 320, pen.sheen(p.metal if style == "compact" else p.dark), 40)
        pen.rect(170, 350, 460, 190, p.base)
        pen.rect(210, 262, 70, 32, p.ink, 10)
        pen.disc(560, 276, 26, p.accent)
        pen.rect(536, 312, 66, 30, p.cream, 10)
    x, y, r = (480, 400, 78) if style == "action" else (400, 430, 120)
    pen.disc(x, y, r, p.ink)
    pen.ring(x, y, r - 8, p.metal, 6)
    pen.disc(x, y, r * 0.72, "#22262e")
    pen.disc(x, y, r * 0.5, pen.sheen(mix(p.accent, "#2a3350", 0.6)))
    pen.disc(x - r * 0.2, y - r * 0.22, r * 0.14, "#ffffff", opacity=0.75)


@draws("drone")
def drone(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A small flying camera; style 'fold' has shorter arms."""
    pen.shadow(400, 690, 240, 18)
    reach = 190 if style == "fold" else 236
    for side in (-1, 1):
        for dy, far in ((-50, 0.8), (50, 1.0)):
            x, y = 400 + side * reach * far, 380 + dy * 1.4
            pen.line(f"M400 {390 + dy * 0.4}L{x} {y}", p.dark, 22)
            pen.rect(x - 14, y - 34, 28, 48, p.ink, 8)
            pen.oval(x, y - 38, 96, 12, p.pale, opacity=0.75)
            pen.oval(x, y - 38, 12, 7, p.accent)
    pen.rect(300, 330, 200, 120, pen.sheen(p.base), 50)
    pen.rect(340, 346, 120, 26, p.light, 13)
    pen.rect(360, 430, 80, 72, p.ink, 22)
    pen.disc(400, 470, 27, "#22262e")
    pen.disc(400, 470, 15, mix(p.accent, "#2a3350", 0.5))
    pen.disc(392, 462, 5, "#ffffff")
    pen.line(f"M330 450v{random.randint(70, 90)}M470 450v80", p.dark, 11)


@draws("laptop")
def laptop(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: thin, wide."""
    pen.shadow(400, 626, 340)
    w = 440 if style == "thin" else 490
    x = 400 - w / 2
    pen.rect(x, 210, w, 330, pen.sheen(p.base), 22)
    pen.rect(x + 12, 222, w - 24, 300, "#23262c", 14)
    _wallpaper(pen, p, x + 22, 232, w - 44, 280, random)
    pen.path(f"M{x} 540H{x + w}L{x + w + 66} 606H{x - 66}Z", pen.fade([(0, p.dark), (1, p.light)], 0, 1))
    pen.path(f"M{x + 30} 550H{x + w - 30}L{x + w - 16} 576H{x + 16}Z", p.deep)
    pen.rect(x - 66, 602, w + 132, 20, p.base, 10)
    pen.rect(350, 602, 100, 9, p.dark, 4)


@draws("tablet")
def tablet(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: pen (with a stylus), reader (text page), frame (landscape on a stand)."""
    pen.shadow(400, 646, 260)
    if style == "frame":
        pen.path("M320 640L400 460L480 640Z", p.dark)
        pen.rect(120, 210, 560, 390, pen.sheen(p.base), 28)
        _wallpaper(pen, p, 156, 246, 488, 318, random)
        return
    pen.group(f"rotate({random.randint(-10, -3)} 400 400)")
    pen.rect(240, 150, 330, 480, pen.sheen(p.base), 36)
    if style == "reader":
        pen.rect(268, 186, 274, 400, "#f2efe6", 8)
        for y in range(220, 560, 26):
            pen.rect(292, y, random.randint(150, 226), 9, "#8d8a84", 4)
    else:
        _wallpaper(pen, p, 262, 174, 286, 432, random)
    pen.end()
    if style == "pen":
        pen.rect(590, 220, 26, 380, pen.round(p.cream), 13, transform="rotate(9 600 400)")
        pen.path("M592 596h24l-12 44Z", p.ink, transform="rotate(9 600 400)")


@draws("keyboard")
def keyboard(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: compact, full."""
    pen.shadow(400, 580, 360, 34)
    pen.group(f"rotate({random.randint(-12, -4)} 400 430)")
    rows, columns = (5, 12) if style == "compact" else (5, 15)
    w = 600 if style == "compact" else 680
    pen.rect(400 - w / 2, 290, w, 270, p.dark, 28)
    pen.rect(400 - w / 2, 282, w, 266, pen.sheen(p.base), 28)
    size = (w - 40) / columns
    for row in range(rows):
        column = 0.0
        while column < columns:
            span = 5.0 if row == 4 and column == 3 else 1.0
            odd = span > 1 or (row == 0 and column == 0) or (row == 2 and column == columns - 1)
            x, y = 400 - w / 2 + 20 + column * size, 300 + row * 47
            pen.rect(x + 2, y, size * span - 6, 40, p.accent if odd else p.cream, 8)
            column += span
    pen.end()


@draws("mouse")
def mouse(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: low, tall (sculpted)."""
    pen.shadow(400, 620, 220, 34)
    pen.group(f"rotate({random.randint(8, 24)} 400 420)")
    w = 128 if style == "low" else 150
    pen.path(
        f"M{400 - w} 380Q{400 - w} 210 400 210T{400 + w} 380V500Q{400 + w} 640 400 640T{400 - w} 500Z",
        pen.sheen(p.base),
    )
    pen.line(f"M400 214V390M{402 - w} 392Q400 420 {398 + w} 392", p.dark, 5)
    pen.rect(384, 262, 32, 84, p.ink, 16)
    pen.rect(390, 282, 20, 44, p.accent, 8)
    if style == "tall":
        pen.path(f"M{402 - w} 430Q{350 - w} 500 {410 - w} 570Z", p.dark)
    pen.end()


@draws("projector")
def projector(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: cube, can."""
    pen.path("M470 420L800 120V560Z", "#fff6dc", opacity=0.65)
    pen.shadow(360, 640, 220)
    if style == "can":
        pen.rect(250, 260, 210, 376, pen.round(p.base), 60)
        pen.oval(355, 290, 78, 18, p.accent)
    else:
        pen.rect(190, 340, 300, 290, pen.sheen(p.base), 40)
        for y in range(480, 600, 22):
            pen.line(f"M220 {y}H330", p.dark, 8)
    pen.disc(430, 420, 66, p.ink)
    pen.disc(430, 420, 44, mix(p.accent, "#ffffff", 0.4))
    pen.disc(430, 420, 22, "#ffffff")
    for x in (270, 410):
        pen.rect(x, 626, 40, 18, p.ink, 6)
