"""The wide picture of the home page and one picture for each top category."""

from __future__ import annotations

from random import Random

import demo.draw.picture  # noqa: F401  (fills the registry)
from demo.draw.colour import BACKDROPS, mix, palette
from demo.draw.pen import Pen, num
from demo.draw.picture import seeded
from demo.draw.registry import ROUTINES

Placed = tuple[str, str, str, float, float, float]
CATEGORIES: dict[str, tuple[str, tuple[str, str], tuple[Placed, ...]]] = {
    "travel-luggage": (
        "A suitcase, a travel bag and a passport",
        BACKDROPS[1],
        (
            ("duffel", "", "tan", 560, 640, 0.62),
            ("suitcase", "ribbed", "teal", 290, 640, 0.98),
            ("passport", "plain", "coral", 500, 668, 0.4),
        ),
    ),
    "home-living": (
        "A lamp, a plant and a mug of coffee",
        BACKDROPS[3],
        (
            ("lamp", "cone", "terracotta", 250, 640, 0.94),
            ("plant", "pot", "ivory", 560, 640, 0.86),
            ("mug", "band", "slate", 430, 668, 0.4),
        ),
    ),
    "electronics-audio": (
        "Headphones, a portable radio and a camera",
        BACKDROPS[4],
        (
            ("headphones", "over", "midnight", 280, 636, 0.9),
            ("radio", "portable", "coral", 560, 640, 0.6),
            ("camera", "compact", "tan", 450, 676, 0.36),
        ),
    ),
    "style-taste": (
        "A bottle of scent, a gift box and a jar of honey",
        BACKDROPS[2],
        (
            ("perfume", "square", "rose", 270, 640, 0.86),
            ("hamper", "box", "emerald", 550, 640, 0.7),
            ("jar", "honey", "amber", 420, 672, 0.36),
        ),
    ),
}


def _placed(pen: Pen, what: Placed) -> None:
    """An object by its drawing, standing with its foot at (x, y)."""
    kind, style, colour, x, y, size = what
    pen.group(f"translate({num(x)} {num(y)}) scale({size}) translate(-400 -640)")
    ROUTINES[kind](pen, palette(colour, seeded("banner", kind)), seeded("banner", kind, style), style)
    pen.end()


def category(slug: str) -> str:
    """The 800 x 800 illustration of a top category. Raises KeyError for an unknown slug."""
    title, (wall, floor), objects = CATEGORIES[slug]
    pen = Pen()
    pen.rect(0, 0, 800, 800, pen.fade([(0, mix(wall, "#ffffff", 0.5)), (1, wall)], 0, 1))
    pen.disc(400, 380, 300, mix(wall, floor, 0.35))
    pen.disc(400, 380, 240, mix(wall, "#ffffff", 0.35))
    pen.rect(0, 596, 800, 204, pen.fade([(0, floor), (1, mix(floor, "#ffffff", 0.35))], 0, 1))
    for placed in objects:
        _placed(pen, placed)
    return pen.svg(title)


def _cloud(pen: Pen, random: Random, x: float, y: float, size: float) -> None:
    pen.group(f"translate({num(x)} {num(y)}) scale({size})", 0.75)
    for at in range(5):
        pen.oval(
            at * 54 - 108, -abs(2 - at) * -8 - random.randint(0, 12), 62, 34 - abs(2 - at) * 6, "#ffffff"
        )
    pen.rect(-170, 6, 340, 30, "#ffffff", 15)
    pen.end()


def _aeroplane(pen: Pen) -> None:
    """A small airliner climbing to the right, with its trail."""
    pen.group("translate(1010 190) rotate(-9)")
    pen.path("M-640 26Q-300 14 -150 6V18Q-320 26 -640 34Z", "#ffffff", opacity=0.6)
    pen.path("M-150 0Q-150 -22 -110 -24H110Q170 -20 190 6Q170 26 110 28H-110Q-150 24 -150 0Z", "#ffffff")
    pen.path("M-150 4Q-150 26 -110 28H110Q164 26 188 8Q150 16 -150 4Z", "#c9d9e0")
    pen.path("M-138 -16L-176 -88H-140L-90 -24Z", "#2f7f86")
    pen.path("M-128 2L-176 -22H-150L-96 2Z", "#dfe8ec")
    pen.path("M20 8L-62 96H-28L84 10Z", "#dfe8ec")
    pen.rect(-32, 46, 52, 18, "#2f7f86", 9)
    for at in range(11):
        pen.rect(-84 + at * 20, -10, 9, 11, "#7ea3b3", 4)
    pen.path("M150 -12Q172 -8 180 2H152Z", "#4a6b7c")
    pen.end()


def hero() -> str:
    """1600 x 600: morning sky over the sea, an aeroplane, and luggage waiting on a terrace at the right."""
    random = seeded("hero")
    pen = Pen(1600, 600)
    pen.rect(0, 0, 1600, 600, pen.fade([(0, "#cfe3ea"), (0.55, "#f1ece2"), (0.8, "#f8ddc6")], 0, 1))
    pen.disc(1180, 372, 250, pen.glow("#fff6df", 1))
    pen.disc(1180, 372, 70, "#fff3d6")
    for x, y, size in ((160, 150, 0.8), (520, 86, 0.5), (720, 250, 0.9), (1440, 120, 0.8), (330, 300, 0.55)):
        _cloud(pen, random, x, y, size)
    pen.path("M0 420Q120 352 250 392T480 380Q600 330 720 396Q780 424 900 424H0Z", "#b9cbcf")
    pen.path("M0 436Q180 388 330 418T640 412Q760 396 860 432H0Z", "#9db7bb")
    pen.rect(0, 424, 1600, 176, pen.fade([(0, "#bcd4d6"), (1, "#8fb3b8")], 0, 1))
    for _ in range(22):
        x, y = random.randint(0, 1600), random.randint(434, 530)
        pen.rect(x, y, random.randint(30, 130), 3, "#ffffff", 1.5, opacity=0.45)
    for at in range(9):
        wide = 170 - at * 13 + random.randint(-20, 20)
        pen.rect(1180 - wide / 2, 430 + at * 13, wide, 5, "#fff3d6", 2.5, opacity=0.75)
    _aeroplane(pen)
    pen.path("M0 556Q800 520 1600 548V600H0Z", "#ead9c3")
    pen.path("M0 572Q800 540 1600 562V600H0Z", "#dcc5a8")
    for placed in (
        ("duffel", "", "tan", 1290.0, 572.0, 0.3),
        ("suitcase", "ribbed", "teal", 1420.0, 576.0, 0.52),
        ("suitcase", "plain", "coral", 1522.0, 582.0, 0.36),
    ):
        _placed(pen, placed)
    return pen.svg("Morning sky over the sea, an aeroplane climbing, luggage ready on the terrace")


def banners() -> dict[str, str]:
    """File name and SVG text of the home page's pictures."""
    return {"hero.svg": hero()} | {f"category-{slug}.svg": category(slug) for slug in CATEGORIES}
