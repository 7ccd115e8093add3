"""Small household appliances."""

from __future__ import annotations

from random import Random

from demo.draw.colour import Palette, mix
from demo.draw.pen import Pen
from demo.draw.registry import draws


@draws("fan")
def fan(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: desk, tower."""
    pen.shadow(400, 650, 180)
    if style == "tower":
        pen.oval(400, 636, 150, 24, p.dark)
        pen.rect(320, 130, 160, 500, pen.round(p.base), 76)
        for y in range(200, 520, 22):
            pen.line(f"M360 {y}H440", p.deep, 8, opacity=0.6)
        pen.disc(400, 566, 22, p.accent)
        return
    pen.rect(382, 500, 36, 120, pen.round(p.dark), 10)
    pen.oval(400, 634, 140, 26, p.base)
    pen.disc(400, 330, 212, p.pale, opacity=0.7)
    turn = random.randint(0, 110)
    for at in range(3):
        pen.path(
            "M400 330Q300 260 350 150Q440 130 450 200Q450 280 400 330Z",
            p.accent,
            transform=f"rotate({turn + at * 120} 400 330)",
        )
    for r in (206, 160, 112):
        pen.ring(400, 330, r, p.base, 9 if r == 206 else 4)
    for at in range(0, 180, 18):
        pen.line("M400 126V534", p.base, 3, transform=f"rotate({at} 400 330)", opacity=0.8)
    pen.disc(400, 330, 40, pen.sheen(p.base))


@draws("humidifier")
def humidifier(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A mist maker or diffuser; styles: drop, wood, column."""
    pen.line("M400 250q-50 -50 0 -100t10 -90", "#ffffff", 34, opacity=0.5)
    pen.line("M430 250q40 -50 6 -100", "#ffffff", 22, opacity=0.4)
    pen.shadow(400, 646, 200)
    if style == "drop":
        d = "M400 240Q560 420 560 510Q560 640 400 640T240 510Q240 420 400 240Z"
    elif style == "wood":
        d = "M330 280H470Q540 400 560 640H240Q260 400 330 280Z"
    else:
        d = "M300 290Q300 250 400 250T500 290V640H300Z"
    pen.path(d, pen.round(p.base))
    pen.clip(d)
    pen.rect(200, 556, 400, 100, "#b98a5a" if style == "wood" else p.dark, opacity=0.85)
    if style == "column":
        for y in range(320, 540, 30):
            pen.line(f"M290 {y}H510", p.light, 5, opacity=0.6)
    pen.end()
    pen.disc(400, 600, 13, p.accent)


@draws("coffee")
def coffee(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Coffee gear; styles: machine, press, dripper, grinder."""
    pen.shadow(400, 646, 230)
    if style == "press":
        pen.rect(392, 130, 16, 160, p.metal)
        pen.disc(400, 128, 26, p.accent)
        pen.rect(296, 270, 208, 370, "#ffffff", 16, opacity=0.5)
        pen.rect(304, 390, 192, 240, "#4c3325", 12, opacity=0.9)
        pen.rect(284, 262, 232, 40, pen.round(p.base), 16)
        for x in (292, 484):
            pen.rect(x, 290, 24, 350, p.base, 6)
        pen.rect(284, 600, 232, 44, pen.round(p.base), 10)
        pen.line("M512 330q110 10 90 130t-90 90", p.base, 22)
    elif style == "dripper":
        pen.path("M300 640Q270 480 350 440H450Q530 480 500 640Z", "#ffffff", opacity=0.6)
        pen.path("M296 560H504Q506 620 500 632H300Q294 620 296 560Z", "#4c3325", opacity=0.9)
        pen.path("M240 230H560L460 430H340Z", pen.round(p.base))
        for x in (300, 350, 400, 450, 500):
            pen.line(f"M{x} 250L{400 + (x - 400) * 0.5:.0f} 410", p.dark, 5, opacity=0.4)
        pen.rect(290, 424, 220, 26, p.accent, 12)
        pen.oval(400, 232, 160, 20, p.light)
    elif style == "grinder":
        pen.line("M400 230V190H540", p.metal, 15)
        pen.disc(546, 180, 26, p.accent)
        pen.rect(320, 226, 160, 230, pen.round(p.metal), 20)
        pen.rect(310, 440, 180, 204, pen.round(p.base), 24)
        pen.rect(310, 440, 180, 14, p.deep)
    else:
        pen.rect(230, 200, 340, 110, pen.sheen(p.base), 26)
        pen.rect(230, 250, 130, 380, pen.sheen(p.base), 18)
        pen.rect(210, 600, 380, 44, p.dark, 14)
        pen.rect(410, 300, 70, 50, p.metal, 8)
        pen.rect(476, 316, 110, 20, p.ink, 10)
        pen.rect(404, 500, 90, 96, pen.round(p.cream), 14)
        pen.line("M440 356V490", "#5a3d2c", 7)
        for x in (450, 494, 538):
            pen.disc(x, 252, 13, p.accent)


@draws("toaster")
def toaster(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A two- or four-slot toaster; style is '2' or '4'."""
    pen.shadow(400, 644, 280)
    places = (300, 420) if style == "4" else (340,)
    for x in places:
        pen.rect(x - 40, 220, 200 if style == "2" else 100, 200, "#d8a566", 34)
        pen.rect(x - 26, 236, 172 if style == "2" else 72, 180, "#f0d3a0", 26)
    pen.rect(190, 330, 420, 300, pen.fade([(0, p.light), (0.5, p.base), (1, p.dark)], 0, 1), 70)
    pen.rect(260, 334, 280, 18, p.deep, 9)
    pen.rect(190, 580, 420, 26, p.dark, opacity=0.5)
    pen.rect(590, 410, 56, 30, p.ink, 12)
    pen.disc(540, 520, 34, p.metal)
    pen.rect(537, 492, 6, 26, p.ink, 3)
    for x in (240, 520):
        pen.rect(x, 626, 50, 16, p.ink, 6)
    pen.rect(226, 380, 14, 150, "#ffffff", 7, opacity=0.4)


@draws("kettle")
def kettle(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: goose (swan neck), jug."""
    pen.shadow(400, 646, 240)
    if style == "goose":
        pen.line("M280 560Q180 540 200 420T130 270", p.dark, 24)
        pen.line("M520 340q120 -10 110 90t-60 120", p.accent, 26)
    else:
        pen.path("M290 300L220 280L300 390Z", p.dark)
        pen.line("M520 290q110 20 100 150t-80 140", p.accent, 32)
    pen.path("M300 290H500L560 620Q560 640 540 640H260Q240 640 240 620Z", pen.round(p.base))
    pen.path("M296 294Q310 240 400 236T504 294Z", pen.round(p.light))
    pen.disc(400, 224, 20, p.accent)
    pen.rect(236, 620, 328, 26, p.ink, 10)
    pen.rect(300, 340, 14, 220, "#ffffff", 7, opacity=0.4, transform="rotate(8 306 450)")


@draws("purifier")
def purifier(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """An upright machine; styles: tower, cube, vacuum (stick)."""
    pen.shadow(400, 650, 210)
    if style == "vacuum":
        pen.line("M520 270L340 600", p.metal, 20)
        pen.line("M500 120q110 -20 120 80t-60 70", p.dark, 22)
        pen.group("rotate(29 520 250)")
        pen.rect(470, 90, 100, 150, pen.round(p.base), 40)
        pen.rect(478, 226, 84, 130, pen.round(p.pale), 24)
        pen.rect(478, 290, 84, 66, p.dark, 24, opacity=0.5)
        pen.disc(520, 140, 20, p.accent)
        pen.end()
        pen.rect(230, 590, 200, 54, pen.round(p.dark), 22)
        pen.rect(250, 600, 160, 12, p.accent, 6)
        return
    w, h = (230, 450) if style == "tower" else (330, 340)
    x, y = 400 - w / 2, 640 - h
    pen.rect(x, y, w, h, pen.round(p.base), 54)
    pen.oval(400, y + 34, w / 2 - 34, 22, p.deep)
    pen.oval(400, y + 34, w / 2 - 60, 13, p.accent)
    for row in range(7):
        for column in range(int(w / 34) - 1):
            pen.disc(
                x + 40 + column * 34,
                y + h * 0.45 + row * h * 0.07,
                7,
                mix(p.base, "#1d2130", 0.4),
                opacity=0.6,
            )
