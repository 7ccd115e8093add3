"""From a product to its pictures."""

from __future__ import annotations

from hashlib import sha256
from random import Random

import demo.draw.appliances
import demo.draw.care
import demo.draw.device
import demo.draw.journey
import demo.draw.light
import demo.draw.luggage
import demo.draw.room
import demo.draw.sound
import demo.draw.table
import demo.draw.worn  # noqa: F401  (each import fills the registry)
from demo.draw.colour import palette
from demo.draw.pen import Pen
from demo.draw.registry import ROUTINES
from demo.draw.scene import room

SEE_THROUGH = {"glass", "teapot", "coffee", "jar"}


def seeded(*words: str) -> Random:
    """The same numbers for the same words on every machine."""
    return Random(int.from_bytes(sha256("/".join(words).encode()).digest()[:8], "big"))


def picture(*, handle: str, title: str, kind: str, style: str, colour: str, view: int = 1) -> str:
    """The SVG text of one product. View 2 is a closer look from the other side.

    Raises KeyError for an unknown kind or colour.
    """
    pen = Pen()
    random = seeded("palette", handle)
    p = palette(colour, random, on_deep=kind in SEE_THROUGH)
    room(pen, p, seeded("room", handle, str(view)))
    if view == 1:
        pen.group("translate(400 560) scale(1.1) translate(-400 -560)")
    else:
        turn = random.choice((-4, 4))
        pen.group(
            f"translate(400 440) rotate({turn}) scale(-1.42 1.42) translate(-400 -{random.randint(380, 440)})"
        )
    ROUTINES[kind](pen, p, seeded("shape", handle), style)
    pen.end()
    return pen.svg(title if view == 1 else f"{title}, closer view")
