"""Beauty, and things to eat and drink."""

from __future__ import annotations

from random import Random

from demo.draw.colour import Palette, mix
from demo.draw.pen import Pen
from demo.draw.registry import draws


def _label(pen: Pen, p: Palette, x: float, y: float, w: float, h: float) -> None:
    """A paper label with quiet bars instead of letters."""
    pen.rect(x, y, w, h, p.cream, 8)
    pen.rect(x + w * 0.2, y + h * 0.22, w * 0.6, 11, p.dark, 5)
    pen.rect(x + w * 0.3, y + h * 0.46, w * 0.4, 7, p.accent, 3)
    pen.rect(x + w * 0.26, y + h * 0.66, w * 0.48, 7, "#c7bfae", 3)


@draws("perfume")
def perfume(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: square, round, tall, travel."""
    pen.shadow(400, 646, 210)
    cap = random.choice((p.accent, "#c99f4c", p.ink, "#b98a5a"))
    w, h, r = {
        "square": (290, 290, 34),
        "round": (300, 300, 150),
        "tall": (200, 360, 26),
        "travel": (130, 380, 60),
    }[style]
    x, y = 400 - w / 2, 640 - h
    pen.rect(370, y - 44, 60, 60, pen.round(p.metal), 6)
    pen.rect(346, y - 138, 108, 106, pen.round(cap), 14)
    pen.rect(x, y, w, h, "#ffffff", r, opacity=0.6)
    pen.rect(x + 18, y + h * 0.16, w - 36, h * 0.84 - 20, pen.sheen(p.base), max(r - 20, 10), opacity=0.9)
    _label(pen, p, 400 - w * 0.28, y + h * 0.42, w * 0.56, h * 0.32)
    pen.rect(x + 22, y + h * 0.2, 12, h * 0.5, "#ffffff", 6, opacity=0.6)


@draws("creamjar")
def creamjar(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A jar; style 'open' shows the cream and the lid beside it."""
    pen.shadow(400, 646, 250)
    if style == "open":
        pen.oval(590, 600, 110, 44, pen.sheen(p.accent))
        pen.oval(590, 588, 110, 44, mix(p.accent, "#ffffff", 0.3))
    pen.rect(240, 420, 320, 220, pen.round(p.base), 40)
    if style == "open":
        pen.oval(400, 424, 150, 40, p.dark)
        pen.oval(400, 418, 136, 34, p.cream)
        pen.path("M330 412q60 -50 120 -20q40 10 10 24q-70 26 -130 -4Z", "#ffffff")
    else:
        pen.rect(230, random.randint(316, 336), 340, 110, pen.round(p.accent), 20)
    _label(pen, p, 320, 490, 160, 100)


@draws("serum")
def serum(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: dropper, pump, tube, set (three)."""
    pen.shadow(400, 646, 260 if style == "set" else 190)
    if style == "tube":
        pen.path("M290 160H510L486 560H314Z", pen.round(p.base))
        pen.rect(286, 148, 228, 26, p.light, 4)
        pen.rect(322, 556, 156, 88, pen.round(p.accent), 14)
        _label(pen, p, 336, 300, 128, 150)
        return
    places = (
        ((250, 0.78, p.accent), (545, 0.7, p.light), (400, 1.0, p.base))
        if style == "set"
        else ((400, 1.15, p.base),)
    )
    for x, size, colour in places:
        pen.group(f"translate({x} 642) scale({size})")
        pen.rect(-90, -250, 180, 250, pen.round(colour), 30)
        if style == "pump":
            pen.rect(-14, -340, 28, 70, p.ink, 6)
            pen.path("M-46 -370H70Q100 -366 104 -330H84Q80 -344 60 -344H-46Z", p.ink)
            pen.rect(-54, -290, 108, 48, p.ink, 10)
        else:
            pen.rect(-30, -400, 60, 90, pen.round(p.dark), 28)
            pen.rect(-46, -316, 92, 72, pen.round("#c99f4c"), 8)
        _label(pen, p, -62, -190, 124, 130)
        pen.rect(-78, -226, 10, 170, "#ffffff", 5, opacity=0.5)
        pen.end()


@draws("soap")
def soap(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Soap bars; styles: stack, dish."""
    pen.shadow(400, 640, 280)
    if style == "dish":
        pen.oval(400, 590, 270, 56, "#b98a5a")
        pen.oval(400, 574, 270, 50, "#cfa676")
        pen.rect(230, 450, 340, 130, pen.sheen(p.base), 62)
        pen.oval(400, 500, 110, 30, p.dark, opacity=0.3)
        for x, y, r in ((560, 440, 24), (600, 400, 14), (226, 430, 18), (250, 396, 10)):
            pen.disc(x, y, r, "#ffffff", opacity=0.65)
        return
    for row, colour in enumerate((p.base, p.cream, p.accent)):
        y = 520 - row * 118
        pen.group(f"rotate({random.randint(-5, 5)} 400 {y + 60})")
        pen.rect(220, y, 360, 112, pen.sheen(colour), 24)
        pen.rect(340, y, 120, 112, mix(colour, "#ffffff", 0.5))
        pen.rect(366, y + 46, 68, 9, mix(colour, "#1d2130", 0.4), 4)
        pen.end()


@draws("chocolates")
def chocolates(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A box from above, open; style is columns x rows, such as 4x3."""
    columns, rows = (int(part) for part in style.split("x"))
    size = min(440 / columns, 380 / rows)
    w, h = columns * size + 40, rows * size + 40
    x, y = 400 - w / 2, 420 - h / 2
    pen.shadow(400, y + h + 14, w * 0.6, 30)
    pen.rect(x + 36, y - 46, w, h, p.dark, 16, transform=f"rotate(5 {x + w} {y})")
    pen.rect(x, y, w, h, pen.sheen(p.base), 16)
    pen.rect(x + 14, y + 14, w - 28, h - 28, p.deep, 10)
    for row in range(rows):
        for column in range(columns):
            cx, cy, r = x + 20 + (column + 0.5) * size, y + 20 + (row + 0.5) * size, size * 0.38
            colour = random.choice(("#5b3625", "#7a4a2e", "#3d261d", "#ead9bd", "#8a5a3a"))
            if random.random() < 0.5:
                pen.disc(cx, cy, r, pen.sheen(colour))
                pen.line(
                    f"M{cx - r * 0.5:.1f} {cy - r * 0.2:.1f}q{r * 0.5:.1f} {-r * 0.4:.1f} {r:.1f} 0",
                    mix(colour, "#ffffff", 0.45),
                    5,
                )
            else:
                pen.rect(cx - r, cy - r, 2 * r, 2 * r, pen.sheen(colour), 10)
                pen.disc(cx, cy, r * 0.3, random.choice(("#c99f4c", "#7d9a64", "#c26a70", "#f3e7cf")))
    pen.line(f"M{x + w * 0.1:.0f} {y + h}q40 30 {w * 0.3:.0f} 20t{w * 0.4:.0f} 10", p.accent, 13)


@draws("tin")
def tin(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A printed tin; styles: tea (tall, with a cup), biscuit (wide), pair."""
    pen.shadow(400, 646, 280)
    if style == "biscuit":
        pen.rect(170, 380, 460, 260, pen.round(p.base), 30)
        pen.rect(156, 336, 488, 84, pen.round(p.dark), 22)
        pen.rect(170, 448, 460, 10, p.accent)
        for x in (250, 400, 550):
            for turn in range(0, 360, 60):
                pen.oval(x, 526, 9, 24, p.pale, transform=f"rotate({turn} {x} 546)")
            pen.disc(x, 546, 11, p.accent)
        return
    places = ((300, p.accent, 0.8), (500, p.base, 1.0)) if style == "pair" else ((340, p.base, 1.1),)
    for x, colour, size in places:
        pen.group(f"translate({x} 640) scale({size})")
        pen.rect(-104, -300, 208, 300, pen.round(colour), 14)
        pen.rect(-110, -352, 220, 76, pen.round(mix(colour, "#1d2130", 0.3)), 14)
        _label(pen, p, -74, -220, 148, 150)
        pen.line("M-60 -40q60 26 120 0", p.pale, 6)
        pen.end()
    if style == "tea":
        pen.path("M500 540H650Q640 640 600 640H550Q510 640 500 540Z", pen.round(p.cream))
        pen.oval(575, 542, 75, 15, "#a9692f")
        pen.line("M560 500q-14 -30 0 -56", "#ffffff", 9, opacity=0.6)


@draws("pouch")
def pouch(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A stand-up bag of coffee, nuts or sweets; the style names what lies before it: bean, nut, leaf, gem."""
    pen.shadow(400, 646, 260)
    pen.path("M270 190H530L560 640H240Z", pen.round(p.base))
    pen.rect(264, 168, 272, 46, p.dark, 6)
    pen.line("M276 222H524", p.light, 4, stroke_dasharray="12 8")
    pen.disc(400, 290, 13, p.dark)
    _label(pen, p, 312, 350, 176, 170)
    crumb = {"bean": "#4c3325", "nut": "#c08a52", "leaf": "#6e8f68", "gem": "#d9788a"}[style]
    for _ in range(13):
        x, y = random.randint(190, 610), random.randint(612, 668)
        pen.oval(x, y, 21, 14, pen.sheen(crumb), transform=f"rotate({random.randint(0, 170)} {x} {y})")
        if style == "bean":
            pen.line(f"M{x - 10} {y}q10 -6 20 0", "#2c1c14", 3)


@draws("jar")
def jar(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Preserves; styles: honey (with a dipper), jam (cloth lid), trio. The colour is the contents'."""
    pen.shadow(400, 646, 260)
    places = (
        ((240, 0.72, p.accent), (560, 0.72, p.dark), (400, 0.86, p.base))
        if style == "trio"
        else ((380, 1.0, p.base),)
    )
    for x, size, colour in places:
        pen.group(f"translate({x} 642) scale({size})")
        pen.rect(-140, -310, 280, 310, "#ffffff", 50, opacity=0.6)
        pen.rect(-124, -264, 248, 250, pen.round(colour), 40, opacity=0.92)
        if style == "jam":
            pen.path(
                "M-130 -310Q-150 -240 -168 -262Q-150 -390 0 -396T168 -262Q150 -240 130 -310Z",
                pen.sheen(p.accent),
            )
            pen.line("M-132 -308Q0 -280 132 -308", p.cream, 10)
        else:
            pen.rect(-122, -374, 244, 72, pen.round("#c99f4c"), 14)
        _label(pen, p, -84, -200, 168, 120)
        pen.rect(-116, -240, 12, 180, "#ffffff", 6, opacity=0.5)
        pen.end()
    if style == "honey":
        pen.line("M690 300L596 560", "#b98a5a", 15)
        for at in range(4):
            pen.oval(
                594 - at * 7,
                566 + at * 19,
                36,
                11,
                "#a97a4c",
                transform=f"rotate(20 {594 - at * 7} {566 + at * 19})",
            )


@draws("oil")
def oil(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Bottles for oil, vinegar, syrup; styles: tall, flask, pair."""
    pen.shadow(400, 650, 220)
    places = ((310, p.accent, 0.9), (490, p.base, 1.0)) if style == "pair" else ((400, p.base, 1.05),)
    for x, colour, size in places:
        pen.group(f"translate({x} 646) scale({size})")
        if style == "flask":
            d = "M-34 -440H34V-330Q150 -250 150 -120Q150 0 80 0H-80Q-150 0 -150 -120Q-150 -250 -34 -330Z"
        else:
            d = "M-34 -500H34V-370Q90 -330 90 -280V-20Q90 0 70 0H-70Q-90 0 -90 -20V-280Q-90 -330 -34 -370Z"
        top = -440 if style == "flask" else -500
        pen.path(d, pen.round(colour))
        pen.rect(-38, top - 40, 76, 90, pen.round(random.choice(("#c99f4c", p.ink, "#b98a5a"))), 10)
        _label(pen, p, -66, -220, 132, 150)
        pen.rect(-76, -250, 10, 190, "#ffffff", 5, opacity=0.45)
        pen.end()


@draws("hamper")
def hamper(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A gift basket; style 'box' is a ribboned box."""
    pen.shadow(400, 646, 300)
    if style == "box":
        pen.rect(190, 360, 420, 280, pen.sheen(p.base), 16)
        pen.rect(174, 316, 452, 84, pen.sheen(p.light), 14)
        pen.rect(366, 316, 68, 324, p.accent)
        for side in (-1, 1):
            pen.path(
                f"M400 320Q{400 + side * 40} 200 {400 + side * 140} 236Q{400 + side * 160} 310 400 320Z",
                p.accent,
            )
        pen.disc(400, 316, 28, mix(p.accent, "#1d2130", 0.2))
        return
    pen.rect(256, 230, 84, 260, pen.round("#6b3a45"), 20)
    pen.rect(280, 160, 36, 90, pen.round("#6b3a45"), 8)
    pen.rect(360, 290, 120, 200, pen.round(p.accent), 14)
    pen.disc(540, 400, 66, "#c9764f")
    pen.oval(470, 440, 110, 60, "#d8a566")
    body = "M150 460H650L600 640H200Z"
    pen.path(body, pen.sheen(p.base))
    pen.clip(body)
    for row in range(6):
        y = 484 + row * 30
        pen.line(f"M{150 + (row % 2) * 20} {y}H660", p.dark, 18, stroke_dasharray="8 32", opacity=0.4)
    pen.end()
    pen.rect(140, 444, 520, 36, pen.round(p.dark), 18)
    pen.path("M340 480l60 40l60 -40v70l-60 -30l-60 30Z", p.accent)
