"""Named colours of the catalogue and the small arithmetic on them."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from random import Random

NAMED: dict[str, str] = {
    "amber": "#d9952f",
    "black": "#2b2c30",
    "blush": "#e5b7ae",
    "brass": "#c3a055",
    "burgundy": "#7a2f3d",
    "camel": "#bd8f5c",
    "champagne": "#dcc7a1",
    "charcoal": "#45484f",
    "chestnut": "#8a4f35",
    "clay": "#b9765a",
    "cobalt": "#3559a8",
    "cocoa": "#5e4034",
    "copper": "#bd7850",
    "coral": "#e07f68",
    "cream": "#efe4cf",
    "emerald": "#2c7a5c",
    "forest": "#34584a",
    "gold": "#d2ab57",
    "graphite": "#54585f",
    "grey": "#9a9ea4",
    "honey": "#dca13f",
    "indigo": "#454c84",
    "ivory": "#f1ebde",
    "jade": "#6ba58c",
    "lilac": "#b3a3cc",
    "midnight": "#26324d",
    "mint": "#a9d0bd",
    "moss": "#77804f",
    "mustard": "#d3a03a",
    "navy": "#2f4468",
    "oak": "#c69b68",
    "ochre": "#c4883a",
    "olive": "#7b7a4b",
    "pearl": "#e9e6e4",
    "plum": "#6b4262",
    "red": "#b9403c",
    "rose": "#cf8590",
    "rust": "#ac5a38",
    "sage": "#9cae90",
    "sand": "#d8c1a0",
    "silver": "#c3c8ce",
    "sky": "#8fb8d6",
    "slate": "#66788a",
    "stone": "#bdb5a8",
    "tan": "#b98356",
    "teal": "#2f7f86",
    "terracotta": "#c2694a",
    "walnut": "#7b543b",
    "white": "#f5f4f1",
}
WARM_ACCENTS = ("#d9a066", "#c9a24b", "#e2856b", "#e8c07d", "#c7714f")
COOL_ACCENTS = ("#3f7d86", "#f0e4cc", "#7d9a86", "#6d86a6", "#e9d3b4")
BACKDROPS = (
    ("#f4e7da", "#e7d2bd"),
    ("#e3ecec", "#c7d9da"),
    ("#f5e1d8", "#e8c6b8"),
    ("#e7ebdd", "#cfd8be"),
    ("#e9e6f0", "#d2cde2"),
    ("#f7eccb", "#ecd9a4"),
    ("#dfe8f2", "#c2d3e5"),
    ("#efe9e2", "#dbd1c5"),
    ("#d7e6df", "#b9d2c6"),
    ("#f3dfe0", "#e3c2c5"),
)
DEEP_BACKDROPS = (
    ("#a9c0bf", "#8daaa9"),
    ("#d3ad8f", "#c19676"),
    ("#a8b79a", "#8fa180"),
    ("#a7b5cb", "#8c9db8"),
    ("#cf9f98", "#bd877f"),
    ("#b7aac4", "#9f90b0"),
    ("#d2b67c", "#c2a264"),
)


def rgb(colour: str) -> tuple[int, int, int]:
    """'#rrggbb' as three ints of 0-255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def mix(one: str, other: str, share: float) -> str:
    """`one` with `share` (0-1) of `other` in it."""
    pairs = zip(rgb(one), rgb(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def lightness(colour: str) -> float:
    """Perceived lightness, 0 (black) to 1 (white)."""
    red, green, blue = rgb(colour)
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


def is_warm(colour: str) -> bool:
    red, green, blue = (part / 255 for part in rgb(colour))
    hue, _, saturation = colorsys.rgb_to_hls(red, green, blue)
    return saturation > 0.12 and (hue < 0.19 or hue > 0.86)


def distance(one: str, other: str) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(rgb(one), rgb(other), strict=True)) ** 0.5)


@dataclass(frozen=True)
class Palette:
    """The colours of one picture, all '#rrggbb'."""

    base: str
    light: str
    pale: str
    dark: str
    deep: str
    accent: str
    wall: str
    floor: str
    metal: str = "#c9cdd2"
    cream: str = "#f6efe2"
    ink: str = "#33363d"


def palette(name: str, random: Random, *, on_deep: bool = False) -> Palette:
    """Colours around a named product colour, on a darker wall for pale or see-through things.

    Raises KeyError for a name that is not in NAMED."""
    base = NAMED[name]
    accent = random.choice(COOL_ACCENTS if is_warm(base) else WARM_ACCENTS)
    pale = on_deep or lightness(base) > 0.74
    rooms: tuple[tuple[str, str], ...] = DEEP_BACKDROPS if pale else BACKDROPS
    fitting = sorted(rooms, key=lambda room: -distance(room[1], base))[: len(rooms) - 2]
    wall, floor = random.choice(fitting)
    white, night = "#ffffff", "#1d2130"
    return Palette(
        base,
        mix(base, white, 0.28),
        mix(base, white, 0.62),
        mix(base, night, 0.26),
        mix(base, night, 0.5),
        accent,
        wall,
        floor,
    )
