"""Jewellery and things to wear."""

from __future__ import annotations

from math import cos, pi, sin
from random import Random

from demo.draw.colour import Palette, mix
from demo.draw.pen import Pen
from demo.draw.registry import draws


@draws("necklace")
def necklace(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """On a bust; styles: drop, pearls, bar. The colour is the stone's."""
    pen.shadow(400, 690, 220)
    pen.path(
        "M330 110H470Q470 250 560 300Q640 350 620 680H180Q160 350 240 300Q330 250 330 110Z",
        pen.round("#efe7da"),
    )
    gold = random.choice(("#c99f4c", "#b9bec5", "#c58f6e"))
    low = random.randint(480, 530)
    if style == "pearls":
        for at in range(25):
            a = pi * at / 24
            pen.disc(400 - cos(a) * 132, 270 + sin(a) * 190, 15, pen.sheen(p.base))
        return
    pen.line(f"M318 250Q350 {low - 60} 400 {low - 40}T482 250", gold, 7)
    if style == "bar":
        pen.rect(350, low - 44, 100, 18, gold, 9)
        pen.disc(400, low - 35, 13, p.base)
    else:
        pen.path(
            f"M400 {low - 50}Q446 {low + 20} 400 {low + 54}Q354 {low + 20} 400 {low - 50}Z",
            pen.sheen(p.base),
            stroke=gold,
            stroke_width=8,
        )
        pen.disc(390, low + 8, 7, "#ffffff", opacity=0.8)


@draws("earrings")
def earrings(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A pair on a card; styles: hoop, stud, drop."""
    pen.shadow(400, 660, 210)
    pen.rect(210, 160, 380, 490, mix(p.cream, "#ffffff", 0.4), 26)
    pen.rect(210, 160, 380, 490, "none", 26, stroke=p.accent, stroke_width=4, opacity=0.5)
    pen.rect(340, 200, 120, 12, p.accent, 6)
    gold = random.choice(("#c99f4c", "#b9bec5", "#c58f6e"))
    for x in (310, 490):
        pen.disc(x, 340, 9, gold)
        if style == "hoop":
            pen.ring(x, 430, 80, gold, 17)
            pen.ring(x - 3, 427, 80, "#ffffff", 4, opacity=0.5)
            pen.disc(x, 510, 17, p.base)
        elif style == "stud":
            pen.path(f"M{x} 350l46 30v50l-46 30l-46 -30v-50Z", pen.sheen(p.base), stroke=gold, stroke_width=8)
            pen.path(f"M{x - 40} 384L{x} 404L{x + 40} 384M{x} 404V452", "none", stroke=p.pale, stroke_width=4)
        else:
            pen.rect(x - 3, 340, 6, 90, gold)
            pen.oval(x, 490, 38, 62, pen.sheen(p.base))
            pen.oval(x - 12, 470, 8, 20, "#ffffff", opacity=0.6)


def _silk_square(pen: Pen, p: Palette) -> None:
    pen.path("M400 130L670 400L400 670L130 400Z", pen.sheen(p.base))
    pen.path("M400 190L610 400L400 610L190 400Z", p.cream)
    pen.path("M400 220L580 400L400 580L220 400Z", p.light)
    for at in range(8):
        a = at * pi / 4
        pen.disc(400 + cos(a) * 92, 400 + sin(a) * 92, 20, p.accent)
        pen.oval(
            400 + cos(a) * 52,
            400 + sin(a) * 52,
            26,
            9,
            p.dark,
            transform=f"rotate({at * 45} {400 + cos(a) * 52:.1f} {400 + sin(a) * 52:.1f})",
        )
    pen.path("M400 130L670 400L540 430L400 290Z", p.dark, opacity=0.35)


@draws("scarf")
def scarf(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: loop (knotted, striped ends), square (folded silk, dots), check, plain."""
    pen.shadow(400, 668, 240)
    if style == "square":
        _silk_square(pen, p)
        return
    for x, turn, long in ((330, 6, 640), (450, -6, 600)):
        pen.group(f"rotate({turn} {x} 330)")
        tail = f"M{x - 62} 300H{x + 72}V{long}H{x - 62}Z"
        pen.path(tail, pen.round(p.base))
        pen.clip(tail)
        if style == "check":
            for dx in (-40, 6, 50):
                pen.rect(x + dx, 290, 15, 380, p.accent, opacity=0.75)
            for y in range(330, 660, 66):
                pen.rect(x - 70, y, 150, 20, p.deep, opacity=0.4)
        if style == "loop":
            for y in (long - 120, long - 84, long - 48):
                pen.rect(x - 70, y, 150, 17, p.accent)
        pen.end()
        for at in range(x - 56, x + 72, 16):
            pen.line(f"M{at} {long}v30", p.base, 6)
        pen.end()
    pen.path("M210 250Q220 130 400 130T590 250Q600 380 400 390T210 250Z", pen.sheen(p.base))
    pen.path("M280 250Q300 190 400 190T520 250Q500 290 400 292T280 250Z", p.deep)
    pen.line("M230 300Q300 360 420 366M224 260Q280 326 380 336", p.dark, 6, opacity=0.5)
    if style == "check":
        pen.line("M300 150Q240 230 300 366M500 150Q570 230 500 370", p.accent, 13, opacity=0.75)


@draws("sunglasses")
def sunglasses(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: round, square, aviator."""
    pen.shadow(400, 560, 280)
    pen.group(f"rotate({random.randint(-9, 6)} 400 420)")
    pen.line("M170 380Q150 300 250 270M630 380Q650 300 550 270", p.dark, 15)
    lens = pen.fade([(0, mix(p.accent, "#2a2f3a", 0.75)), (1, mix(p.accent, "#ffffff", 0.25))], 0.2, 1)
    shapes = {
        "round": "M{0} 420a104 104 0 1 1 208 0a104 104 0 1 1 -208 0Z",
        "square": "M{0} 350q4 -20 30 -20h150q26 0 28 20v90q-6 80 -80 80h-44q-78 0 -84 -80Z",
        "aviator": "M{0} 350q30 -34 110 -30t98 36q6 170 -92 170q-110 0 -116 -176Z",
    }
    for x in (166, 426):
        pen.path(shapes[style].format(x), lens, stroke=p.base, stroke_width=10 if style == "aviator" else 20)
        pen.line(f"M{x + 50} 390l40 -34M{x + 60} 430l76 -66", "#ffffff", 8, opacity=0.35)
    pen.line("M372 380Q400 356 428 380", p.base, 15)
    if style == "aviator":
        pen.line("M350 334H450", p.base, 9)
    pen.end()


@draws("wallet")
def wallet(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: bifold, card (with cards showing), zip."""
    pen.shadow(400, 610, 270)
    pen.group(f"rotate({random.randint(-12, 8)} 400 430)")
    if style == "card":
        for at, colour in enumerate((p.accent, p.cream, p.light)):
            pen.rect(250 + at * 6, 250 + at * 40, 290, 200, colour, 18)
            pen.rect(280 + at * 6, 268 + at * 40, 60, 10, p.dark, 5, opacity=0.5)
        pen.path("M220 400H570V580Q570 606 544 606H246Q220 606 220 580Z", pen.sheen(p.base))
        pen.path("M350 400q50 60 96 0Z", p.deep)
    else:
        pen.rect(180, 290, 440, 300, pen.sheen(p.base), 30)
        if style == "zip":
            pen.path(
                "M196 590V320Q196 306 212 306H588Q604 306 604 320V590",
                "none",
                stroke=p.accent,
                stroke_width=9,
                stroke_dasharray="6 5",
            )
            pen.rect(590, 560, 26, 70, p.metal, 8)
        else:
            pen.line("M400 292V588", p.dark, 7, opacity=0.6)
            pen.rect(430, 340, 160, 100, p.dark, 12, opacity=0.45)
            pen.line("M430 390H590", p.light, 4)
    pen.rect(238, 540, 60, 26, p.accent, 5)
    pen.line(
        "M236 578H550" if style == "card" else "M200 572H600", p.pale, 3, stroke_dasharray="10 8", opacity=0.7
    )
    pen.end()


@draws("belt")
def belt(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A coiled belt; style 'woven' shows the weave."""
    pen.shadow(400, 640, 260)
    dash = "26 9" if style == "woven" else "none"
    pen.oval(400, 440, 200, 150, "none", stroke=p.deep, stroke_width=70)
    pen.oval(400, 420, 200, 150, "none", stroke=p.base, stroke_width=66)
    pen.oval(
        400,
        420,
        200,
        150,
        "none",
        stroke=p.light,
        stroke_width=36 if style == "woven" else 4,
        stroke_dasharray=dash if style == "woven" else "12 9",
    )
    pen.line("M420 570Q560 570 680 520", p.base, 62)
    for x in (560, 600, 640):
        pen.disc(x, 570 - (x - 520) * 0.26, 6, p.deep)
    pen.rect(330, 510, 116, 120, "none", 18, stroke=random.choice(("#c9cdd2", "#c99f4c")), stroke_width=17)
    pen.line("M388 516V624", "#c9cdd2", 10)


@draws("hat")
def hat(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: fedora, beanie, cap, bucket."""
    pen.shadow(400, 590, 300)
    if style == "beanie":
        pen.path("M210 520Q200 210 400 210T590 520Z", pen.sheen(p.base))
        for x in range(240, 580, 32):
            pen.line(
                f"M{x} 500Q{x + (400 - x) * 0.25:.0f} 320 {400 + (x - 400) * 0.35:.0f} 240",
                p.dark,
                5,
                opacity=0.4,
            )
        pen.rect(190, 470, 420, 106, pen.fade([(0, p.light), (1, p.base)], 0, 1), 36)
        pen.rect(360, 500, 80, 44, p.accent, 8)
    elif style == "cap":
        pen.path("M450 500Q600 470 690 560Q560 600 420 560Z", p.dark)
        pen.path("M190 540Q180 270 370 270T560 540Q400 590 190 540Z", pen.sheen(p.base))
        pen.line("M372 276Q300 380 300 552M376 276Q480 380 470 552", p.dark, 5, opacity=0.6)
        pen.disc(372, 270, 14, p.accent)
    else:
        brim = 300 if style == "fedora" else 240
        pen.oval(400, 540, brim, 60, pen.sheen(p.dark))
        crown = "M270 530Q260 330 310 290Q400 330 490 290Q540 330 530 530Q400 566 270 530Z"
        if style == "bucket":
            pen.path("M290 330L170 550Q400 620 630 550L510 330Z", pen.sheen(p.base))
            crown = "M290 450V310Q400 270 510 310V450Q400 480 290 450Z"
        pen.path(crown, pen.sheen(p.base))
        band = (
            "M272 476Q400 514 528 476V520Q400 556 272 520Z"
            if style == "fedora"
            else "M288 436Q400 466 512 436V454Q400 486 288 454Z"
        )
        pen.path(band, p.accent)
