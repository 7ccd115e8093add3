"""Bedroom, bath and decoration."""

from __future__ import annotations

from math import cos, pi, sin
from random import Random

from demo.draw.colour import Palette, mix
from demo.draw.pen import Pen
from demo.draw.registry import draws


@draws("towels")
def towels(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A stack; styles: plain, waffle, band."""
    pen.shadow(400, 644, 280)
    colours = [p.base, mix(p.base, "#ffffff", 0.35), p.cream, p.light]
    y = 640.0
    for row in range(random.choice((3, 4))):
        w, h, colour = 440 - row * 20, 100 - row * 8, colours[row]
        y -= h
        x = 400 - w / 2
        pen.rect(
            x,
            y,
            w,
            h - 3,
            pen.fade([(0, mix(colour, "#ffffff", 0.25)), (1, mix(colour, "#1d2130", 0.18))], 0, 1),
            h / 2,
        )
        pen.line(f"M{x + 24} {y + h / 2}H{x + w - 40}", mix(colour, "#1d2130", 0.25), 4)
        if style == "waffle":
            for at in range(int(x) + 60, int(x + w) - 50, 26):
                pen.rect(at, y + 14, 13, h - 30, mix(colour, "#1d2130", 0.12), 3)
        if style == "band":
            pen.rect(x + 60, y + 4, 40, h - 10, p.accent, opacity=0.8)
    pen.line(f"M400 {y}q10 -70 -20 -110", "#7d9a64", 5)
    for at, side in ((30, 1), (58, -1), (86, 1)):
        pen.oval(
            400 + side * 18,
            y - at,
            24,
            10,
            "#8fae78",
            transform=f"rotate({-30 * side} {400 + side * 18} {y - at:.0f})",
        )


@draws("bedding")
def bedding(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Bed linen on a bed; styles: plain, stripe, check; 'pillow' is one pillow alone."""
    if style == "pillow":
        pen.shadow(400, 610, 300)
        pen.path(
            "M160 300Q400 250 640 300Q690 430 640 580Q400 630 160 580Q110 430 160 300Z", pen.sheen(p.base)
        )
        pen.path(
            "M190 330Q400 286 610 330Q650 430 610 550Q400 592 190 550Q150 430 190 330Z",
            "none",
            stroke=p.accent,
            stroke_width=6,
        )
        pen.line("M250 400q60 -30 110 -6M540 500q-60 26 -120 6", p.dark, 5, opacity=0.35)
        return
    pen.shadow(400, 672, 350)
    pen.rect(120, 190, 560, 330, pen.sheen("#b58a62"), 34)
    for x in (170, 420):
        pen.rect(x, 310, 210, 130, pen.sheen(p.cream if x == 170 else p.light), 40)
    pen.rect(110, 480, 580, 180, "#efe9de", 20)
    sheet = "M96 430Q400 396 704 430V640Q400 680 96 640Z"
    pen.path(sheet, pen.fade([(0, p.light), (1, p.base)], 0, 1))
    pen.clip(sheet)
    if style in ("stripe", "check"):
        for x in range(110, 700, 58):
            pen.rect(x, 390, 16, 300, p.accent, opacity=0.7)
    if style == "check":
        for y in range(430, 680, 58):
            pen.rect(90, y, 620, 14, p.dark, opacity=0.4)
    pen.end()
    pen.path("M96 430Q400 396 704 430V482Q400 450 96 482Z", p.cream)


@draws("robe")
def robe(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A bathrobe on a hanger; style 'waffle' adds the weave."""
    pen.line("M400 130q-4 -50 26 -50t14 40", p.metal, 9)
    pen.line("M250 190L400 132L550 190", "#a97a4c", 16)
    pen.shadow(400, 724, 200)
    pen.path(
        "M330 160L200 220L150 500L224 520L260 360V710H540V360L576 520L650 500L600 220L470 160L400 230Z",
        pen.sheen(p.base),
    )
    if style == "waffle":
        for y in range(260, 700, 26):
            pen.line(f"M268 {y}H532", p.dark, 3, opacity=0.3)
    pen.path("M330 160L400 430L470 160L504 176L420 500H380L296 176Z", p.light)
    pen.rect(256, 452, 288, 36, p.dark)
    pen.path("M410 470l40 150h-34l-26 -140Z", p.dark)
    pen.rect(292, 540, 84, 96, "none", 8, stroke=p.dark, stroke_width=5)


@draws("vase")
def vase(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: bottle, round, ribbed, with stems in it."""
    for _ in range(random.choice((3, 4, 5))):
        x, y = 400 + random.randint(-150, 150), random.randint(110, 220)
        pen.line(f"M400 420Q{400 + (x - 400) * 0.2:.0f} {y + 130} {x} {y}", "#7c8a5e", 6)
        kind = random.choice(("flower", "leaf"))
        if kind == "flower":
            for turn in range(0, 360, 60):
                pen.oval(x, y - 22, 13, 24, p.accent, transform=f"rotate({turn} {x} {y})")
            pen.disc(x, y, 12, "#f0d68a")
        else:
            for at in range(3):
                pen.oval(
                    x,
                    y + at * 40,
                    34,
                    13,
                    "#8fa777",
                    transform=f"rotate({-40 if at % 2 else 40} {x} {y + at * 40})",
                )
    pen.shadow(400, 646, 190)
    if style == "round":
        d = (
            "M356 380H444Q450 410 500 430Q580 480 550 560Q520 646 400 646T250 560Q220 480 300 430"
            "Q350 410 356 380Z"
        )
    elif style == "ribbed":
        d = "M300 350H500L470 640H330Z"
    else:
        d = "M370 320H430V430Q520 470 510 560Q505 646 400 646T290 560Q280 470 370 430Z"
    pen.path(d, pen.round(p.base))
    pen.clip(d)
    if style == "ribbed":
        for x in range(306, 500, 24):
            pen.line(f"M{x} 340V650", p.dark, 5, opacity=0.4)
    elif random.random() < 0.5:
        pen.rect(200, random.randint(520, 560), 400, 120, p.cream, opacity=0.7)
    pen.end()
    pen.line("M322 520Q326 580 350 606", "#ffffff", 11, opacity=0.45)


def _cushion_print(pen: Pen, p: Palette, random: Random, style: str) -> None:
    if style == "stripe":
        for x in range(220, 620, random.choice((48, 62, 76))):
            pen.rect(x, 200, 20, 460, p.pale, opacity=0.8)
    elif style == "dots":
        for row in range(7):
            for column in range(7):
                pen.disc(220 + column * 62 + (row % 2) * 30, 250 + row * 60, 11, p.pale)
    elif style == "arcs":
        for row in range(4):
            for column in range(4):
                for r in (48, 30, 12):
                    pen.ring(250 + column * 100, 280 + row * 100, r, p.accent if r == 30 else p.pale, 7)


@draws("cushion")
def cushion(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: stripe, dots, plain (piped), arcs, tassel."""
    pen.shadow(400, 640, 260)
    shape = "M190 220Q400 256 610 220Q580 430 610 630Q400 596 190 630Q220 430 190 220Z"
    pen.group(f"rotate({random.randint(-9, 9)} 400 430)")
    if style == "tassel":
        for x, y in ((190, 220), (610, 220), (190, 630), (610, 630)):
            pen.disc(x, y, 24, p.accent)
            pen.line(f"M{x} {y}l{-28 if x < 400 else 28} {-16 if y < 400 else 34}", p.accent, 16)
    pen.path(shape, pen.sheen(p.base))
    pen.clip(shape)
    _cushion_print(pen, p, random, style)
    pen.end()
    pen.path(shape, "none", stroke=p.dark, stroke_width=7, opacity=0.6)
    pen.end()


@draws("candle")
def candle(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: glass, tin, pillar."""
    pen.oval(400, 260, 220, 200, pen.glow("#ffe9b0", 0.9))
    pen.shadow(400, 646, 220)
    if style == "pillar":
        for x, h, w in ((300, 220, 104), (420, 320, 112), (526, 160, 92)):
            pen.rect(x - w / 2, 644 - h, w, h, pen.round(p.base), 12)
            pen.oval(x, 646 - h, w / 2, 14, p.pale)
            pen.path(f"M{x} {560 - h}q34 50 0 76q-34 -26 0 -76Z", "#f2b04e")
        return
    h = 150 if style == "tin" else random.randint(240, 280)
    pen.rect(270, 640 - h, 260, h, pen.round(p.base), 22)
    pen.oval(400, 644 - h, 128, 24, p.pale)
    pen.path(f"M400 {520 - h}q46 70 0 112q-46 -42 0 -112Z", "#f2b04e")
    pen.path(f"M400 {566 - h}q22 36 0 60q-22 -24 0 -60Z", "#fdeabc")
    pen.rect(316, 656 - h * 0.74, 168, h * 0.48, p.cream, 10)
    pen.rect(346, 656 - h * 0.62, 108, 9, p.accent, 4)
    pen.rect(366, 656 - h * 0.46, 68, 7, "#b9b3a6", 3)


@draws("plant")
def plant(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A planter with greenery; styles: stand, pot, bowl."""
    for at in range(random.choice((7, 9))):
        turn = -70 + at * 140 / 8
        green = random.choice(("#6e8f68", "#86a67a", "#587a58"))
        pen.group(f"rotate({turn:.0f} 400 420)")
        reach = random.randint(150, 250)
        pen.path(
            f"M400 420Q{340} {420 - reach * 0.6:.0f} 400 {420 - reach}Q460 {420 - reach * 0.6:.0f} 400 420Z",
            green,
        )
        pen.line(f"M400 410V{440 - reach}", "#ffffff", 3, opacity=0.35)
        pen.end()
    pen.shadow(400, 648, 190)
    if style == "stand":
        pen.line("M310 500L290 644M490 500L510 644M400 520V640", "#a97a4c", 14)
        pen.path("M280 400H520L490 560H310Z", pen.round(p.base))
    elif style == "bowl":
        pen.path("M230 420H570Q560 644 400 644T230 420Z", pen.round(p.base))
    else:
        pen.path("M270 410H530L500 644H300Z", pen.round(p.base))
        pen.rect(256, 400, 288, 52, pen.round(p.light), 10)


@draws("clock")
def clock(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: wall, alarm."""
    y = 370 if style == "wall" else 430
    r = 230 if style == "wall" else 180
    if style == "alarm":
        pen.shadow(400, 646, 200)
        pen.line("M300 570L270 640M500 570L530 640", p.dark, 20)
        for x in (290, 510):
            pen.disc(x, 270, 54, pen.sheen(p.accent))
        pen.line("M400 250V220", p.dark, 16)
    else:
        pen.disc(414, 390, r + 8, "#2a2233", opacity=0.16)
    pen.disc(400, y, r, pen.sheen(p.base))
    pen.disc(400, y, r - 26, p.cream)
    for at in range(12):
        a = at * pi / 6
        dx, dy = sin(a) * (r - 52), -cos(a) * (r - 52)
        pen.disc(400 + dx, y + dy, 9 if at % 3 == 0 else 5, p.ink)
    hour = random.randint(0, 11)
    a, b = hour * pi / 6 + 0.26, random.choice((1, 2, 10, 11)) * pi / 6
    pen.line(f"M400 {y}l{sin(a) * r * 0.42:.0f} {-cos(a) * r * 0.42:.0f}", p.ink, 15)
    pen.line(f"M400 {y}l{sin(b) * r * 0.6:.0f} {-cos(b) * r * 0.6:.0f}", p.ink, 9)
    pen.disc(400, y, 14, p.accent)
