"""Audio and power."""

from __future__ import annotations

from random import Random

from demo.draw.colour import Palette, mix
from demo.draw.pen import Pen
from demo.draw.registry import draws


@draws("headphones")
def headphones(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: over (large oval cups), on (round cups), studio (open mesh)."""
    pen.shadow(400, 660, 250)
    spread = random.randint(180, 200)
    pen.line(f"M{400 - spread} 470V390Q{400 - spread} 170 400 170T{400 + spread} 390V470", p.dark, 30)
    pen.line(
        f"M{430 - spread} 320Q{460 - spread} 196 400 196T{370 + spread} 320",
        p.accent if style == "studio" else p.light,
        14,
    )
    for side in (-1, 1):
        x = 400 + side * spread
        pen.rect(x - 11, 370, 22, 90, p.metal, 8)
        wide, high = (62, 112) if style == "over" else (66, 82)
        pen.oval(x - side * 34, 520, wide * 0.72, high * 0.94, p.deep)
        pen.oval(x, 520, wide, high, pen.sheen(p.base))
        pen.oval(x + side * 8, 520, wide * 0.66, high * 0.7, p.light, opacity=0.4)
        if style == "studio":
            for dy in range(-50, 60, 18):
                pen.line(f"M{x - 30} {520 + dy}h60", p.deep, 5, opacity=0.55)
        else:
            pen.disc(x + side * 8, 520, 15, p.accent)
    if style == "on":
        pen.line(f"M{400 - spread} 600q-40 110 120 96", p.deep, 8)


@draws("earbuds")
def earbuds(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A charging case with two buds; styles: stem, bean, hook."""
    pen.shadow(400, 650, 290)
    pen.rect(200, 290, 300, 130, pen.sheen(p.light), 60)
    pen.rect(226, 330, 248, 90, p.deep, 40)
    pen.rect(190, 400, 320, 240, pen.sheen(p.base), 80)
    pen.rect(190, 400, 320, 18, p.dark, 9, opacity=0.5)
    pen.disc(350, 520, 9, "#8fe0a8")
    pen.path(
        "M226 460Q222 580 280 612",
        "none",
        stroke="#ffffff",
        stroke_width=11,
        stroke_linecap="round",
        opacity=0.4,
    )
    shell = p.cream if style == "stem" else p.base
    for x, y, turn in ((580, 330 + random.randint(-14, 14), -16), (600, 540, 24)):
        pen.group(f"rotate({turn} {x} {y})")
        if style == "hook":
            pen.line(f"M{x + 20} {y - 30}q70 -110 -40 -120t-60 120", p.dark, 15)
        if style == "stem":
            pen.rect(x + 2, y - 10, 34, 134, pen.round(shell), 17)
        pen.oval(x - 46, y + 12, 24, 32, p.deep, transform=f"rotate(-20 {x - 46} {y + 12})")
        pen.oval(x, y, 56, 50, pen.sheen(shell))
        pen.disc(x + 18, y - 6, 11, p.accent)
        pen.end()


@draws("speaker")
def speaker(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: can, box (two drivers), ball, handle."""
    pen.shadow(400, 646, 240)
    if style == "ball":
        pen.disc(400, 440, 204, pen.sheen(p.base))
        pen.disc(400, 440, 136, p.dark)
        pen.disc(400, 440, 118, pen.sheen(p.deep))
        pen.disc(400, 440, 46, p.accent)
        pen.rect(320, 628, 160, 20, p.dark, 10)
        return
    if style == "handle":
        pen.line("M250 400Q250 250 400 250T550 400", p.accent, 24)
        pen.rect(180, 370, 440, 270, pen.sheen(p.base), 80)
        for driver in (300, 500):
            pen.disc(driver, 505, 82, p.dark)
            pen.ring(driver, 505, 66, p.light, 5)
            pen.disc(driver, 505, 26, p.accent)
        return
    w, h = (250, 400) if style == "can" else (290, 440)
    x, y = 400 - w / 2, 640 - h
    pen.rect(x, y, w, h, pen.round(p.base), 96 if style == "can" else 24)
    if style == "can":
        for row in range(13):
            pen.line(
                f"M{x + 30 + (row % 2) * 10} {y + 76 + row * 21}H{x + w - 26}",
                p.deep,
                8,
                stroke_dasharray="0 20",
                opacity=0.7,
            )
        pen.oval(400, y + 26, w / 2 - 40, 17, p.accent)
    else:
        pen.rect(x + 16, y + 16, w - 32, h - 32, p.deep, 16)
        for cy, r in ((y + 120, 62), (y + 296, 96)):
            pen.disc(400, cy, r, p.ink)
            pen.disc(400, cy, r - 12, pen.sheen("#565b64"))
            pen.disc(400, cy, r * 0.34, p.accent)


@draws("soundbar")
def soundbar(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """A bar; style 'sub' stands a bass box behind it."""
    pen.shadow(400, 606, 360)
    if style == "sub":
        pen.rect(500, 300, 190, 290, pen.sheen(p.dark), 18)
        pen.disc(595, 430, 64, p.ink)
        pen.disc(595, 430, 26, p.accent)
    pen.rect(150, 180, 500 if style != "sub" else 320, 260, "#3b4048", 12)
    pen.rect(
        162,
        192,
        476 if style != "sub" else 296,
        236,
        pen.fade([(0, "#7fa3b8"), (0.6, "#d9b08c"), (1, "#6d5a6b")], 0.3, 1),
        6,
    )
    pen.rect(80, 510, 640, 84, pen.fade([(0, p.light), (0.4, p.base), (1, p.dark)], 0, 1), 34)
    for x in range(116, 690, 16):
        pen.line(f"M{x} 530V576", p.deep, 5, opacity=0.35)
    pen.rect(372, 546, 56, 13, p.accent, 6)


@draws("radio")
def radio(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: portable (handle and aerial), shelf (wooden case), turntable."""
    pen.shadow(400, 640, 310)
    if style == "turntable":
        pen.path("M150 470H650L690 600H110Z", pen.sheen(p.base))
        pen.rect(110, 596, 580, 44, p.dark, 12)
        pen.oval(350, 520, 190, 58, "#26282d")
        for rx in (150, 110, 70):
            pen.oval(350, 520, rx, rx * 0.3, "none", stroke="#4b4f57", stroke_width=3)
        pen.oval(350, 520, 54, 16, p.accent)
        pen.disc(590, 490, 20, p.metal)
        pen.line("M590 490L540 560L470 556", p.metal, 10)
        return
    wood = style == "shelf"
    if not wood:
        pen.line("M560 350L640 130", p.metal, 8)
        pen.line("M230 350Q230 260 400 260T570 350", p.dark, 20)
    pen.rect(160, 340, 480, 290, pen.sheen("#a97a4c" if wood else p.base), 40)
    pen.rect(190, 370, 250, 230, p.base if wood else p.cream, 20)
    for y in range(392, 592, 20):
        pen.line(f"M208 {y}H422", p.dark, 7, opacity=0.5)
    pen.rect(470, 380, 140, 70, p.cream if wood else p.ink, 10)
    pen.rect(530 + random.randint(-40, 40), 386, 6, 58, "#d4553f")
    pen.disc(510, 540, 40, p.accent)
    pen.disc(586, 540, 26, p.dark)
    pen.rect(507, 506, 6, 30, p.cream, 3)


@draws("powerbank")
def powerbank(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: slab, stick, magnet (with a phone)."""
    pen.shadow(400, 640, 210)
    pen.group(f"rotate({random.randint(-14, 14)} 400 420)")
    if style == "magnet":
        pen.rect(270, 150, 230, 460, "#3a3e46", 40)
        pen.rect(282, 162, 206, 436, mix(p.wall, "#1d2130", 0.2), 32)
        pen.rect(330, 300, 210, 310, pen.sheen(p.base), 36)
        pen.ring(435, 420, 66, p.pale, 9)
        y = 570
    else:
        w, h = (230, 420) if style == "slab" else (140, 440)
        pen.rect(400 - w / 2, 630 - h, w, h, pen.sheen(p.base), 34)
        pen.rect(400 - w / 2 + 18, 650 - h, 10, h - 60, "#ffffff", 5, opacity=0.4)
        pen.rect(360, 622 - h, 80, 16, p.ink, 8)
        pen.path("M412 350L360 440H400L386 510L444 412H404Z", p.accent)
        y = 590
    for at in range(4):
        pen.disc(
            400 + (at - 1.5) * 26 + (35 if style == "magnet" else 0), y, 6, "#8fe0a8" if at < 3 else p.dark
        )
    pen.end()


@draws("charger")
def charger(pen: Pen, p: Palette, random: Random, style: str) -> None:
    """Styles: wall (plug block with cable), pad (round wireless), stand, cable (coiled)."""
    pen.shadow(400, 640, 240)
    if style == "cable":
        for r in (170, 140, 110):
            pen.oval(400, 450, r, r * 0.86, "none", stroke=p.base if r != 140 else p.dark, stroke_width=22)
        pen.rect(372, 282, 56, 340, p.accent, 20)
        for x in (560, 226):
            pen.rect(x, 520, 46, 84, pen.round(p.cream), 10)
            pen.rect(x + 11, 600, 24, 30, p.metal, 4)
        return
    if style == "pad":
        pen.line("M400 560q160 60 380 40", p.dark, 13)
        pen.oval(400, 520, 230, 92, p.dark)
        pen.oval(400, 500, 230, 92, pen.sheen(p.base))
        pen.oval(400, 500, 176, 66, "none", stroke=p.pale, stroke_width=6)
        pen.group("rotate(-18 400 400)")
        pen.rect(300, 330, 220, 110, "#3a3e46", 24)
        pen.rect(310, 338, 200, 94, p.accent, 18)
        pen.end()
    elif style == "stand":
        pen.rect(300, 610, 200, 30, pen.round(p.dark), 14)
        pen.path("M370 620L340 360H460L430 620Z", pen.round(p.base))
        pen.rect(290, 150, 220, 420, "#3a3e46", 36, transform="rotate(-4 400 360)")
        pen.rect(
            302,
            162,
            196,
            396,
            pen.fade([(0, p.accent), (1, p.light)], 0.4, 1),
            28,
            transform="rotate(-4 400 360)",
        )
    else:
        for x in (330, 440):
            pen.rect(x, 180, 30, 110, pen.round(p.metal), 5)
        pen.rect(260, 270, 280, 320, pen.sheen(p.base), 54)
        for y in (420, 474):
            pen.rect(350, y, 100, 28, p.ink, 14)
        pen.rect(356, 528, 88, 26, p.accent, 8)
        pen.line("M400 590v20q0 60 90 50t220 10", p.dark, 13)
