"""Which routine draws which kind of product."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from demo.draw.colour import Palette
from demo.draw.pen import Pen

Routine = Callable[[Pen, Palette, Random, str], None]
ROUTINES: dict[str, Routine] = {}


def draws(kind: str) -> Callable[[Routine], Routine]:
    """Register a routine(pen, palette, random, style) under the kind that the data files name."""

    def keep(routine: Routine) -> Routine:
        if kind in ROUTINES:
            raise ValueError(f"two routines draw {kind!r}")
        ROUTINES[kind] = routine
        return routine

    return keep
