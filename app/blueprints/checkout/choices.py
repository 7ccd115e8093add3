"""What the shopper has chosen so far, in the signed session: nothing of it is trusted to be still possible."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from flask import session

KEY = "checkout"


@dataclass(frozen=True, slots=True)
class Delivery:
    address_id: uuid.UUID
    shipping_method: str


def delivery() -> Delivery | None:
    """None until the delivery step was taken."""
    kept = _kept()
    try:
        return Delivery(uuid.UUID(str(kept["address"])), str(kept["shipping"]))
    except (KeyError, ValueError):
        return None


def keep_delivery(chosen: Delivery) -> None:
    _keep(address=str(chosen.address_id), shipping=chosen.shipping_method)


def forget_delivery() -> None:
    session[KEY] = {name: value for name, value in _kept().items() if name not in {"address", "shipping"}}


def points() -> int:
    """0 unless the shopper asked for some: points are never spent by default."""
    chosen = _kept().get("points", 0)
    return chosen if isinstance(chosen, int) else 0


def card() -> str | None:
    chosen = _kept().get("card")
    return chosen if isinstance(chosen, str) else None


def keep_mix(*, points: int, card: str | None, note: str | None = None) -> None:
    """`note` is shown once, on the next page."""
    _keep(points=points, card=card, note=note)


def take_note() -> str | None:
    note = _kept().get("note")
    if note is not None:
        _keep(note=None)
    return note


def forget_mix() -> None:
    """An order was placed: the next one starts without points again."""
    _keep(points=0, card=None, note=None)


def _kept() -> dict[str, Any]:
    kept = session.get(KEY)
    return kept if isinstance(kept, dict) else {}


def _keep(**values: Any) -> None:
    session[KEY] = {**_kept(), **values}
