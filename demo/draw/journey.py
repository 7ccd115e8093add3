"""Small things for the journey."""

from __future__ import annotations

from random import Random

from demo.draw.colour import Palette, mix
from demo.draw.pen import Pen
from demo.draw.registry import draws


@draws("neckpillow")
def neckpillow(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A U-shaped pillow; styles: plain, wrap (raised chin rest), stripe."""
    tilt = random.randint(-14, 14)
    pen.shadow(400, 634, 250)
    pen.group(f"rotate({tilt} 400 430)")
    shape = "M270 590C150 470 200 230 400 230S650 470 530 590"
    pen.line(shape, p.dark, 146)
    pen.line(shape, p.base, 134)
    pen.line("M256 520C200 420 250 270 400 256", p.light, 34, opacity=0.75)
    pen.line("M400 166V296", p.dark, 5, opacity=0.6)
    if style == "stripe":
        for d in ("M196 430h128", "M476 430h128", "M222 330l110 50", "M578 330l-110 50"):
            pen.line(d, p.pale, 16)
    if style == "wrap":
        pen.line("M286 300Q400 200 514 300", p.accent, 30)
    pen.line("M276 604Q400 690 524 604", p.deep, 9)
    pen.rect(376, 632, 48, 30, p.metal, 10)
    pen.end()


@draws("eyemask")
def eyemask(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: silk (lashes), contour (deep cups), quilt (stitched)."""
    pen.shadow(400, 600, 280)
    pen.group(f"rotate({random.randint(-10, 10)} 400 430)")
    pen.line("M170 420C60 200 740 200 630 420", p.deep, 22)
    pen.path(
        "M150 410Q160 330 280 330H520Q640 330 650 410Q650 560 530 560Q440 560 420 500"
        "Q400 460 380 500Q360 560 270 560Q150 560 150 410Z",
        pen.sheen(p.base),
        stroke=p.dark,
        stroke_width=10,
    )
    if style == "silk":
        for x in (270, 530):
            pen.line(f"M{x - 62} 430q62 56 124 0", p.cream, 8)
            for at in (-40, 0, 40):
                pen.line(f"M{x + at} {456 - abs(at) * 0.2}l{at * 0.35} 30", p.cream, 6)
    elif style == "contour":
        for x in (272, 528):
            pen.oval(x, 440, 84, 70, p.dark, opacity=0.55)
            pen.oval(x - 10, 432, 66, 52, p.light, opacity=0.35)
    else:
        for x in range(200, 640, 60):
            pen.line(f"M{x} 350l-60 150M{x - 60} 350l60 150", p.pale, 4, opacity=0.7)
    pen.end()


def _throw_weave(pen: Pen, p: Palette, top: int, style: str) -> None:
    if style == "check":
        for x in range(340, 530, 46):
            pen.rect(x, top, 18, 330, p.accent, opacity=0.6)
        for y in range(top + 20, 620, 60):
            pen.rect(320, y, 210, 18, p.deep, opacity=0.35)
    elif style == "stripe":
        for y in range(top + 24, 620, 54):
            pen.rect(320, y, 210, 22, p.accent, opacity=0.85)
    elif style == "plain":
        for x in range(340, 520, 22):
            pen.line(f"M{x} {top}V620", p.dark, 3, opacity=0.3)


@draws("throw")
def throw(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A folded blanket; styles: check, fringe, plain, stripe."""
    pen.shadow(400, 640, 320)
    layers = random.choice((3, 4))
    for row in range(layers):
        y = 632 - (row + 1) * 74
        pen.rect(
            150 + row * 6,
            y,
            500 - row * 12,
            78,
            pen.fade([(0, p.light), (0.6, p.base), (1, p.dark)], 0, 1),
            38,
        )
    top = 632 - layers * 74
    cloth = f"M330 {top}H520V592Q425 620 330 592Z"
    pen.path(cloth, pen.sheen(p.light))
    pen.clip(cloth)
    _throw_weave(pen, p, top, style)
    pen.end()
    if style == "fringe":
        for x in range(338, 520, 18):
            pen.line(f"M{x} 596v{random.randint(34, 44)}", p.light, 7)


@draws("slippers")
def slippers(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A pair from above; style 'fold' has a band along the crease."""
    pen.shadow(400, 620, 260, 40)
    for x, turn in ((300, -8 - random.randint(0, 6)), (500, 8 + random.randint(0, 6))):
        pen.group(f"rotate({turn} {x} 420)")
        pen.path(
            f"M{x - 86} 330Q{x - 90} 190 {x} 190T{x + 86} 330L{x + 70} 560Q{x + 60} 626 {x} 626"
            f"T{x - 70} 560Z",
            p.dark,
        )
        pen.path(
            f"M{x - 72} 330Q{x - 74} 206 {x} 206T{x + 72} 330L{x + 58} 556Q{x + 48} 610 {x} 610"
            f"T{x - 58} 556Z",
            mix(p.cream, p.base, 0.15),
        )
        pen.path(f"M{x - 94} 390Q{x - 104} 178 {x} 178T{x + 94} 390Q{x} 340 {x - 94} 390Z", pen.sheen(p.base))
        pen.line(f"M{x - 88} 384Q{x} 334 {x + 88} 384", p.light, 12)
        if style == "fold":
            pen.line(f"M{x} 186V352", p.accent, 10)
        pen.end()


@draws("passport")
def passport(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A document holder with a boarding card; styles: plain, strap, stitch."""
    pen.shadow(420, 640, 230)
    pen.group(f"rotate({random.randint(-9, 9)} 400 420)")
    pen.rect(330, 150, 190, 380, p.cream, 12)
    pen.rect(330, 150, 190, 44, p.accent, 12)
    for y in (222, 246):
        pen.rect(352, y - 8, random.randint(80, 140), 8, "#b9b3a6", 4)
    pen.rect(250, 240, 300, 400, pen.sheen(p.base), 22)
    pen.rect(250, 240, 34, 400, p.dark, 16, opacity=0.6)
    pen.ring(416, 400, 62, p.pale, 7)
    pen.path(
        "M362 420L470 372Q484 368 480 384L448 402L436 452L424 456L426 414L398 426L392 444L384 446L382 428Z",
        p.pale,
    )
    pen.rect(356, 520, 120, 12, p.pale, 6)
    if style == "strap":
        pen.rect(490, 240, 26, 400, p.accent)
    if style == "stitch":
        pen.rect(266, 256, 268, 368, "none", 14, stroke=p.pale, stroke_width=4, stroke_dasharray="12 9")
    pen.end()


@draws("tag")
def tag(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Luggage tags; style 'pair' shows two."""
    pen.shadow(400, 650, 210)
    turns = ((-16, p.accent), (12, p.base)) if style == "pair" else ((random.choice((-10, 8)), p.base),)
    for turn, colour in turns:
        pen.group(f"rotate({turn} 400 220)")
        pen.line("M400 296C300 200 340 90 400 90S500 200 400 296", mix(colour, "#1d2130", 0.35), 16)
        pen.path("M340 262H460L506 320V600Q506 636 470 636H330Q294 636 294 600V320Z", pen.sheen(colour))
        pen.disc(400, 304, 20, p.wall, stroke=p.metal, stroke_width=9)
        pen.rect(328, 372, 144, 200, p.cream, 12)
        for y, w in ((404, 96), (436, 110), (468, 72), (520, 52)):
            pen.rect(346, y, w, 10, "#c7bfae", 5)
        pen.rect(328, 372, 144, 200, "#ffffff", 12, opacity=0.15)
        pen.end()


@draws("cubes")
def cubes(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Packing cubes in a stack; style is the number of cubes, 3 or 4."""
    pen.shadow(400, 644, 290)
    y = 640.0
    for row in range(int(style or "3")):
        w = 470 - row * random.randint(48, 70)
        h = 132 - row * 14
        y -= h
        colour = (p.base, p.light, p.accent, p.dark)[row]
        x = 400 - w / 2 + random.randint(-16, 16)
        pen.rect(x, y, w, h - 4, pen.sheen(colour), 24)
        pen.rect(x + 34, y + 34, w - 68, h - 66, mix(colour, "#1d2130", 0.22), 12, opacity=0.7)
        pen.line(f"M{x + 24} {y + 18}H{x + w - 24}", mix(colour, "#1d2130", 0.4), 5)
        pen.rect(x + w - 66, y + 12, 30, 13, p.metal, 5)
        pen.line(f"M{400 - 36} {y + h * 0.6}q36 26 72 0", mix(colour, "#1d2130", 0.45), 10)


@draws("adaptor")
def adaptor(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A travel plug; styles: cube, slim."""
    w, h = (300, 320) if style == "cube" else (230, 360)
    x, y = 400 - w / 2, 632 - h
    pen.shadow(400, 640, w * 0.75)
    for at in (-52, 34):
        pen.rect(400 + at, y - 62, 20, 80, pen.round(p.metal), 5)
    pen.rect(x, y, w, h, pen.sheen(p.base), 44)
    pen.rect(x, y + h - 110, w, 110, p.dark, 44, opacity=0.65)
    pen.disc(400, y + 112, 74, p.dark, opacity=0.5)
    pen.disc(400, y + 112, 62, p.light, opacity=0.5)
    for at in (-30, 18):
        pen.rect(400 + at, y + 90, 12, 44, p.ink, 5)
    for at in (-78, 8):
        pen.rect(400 + at, y + h - 76, 70, 26, p.ink, 8)
        pen.rect(400 + at + 10, y + h - 68, 50, 8, p.accent, 4)
    pen.disc(x + w - 40, y + 40, 7, "#7fd39a")


@draws("umbrella")
def umbrella(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """An open umbrella; styles: plain, panel (alternating), edge (bordered)."""
    pen.shadow(400, 656, 180)
    pen.group(f"rotate({random.randint(-14, 14)} 400 420)")
    pen.line("M400 210V590q0 50 -44 50t-44 -40", p.accent if style == "edge" else "#5b5f68", 15)
    pen.path(
        "M110 410Q130 170 400 160T690 410Q650 372 593 410Q545 372 497 410Q450 372 400 410"
        "Q350 372 303 410Q255 372 207 410Q150 372 110 410Z",
        pen.fade([(0, p.light), (0.6, p.base), (1, p.dark)], 1, 0),
    )
    second = mix(p.base, p.accent, 0.85) if style == "panel" else p.dark
    shade = 0.95 if style == "panel" else 0.28
    pen.path("M400 160Q240 230 207 410Q255 372 303 410Q320 260 400 160Z", second, opacity=shade)
    pen.path("M400 160Q560 230 593 410Q545 372 497 410Q480 260 400 160Z", second, opacity=shade)
    if style == "edge":
        pen.line(
            "M110 410Q150 372 207 410Q255 372 303 410Q350 372 400 410Q450 372 497 410"
            "Q545 372 593 410Q650 372 690 410",
            p.accent,
            10,
        )
    pen.rect(394, 130, 12, 40, p.metal, 6)
    pen.end()


@draws("washbag")
def washbag(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: boxy, hang (opened, with hook), roll."""
    if style == "hang":
        pen.shadow(400, 660, 180)
        pen.line("M400 220q-44 -80 0 -96t30 50", p.metal, 11)
        pen.rect(266, 206, 268, 440, pen.sheen(p.base), 34)
        for y, colour in ((250, p.light), (384, p.dark), (518, p.light)):
            pen.rect(290, y, 220, 106, colour, 16)
            pen.line(f"M306 {y + 22}H494", p.cream, 5)
        pen.rect(318, 404, 30, 66, p.accent, 8)
        pen.rect(370, 420, 40, 50, p.cream, 8)
        return
    tall = random.randint(224, 250)
    pen.shadow(400, 640, 270)
    pen.rect(190, 636 - tall, 420, tall, pen.sheen(p.base), 110 if style == "roll" else 48)
    pen.rect(190, 636 - tall, 420, 74, p.light, 40, opacity=0.5)
    pen.line(f"M226 {696 - tall}H574", p.deep, 8)
    pen.rect(560, 684 - tall, 34, 24, p.metal, 8)
    pen.line("M196 500q-70 20 -50 90", p.accent, 24)
    pen.rect(352, 530, 96, 44, p.accent, 8)


@draws("bottle")
def bottle(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A drinks bottle; styles: flask, sport (loop lid), tumbler."""
    w = random.randint(158, 186)
    x = 400 - w / 2
    pen.shadow(400, 648, w)
    if style == "tumbler":
        pen.path(f"M{x - 20} 270H{x + w + 20}L{x + w - 12} 646H{x + 12}Z", pen.round(p.base))
        pen.rect(x - 32, 236, w + 64, 44, pen.round(p.accent), 14)
        pen.line("M430 240L462 96", p.metal, 16)
    else:
        pen.path(
            f"M{x} 330Q{x} 268 {x + 46} 248H{x + w - 46}Q{x + w} 268 {x + w} 330V612"
            f"Q{x + w} 646 {x + w - 34} 646H{x + 34}Q{x} 646 {x} 612Z",
            pen.round(p.base),
        )
        pen.rect(x + 40, 168, w - 80, 88, pen.round(p.metal if style == "flask" else p.deep), 12)
        if style == "sport":
            pen.line(f"M{x + 50} 180q{w / 2 - 50} -120 {w - 100} 0", p.deep, 20)
    pen.rect(x, 560, w, 12, p.dark, opacity=0.35)
    pen.ring(400, 440, 34, p.pale, 6)
    pen.rect(x + 22, 320, 12, 220, "#ffffff", 6, opacity=0.35)
