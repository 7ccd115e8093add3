"""The room that an object stands in: wall, floor and one quiet shape behind."""

from __future__ import annotations

from random import Random

from demo.draw.colour import Palette, mix
from demo.draw.pen import Pen

FLOOR = 640


def _disc(pen: Pen, p: Palette, random: Random) -> None:
    pen.disc(400 + random.randint(-70, 70), 350, random.randint(240, 285), mix(p.wall, "#ffffff", 0.45))


def _arch(pen: Pen, p: Palette, random: Random) -> None:
    half = random.randint(190, 235)
    top = random.randint(110, 160)
    x = 400 + random.randint(-50, 50)
    shape = f"M{x - half} {FLOOR}V{top + half}A{half} {half} 0 0 1 {x + half} {top + half}V{FLOOR}Z"
    pen.path(shape, pen.fade([(0, mix(p.wall, "#ffffff", 0.55)), (1, mix(p.wall, p.floor, 0.35))], 0, 1))


def _window(pen: Pen, p: Palette, random: Random) -> None:
    slope = random.randint(60, 130)
    light = mix(p.wall, "#ffffff", 0.5)
    for x in (130, 330, 530):
        pen.path(f"M{x} 0h150l{slope} {FLOOR}h-150Z", light, opacity=0.7)


def _hills(pen: Pen, p: Palette, random: Random) -> None:
    a, b = random.randint(380, 470), random.randint(300, 400)
    pen.path(f"M0 {a}Q200 {b} 420 {a + 30}T800 {b + 40}V{FLOOR}H0Z", mix(p.wall, p.floor, 0.4))
    pen.path(f"M0 {a + 110}Q260 {a + 20} 520 {a + 100}T800 {a + 60}V{FLOOR}H0Z", mix(p.wall, p.floor, 0.7))
    pen.disc(random.choice((150, 640)), 160, 62, mix(p.wall, "#ffffff", 0.6))


def _panel(pen: Pen, p: Palette, random: Random) -> None:
    split = random.randint(250, 550)
    pen.rect(0, 0, split, FLOOR, mix(p.wall, p.floor, 0.45))
    pen.rect(split, 0, 6, FLOOR, mix(p.wall, "#ffffff", 0.5))


def _bare(pen: Pen, p: Palette, random: Random) -> None:
    x = random.choice((200, 400, 600))
    pen.oval(x, 260, 420, 330, pen.glow("#ffffff", 0.75))


def room(pen: Pen, p: Palette, random: Random) -> None:
    """Paint the background; the floor begins at FLOOR minus a little depth."""
    pen.rect(0, 0, pen.width, pen.height, pen.fade([(0, mix(p.wall, "#ffffff", 0.12)), (1, p.wall)], 0, 1))
    random.choice((_disc, _arch, _window, _hills, _panel, _bare, _disc, _arch))(pen, p, random)
    depth = random.choice((-60, -40, -20))
    pen.rect(
        0,
        FLOOR + depth,
        800,
        800 - FLOOR - depth,
        pen.fade([(0, mix(p.floor, "#1d2130", 0.05)), (1, mix(p.floor, "#ffffff", 0.3))], 0, 1),
    )
