"""Points as people type them: `6,000`, `6 000` and `6.000` are all six thousand."""

from __future__ import annotations

import re

_SPACES = "\u00a0\u2009\u202f\u3000"
_AS_TYPED = str.maketrans("０１２３４５６７８９，．" + _SPACES, "0123456789,." + " " * len(_SPACES))
_GROUPED = re.compile(r"[1-9][0-9]{0,2}([ .,'’])[0-9]{3}(?:\1[0-9]{3})*")
_PLAIN = re.compile(r"[0-9]{1,15}")


def read_points(text: str) -> int | None:
    """None when it is no whole number from 0; an empty field means none. Full-width digits count as digits."""
    plain = text.translate(_AS_TYPED).strip()
    if not plain:
        return 0
    if _GROUPED.fullmatch(plain):
        plain = re.sub(r"[ .,'’]", "", plain)
    return int(plain) if _PLAIN.fullmatch(plain) else None
