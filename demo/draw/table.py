"""Kitchen and dining."""

from __future__ import annotations

from random import Random

from demo.draw.colour import Palette, mix
from demo.draw.pen import Pen
from demo.draw.registry import draws


def _steam(pen: Pen, x: float, y: float) -> None:
    for at in (-36, 6, 46):
        pen.line(f"M{x + at} {y}q-22 -34 0 -66t0 -64", "#ffffff", 9, opacity=0.55)


@draws("mug")
def mug(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: dip (two glazes), speckle, band, pair."""
    places: tuple[tuple[int, str, float], ...]
    if style == "pair":
        places = ((262, p.accent, 0.8), (492, p.base, 1.0))
    else:
        places = ((380, p.base, 1.2),)
    for x, colour, size in places:
        pen.group(f"translate({x} 640) scale({size})")
        pen.shadow(10, 4, 170, 22)
        pen.ring(118, -130, 58, mix(colour, "#1d2130", 0.2), 24)
        pen.path("M-112 -250H112V-40Q112 0 72 0H-72Q-112 0 -112 -40Z", pen.round(colour))
        pen.oval(0, -250, 112, 24, mix(colour, "#ffffff", 0.4))
        pen.oval(0, -246, 98, 18, "#5a3d2c")
        if style == "dip":
            pen.path(
                "M-112 -130Q-50 -100 0 -128T112 -130V-40Q112 0 72 0H-72Q-112 0 -112 -40Z",
                p.cream,
                opacity=0.9,
            )
        if style == "speckle":
            for _ in range(26):
                pen.disc(
                    random.randint(-100, 100),
                    random.randint(-214, -12),
                    random.choice((2, 3, 4)),
                    p.deep,
                    opacity=0.6,
                )
        if style == "band":
            for y in (-180, -150):
                pen.rect(-112, y, 224, 12, p.accent)
        pen.rect(-90, -210, 14, 150, "#ffffff", 7, opacity=0.4)
        _steam(pen, 0, -280)
        pen.end()


@draws("teapot")
def teapot(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: round, cast (knobbly iron), glass."""
    pen.shadow(400, 644, 250)
    body = pen.sheen(p.base)
    handle = p.accent if style != "cast" else p.deep
    pen.line("M270 380C280 190 520 190 530 380", handle, 20)
    pen.path("M560 470Q640 450 660 350L696 340Q690 540 560 560Z", body)
    fade = 0.55 if style == "glass" else 1
    pen.path(
        "M210 480Q210 360 400 350Q590 360 590 480Q590 620 480 640H320Q210 620 210 480Z", body, opacity=fade
    )
    if style == "glass":
        pen.path("M222 490H578Q576 610 478 628H322Q224 610 222 490Z", "#b9702f", opacity=0.6)
    if style == "cast":
        for row in range(5):
            for column in range(9):
                pen.disc(256 + column * 36 + (row % 2) * 14, 430 + row * 36, 8, p.light, opacity=0.55)
    pen.oval(400, 366, 116, 30, p.dark)
    pen.oval(400, 356, 110, 26, p.light)
    pen.disc(400, 322, 20, handle)
    pen.path(
        "M250 450Q262 400 320 386",
        "none",
        stroke="#ffffff",
        stroke_width=13,
        stroke_linecap="round",
        opacity=0.5,
    )


@draws("pan")
def pan(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: casserole (lid and two ears), skillet."""
    if style == "skillet":
        pen.shadow(370, 600, 300)
        pen.group(f"rotate({random.randint(-30, -18)} 360 440)")
        pen.rect(540, 416, 260, 48, pen.fade([(0, p.dark), (1, p.accent)]), 24)
        pen.disc(770, 440, 10, p.wall)
        pen.disc(350, 440, 220, p.dark)
        pen.disc(350, 440, 204, pen.sheen(p.base))
        pen.disc(350, 440, 166, p.dark, opacity=0.5)
        pen.path(
            "M230 380Q270 310 350 300",
            "none",
            stroke="#ffffff",
            stroke_width=12,
            stroke_linecap="round",
            opacity=0.35,
        )
        pen.end()
        return
    pen.shadow(400, 646, 290)
    for x in (158, 574):
        pen.rect(x, 430, 68, 46, "none", 20, stroke=p.dark, stroke_width=18)
    pen.path("M190 400H610V570Q610 640 540 640H260Q190 640 190 570Z", pen.round(p.base))
    pen.path(
        f"M178 404Q190 {random.randint(290, 320)} 400 {random.randint(286, 306)}T622 404Z",
        pen.fade([(0, p.light), (1, p.dark)]),
    )
    pen.rect(174, 392, 452, 24, p.dark, 12)
    pen.rect(374, 262, 52, 44, p.accent, 16)
    pen.rect(214, 440, 16, 150, "#ffffff", 8, opacity=0.35)


@draws("knives")
def knives(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Three knives side by side; style 'block' puts them in wood."""
    if style == "block":
        pen.shadow(400, 646, 230)
        pen.group("rotate(12 400 500)")
        for x, h in ((300, 150), (360, 180), (420, 164), (480, 130)):
            pen.rect(x, 360 - h, 34, h + 20, pen.round(p.base), 12)
            pen.disc(x + 17, 360 - h + 34, 5, p.metal)
        pen.rect(270, 350, 260, 290, pen.sheen("#b98a5a"), 20)
        for x in (300, 360, 420, 480):
            pen.rect(x - 4, 350, 42, 14, "#6d4a2c", 6)
        pen.end()
        return
    pen.shadow(400, 660, 240)
    for at, (x, length) in enumerate(((270, 380), (400, 320), (520, 240))):
        pen.path(
            f"M{x - 34} {480 - length}Q{x + 44} {520 - length} {x + 36} 470H{x - 34}Z",
            pen.fade([(0, "#eef1f3"), (0.5, p.metal), (1, "#9aa0a8")]),
        )
        pen.rect(x - 36, 466, 74, 20, p.metal, 4)
        pen.rect(x - 30, 484, 58, 160, pen.round(p.base), 18)
        for y in (520, 566, 612):
            pen.disc(x, y - at, 6, p.accent)


@draws("plates")
def plates(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A plate standing behind a small one and a bowl; styles: rim, wave, plain."""
    pen.shadow(400, 646, 310)
    pen.disc(430, 400, 236, pen.sheen(p.base))
    pen.disc(430, 400, 168, p.light)
    pen.disc(430, 400, 156, mix(p.base, "#ffffff", 0.12))
    if style == "rim":
        pen.ring(430, 400, 226, p.accent, 9)
    if style == "wave":
        for at in range(0, 360, 20):
            pen.line("M430 178q14 16 0 36", p.accent, 8, transform=f"rotate({at} 430 400)")
    low = random.choice((p.dark, p.accent))
    pen.path("M150 510H420Q410 640 330 640H240Q160 640 150 510Z", pen.round(low))
    pen.oval(285, 510, 135, 30, mix(low, "#ffffff", 0.45))
    pen.oval(285, 514, 118, 22, mix(low, "#1d2130", 0.2))


@draws("glass")
def glass(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Glassware; styles: tumbler, wine, carafe."""
    drink = p.base
    pen.shadow(400, 650, 260)
    if style == "wine":
        for x, s in ((290, 0.92), (500, 1.05)):
            pen.group(f"translate({x} 646) scale({s})")
            pen.oval(0, -4, 86, 14, "#ffffff", opacity=0.75)
            pen.rect(-6, -210, 12, 206, "#ffffff", opacity=0.75)
            pen.path("M-92 -420Q-120 -210 0 -204T92 -420Z", "#ffffff", opacity=0.5)
            pen.path("M-99 -340Q-104 -214 0 -210T99 -340Z", drink, opacity=0.85)
            pen.rect(-70, -390, 10, 110, "#ffffff", 5, opacity=0.7)
            pen.end()
        return
    places = ((290, 250), (500, 210)) if style == "tumbler" else ((540, 190),)
    if style == "carafe":
        pen.path(
            "M292 170H368V300Q450 370 450 520Q450 646 330 646T210 520Q210 370 292 300Z",
            "#ffffff",
            opacity=0.5,
        )
        pen.path("M222 470H438Q452 636 330 636T222 470Z", drink, opacity=0.75)
        pen.rect(240, 420, 12, 130, "#ffffff", 6, opacity=0.8)
    for x, h in places:
        pen.path(f"M{x - 88} {646 - h}H{x + 88}L{x + 74} 646H{x - 74}Z", "#ffffff", opacity=0.55)
        pen.path(f"M{x - 80} {646 - h * 0.6}H{x + 80}L{x + 70} 634H{x - 70}Z", drink, opacity=0.8)
        for at in (-50, -16, 18, 52):
            pen.line(f"M{x + at} {640 - h * 0.5}V636", "#ffffff", 5, opacity=0.5)
        if style == "tumbler":
            pen.rect(
                x - 30,
                646 - h * 0.78,
                58,
                58,
                "#ffffff",
                10,
                opacity=0.65,
                transform=f"rotate(14 {x} {646 - h * 0.6})",
            )


@draws("board")
def board(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A serving board with fruit and cheese; styles: round, paddle."""
    pen.shadow(400, 600, 330, 40)
    wood = pen.sheen(p.base)
    pen.group(f"rotate({random.randint(-12, 6)} 400 430)")
    if style == "round":
        pen.disc(400, 430, 232, wood)
        pen.ring(400, 430, 150, p.dark, 3, opacity=0.4)
    else:
        pen.rect(170, 270, 390, 320, wood, 50)
        pen.rect(540, 396, 180, 66, wood, 33)
        pen.disc(684, 429, 13, p.wall)
    for y in (330, 390, 452, 512):
        pen.line(f"M240 {y}q90 {random.randint(-16, 16)} 260 0", p.dark, 3, opacity=0.35)
    pen.path("M300 470L440 420L452 500L310 540Z", "#f0cf7c")
    pen.path("M300 470L440 420L436 404L296 448Z", "#f8e3a6")
    for x, y in ((340, 350), (372, 340), (356, 376), (390, 368)):
        pen.disc(x, y, 20, "#6b4a77")
        pen.disc(x - 6, y - 6, 5, "#ffffff", opacity=0.5)
    pen.path("M470 330q40 -40 60 0q-10 40 -60 0Z", "#7d9a64")
    pen.end()


@draws("bento")
def bento(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A stacked lunch box with a strap; style is the number of tiers."""
    pen.shadow(400, 646, 270)
    tiers = int(style or "2")
    h = 250 / tiers
    for row in range(tiers):
        y = 640 - (row + 1) * (h + 6)
        pen.rect(200, y, 400, h, pen.sheen(p.base if row % 2 == 0 else p.light), 36)
        pen.rect(200, y, 400, 14, p.dark, 7, opacity=0.35)
    top = 640 - tiers * (h + 6) - 66
    pen.rect(190, top, 420, 62, pen.fade([(0, mix(p.accent, "#ffffff", 0.25)), (1, p.accent)], 0, 1), 28)
    pen.rect(350, top - 6, 100, 650 - top, p.deep, 8, opacity=0.85)
    pen.line(f"M210 {top - 40}H590", "#b98a5a", 13)
    pen.line(f"M230 {top - 66}H610", "#a97a4c", 13)
