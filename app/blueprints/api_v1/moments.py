"""Instants in query strings: a day or a moment, always with a zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated

from msgspec import Meta

from app.kernel.errors import invalid

Moment = Annotated[str, Meta(max_length=40, examples=["2026-01-01", "2026-01-01T00:00:00Z"])]


def instant(name: str, text: str | None, of_day: time) -> datetime | None:
    """A day is `of_day` of it, UTC: the start for `from`, the end for `to`. RuleBroken naming the field."""
    if text is None:
        return None
    try:
        if len(text) == len("2026-01-01"):
            return datetime.combine(date.fromisoformat(text), of_day, tzinfo=UTC)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(name, "NOT_A_TIME", "Give a day (2026-01-31) or an instant with its zone.") from None
    if moment.tzinfo is None:
        raise invalid(name, "NOT_A_TIME", "An instant needs its zone, for example 2026-01-31T00:00:00Z.")
    return moment
