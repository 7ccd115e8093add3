"""Suitcases, trunks and bags."""

from __future__ import annotations

from random import Random

from demo.draw.colour import Palette, mix
from demo.draw.pen import Pen
from demo.draw.registry import draws


def _wheels(pen: Pen, left: float, right: float, y: float) -> None:
    for x in (left, right):
        pen.rect(x - 16, y - 18, 32, 22, "#3b3e45", 6)
        pen.disc(x, y + 10, 17, "#2b2d33")
        pen.disc(x, y + 10, 7, "#8d9299")


def _handle(pen: Pen, x: float, half: float, top: float, bottom: float, metal: str) -> None:
    pen.line(f"M{x - half} {bottom}V{top + 12}M{x + half} {bottom}V{top + 12}", metal, 11)
    pen.rect(x - half - 16, top - 8, 2 * half + 32, 28, "#3b3e45", 13)


@draws("suitcase")
def suitcase(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A hard case, styles: ribbed, plain, grid, diagonal; add '-large' for a checked case."""
    large = style.endswith("-large")
    w, h = (350, 440) if large else (random.randint(286, 312), random.randint(352, 384))
    x, y = 400 - w / 2, 632 - h
    pen.shadow(400, 656, w * 0.72)
    _handle(pen, 400, 58, y - (78 if large else 118), y + 10, p.metal)
    _wheels(pen, x + 48, x + w - 48, 640)
    pen.rect(x, y, w, h, pen.round(p.base), 46)
    face = style.removesuffix("-large")
    if face == "ribbed":
        step = random.choice((36, 44, 52))
        for at in range(int(x) + 38, int(x + w) - 24, step):
            pen.line(f"M{at} {y + 34}V{y + h - 34}", p.dark, 9, opacity=0.55)
            pen.line(f"M{at + 9} {y + 34}V{y + h - 34}", p.light, 4, opacity=0.7)
    elif face == "grid":
        for row in range(3):
            for column in range(2):
                pen.rect(
                    x + 40 + column * (w - 70) / 2,
                    y + 44 + row * (h - 76) / 3,
                    (w - 110) / 2,
                    (h - 130) / 3,
                    p.light,
                    22,
                    opacity=0.45,
                )
    elif face == "diagonal":
        pen.clip(f"M{x + 22} {y + 30}h{w - 44}v{h - 60}h-{w - 44}Z")
        for at in range(-int(h), int(w), 46):
            pen.line(f"M{x + at} {y + h}l{h} -{h}", p.light, 8, opacity=0.5)
        pen.end()
    else:
        pen.rect(x + 26, y + 30, w - 52, h - 60, p.light, 30, opacity=0.28)
    pen.rect(x, y + h * 0.49, w, 10, p.deep, opacity=0.55)
    pen.rect(x + w - 30, y + h * 0.45, 34, 46, p.metal, 8)
    pen.rect(400 - 46, y - 10, 92, 24, p.deep, 12)
    pen.rect(x + 14, y + 40, 12, h - 90, "#ffffff", 6, opacity=0.3)
    for cx in (x, x + w - 62):
        pen.rect(cx, y + h - 52, 62, 52, p.deep, 26, opacity=0.5)


@draws("softcase")
def softcase(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A fabric trolley with front pockets; style 'tall' for the checked size."""
    w, h = (330, 430) if style == "tall" else (296, 366)
    x, y = 400 - w / 2, 630 - h
    pen.shadow(400, 656, w * 0.72)
    _handle(pen, 400, 66, y - 84, y + 10, "#50545c")
    _wheels(pen, x + 44, x + w - 44, 638)
    pen.rect(x, y, w, h, pen.sheen(p.base), 30)
    pen.rect(
        x + 12,
        y + 14,
        w - 24,
        h - 28,
        "none",
        24,
        stroke=p.dark,
        stroke_width=5,
        stroke_dasharray="10 6",
        opacity=0.7,
    )
    low = y + h * random.uniform(0.42, 0.5)
    pen.rect(x + 34, y + 44, w - 68, low - y - 68, p.light, 18, opacity=0.5)
    pen.rect(x + 34, low, w - 68, y + h - low - 36, p.dark, 20)
    pen.line(f"M{x + 52} {low + 26}H{x + w - 52}", p.accent, 7)
    pen.rect(x + w - 78, low + 22, 14, 36, p.metal, 6)
    pen.line(f"M{x + 52} {y + 66}H{x + w - 52}", p.deep, 6)
    pen.rect(350, y - 12, 100, 26, p.deep, 12)
    pen.rect(372, low + 80, 56, 30, p.accent, 6)


@draws("trunk")
def trunk(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A lying hard trunk with straps and corners."""
    w, h = random.randint(480, 520), random.randint(280, 310)
    x, y = 400 - w / 2, 640 - h
    pen.shadow(400, 648, w * 0.62)
    pen.rect(340, y - 40, 120, 60, "none", 26, stroke=p.accent, stroke_width=20)
    pen.rect(x, y, w, h, pen.sheen(p.base), 26)
    pen.rect(x, y + h * 0.36, w, 9, p.deep, opacity=0.6)
    for at in (x + 88, x + w - 128):
        pen.rect(
            at, y, 40, h, pen.fade([(0, mix(p.accent, "#ffffff", 0.2)), (1, mix(p.accent, "#1d2130", 0.2))])
        )
        pen.rect(at - 6, y + h * 0.36 - 20, 52, 46, "none", 6, stroke=p.metal, stroke_width=8)
    for cx, cy in ((x, y), (x + w - 52, y), (x, y + h - 52), (x + w - 52, y + h - 52)):
        pen.rect(cx, cy, 52, 52, p.dark, 22)
        pen.disc(cx + 26, cy + 26, 6, p.metal)
    pen.rect(370, y + h * 0.36 - 22, 60, 52, p.metal, 8)
    pen.disc(400, y + h * 0.36 + 8, 8, p.ink)


@draws("backpack")
def backpack(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: roll (roll top), flap (straps over a lid), zip (round top)."""
    w = random.randint(296, 330)
    x = 400 - w / 2
    pen.shadow(400, 648, w * 0.7)
    pen.line(f"M{x + 8} 360q-56 90 -20 230M{x + w - 8} 360q56 90 20 230", p.deep, 30)
    if style == "roll":
        pen.path(
            f"M{x + 20} 250H{x + w - 20}L{x + w} 640H{x}Z",
            pen.sheen(p.base),
            stroke=p.base,
            stroke_width=24,
            stroke_linejoin="round",
        )
        pen.rect(x + 8, 196, w - 16, 66, pen.fade([(0, p.light), (1, p.dark)], 0, 1), 30)
        pen.rect(384, 190, 32, 190, p.accent, 6)
        pen.rect(376, 330, 48, 40, p.metal, 8)
    else:
        pen.line("M350 206q0 -66 50 -66t50 66", p.deep, 18)
        top = 196
        pen.path(
            f"M{x} {top + 140}Q{x} {top} 400 {top}T{x + w} {top + 140}V590"
            f"Q{x + w} 642 {x + w - 50} 642H{x + 50}Q{x} 642 {x} 590Z",
            pen.sheen(p.base),
        )
        pen.line(f"M{x + 26} 350Q{x + 30} 230 400 226T{x + w - 26} 350", p.dark, 7)
    if style == "flap":
        pen.path(
            f"M{x - 6} 330Q{x} 190 400 190T{x + w + 6} 330V400Q400 450 {x - 6} 400Z",
            pen.fade([(0, p.light), (1, p.base)], 0, 1),
        )
        for at in (x + 70, x + w - 100):
            pen.rect(at, 340, 30, 150, p.accent, 8)
            pen.rect(at - 5, 436, 40, 34, "none", 5, stroke=p.metal, stroke_width=7)
    pen.rect(x + 34, 470, w - 68, 140, p.dark, 26)
    pen.rect(x + 34, 470, w - 68, 44, p.light, 22, opacity=0.5)
    pen.line(f"M{x + 58} 496H{x + w - 58}", p.deep, 6)
    pen.rect(378, 540, 44, 30, p.accent, 5)


@draws("tote")
def tote(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: leather, canvas (band at the foot), stripe."""
    top, foot = random.randint(170, 190), random.randint(196, 220)
    pen.shadow(400, 650, 300)
    pen.line("M318 380C300 150 500 150 482 380", p.deep, 20)
    body = (
        f"M{400 - top} 330H{400 + top}L{400 + foot} 620Q{400 + foot} 644 {380 + foot} 644"
        f"H{420 - foot}Q{400 - foot} 644 {400 - foot} 620Z"
    )
    pen.path(body, pen.sheen(p.base))
    pen.clip(body)
    if style == "canvas":
        pen.rect(150, 550, 500, 100, p.accent)
        pen.line("M170 560H630", p.cream, 3, stroke_dasharray="12 8")
    elif style == "stripe":
        for y in range(380, 640, random.choice((52, 64))):
            pen.rect(150, y, 500, 22, p.pale, opacity=0.85)
    else:
        pen.line(f"M{420 - foot} 600H{380 + foot}", p.dark, 4, stroke_dasharray="12 8")
    pen.end()
    pen.line(f"M{410 - top} 346H{390 + top}", p.dark, 5, opacity=0.8)
    pen.line("M318 400C304 210 496 210 482 400", mix(p.accent, "#1d2130", 0.25), 18)
    for x in (318, 482):
        pen.rect(x - 17, 384, 34, 50, p.dark, 8)
        pen.disc(x, 412, 6, p.metal)
    pen.rect(470, 470, 46, 70, p.accent, 8, transform="rotate(8 490 470)")


@draws("duffel")
def duffel(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A long weekend bag; style 'pocket' adds a front pocket."""
    half = random.randint(242, 266)
    pen.shadow(400, 640, half * 1.2)
    pen.line(f"M{420 - half} 430C{300 - half} 200 {500 + half} 200 {380 + half} 430", p.deep, 14, opacity=0.8)
    pen.path(
        f"M{400 - half} 500Q{400 - half} 370 {520 - half} 362H{280 + half}"
        f"Q{400 + half} 370 {400 + half} 500V590Q{400 + half} 636 {350 + half} 636"
        f"H{450 - half}Q{400 - half} 636 {400 - half} 590Z",
        pen.fade([(0, p.light), (0.5, p.base), (1, p.dark)], 0, 1),
    )
    pen.line(f"M{500 - half} 384H{300 + half}", p.deep, 7)
    pen.rect(282 + half, 376, 40, 16, p.metal, 6)
    for x in (250, 520):
        pen.rect(x, 374, 30, 262, p.accent)
    pen.line("M265 400C270 250 530 250 535 400", p.accent, 22)
    pen.rect(352, 268, 96, 34, mix(p.accent, "#1d2130", 0.3), 16)
    for x in (405 - half, 365 + half):
        pen.path(f"M{x} 470h30v150h-30Z", p.deep, opacity=0.45)
    if style == "pocket":
        pen.rect(300, 470, 200, 130, p.dark, 18, opacity=0.7)
        pen.line("M320 496H480", p.pale, 5)


@draws("sling")
def sling(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A cross-body bag; styles: round, square."""
    corner = 120 if style == "round" else 44
    pen.shadow(400, 632, 240)
    pen.line("M246 440C150 150 470 60 560 220S560 420 556 440", p.deep, 20)
    pen.rect(508, 214, 66, 46, p.metal, 10, transform="rotate(30 540 236)")
    pen.rect(220, 392, 360, 234, pen.sheen(p.base), corner)
    pen.path("M222 470Q400 540 578 470V430Q570 392 500 392H300Q230 392 222 430Z", p.light, opacity=0.55)
    pen.line("M262 470Q400 520 538 470", p.dark, 7)
    pen.rect(528, 462, 14, 46, p.accent, 6)
    pen.rect(370, 552, 60, 26, p.accent, 6)
    pen.line("M256 590Q400 622 544 590", p.deep, 4, stroke_dasharray="12 8", opacity=0.6)
