"""Where the points of a movement came from, in words that show nobody else's orders."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.kernel.money import display_amount
from app.rewards.queries import rules_of_version
from app.rewards.queries.lineage import Origin, Trace, trace

SOURCES = {
    "order": "Earned with an order",
    "adjustment": "Added by us",
    "transfer": "Received from another member",
    "refund": "Returned after a refund",
    "sign_up": "Bonus for joining",
    "first_order": "Bonus for the first order",
    "review": "Bonus for a review",
}
PARTS = {"base": "Base rate", "tier": "Extra of your tier"}


@dataclass(frozen=True, slots=True)
class Source:
    """`points` of the movement that came from here. `rate` and `parts` [(rule in words, points)] say by which rules
    of `rules_version` they were earned; None and empty where they were not earned by rules."""

    points: int
    words: str
    at: datetime
    expires_at: datetime | None
    order_number: str | None
    rules_version: int | None
    rate: str | None
    parts: Sequence[tuple[str, int]]
    was_returned: bool


def origins_of(tx_id: uuid.UUID, *, customer_id: uuid.UUID, currency: str) -> list[Source]:
    """A source a lot that the movement touched, the largest first."""
    rates: dict[int, str] = {}
    sources = [_source(one, customer_id, currency, rates) for one in trace(tx_id)]
    return sorted(sources, key=lambda source: -source.points)


def _source(found: Trace, customer_id: uuid.UUID, currency: str, rates: dict[int, str]) -> Source:
    """The oldest lot of the customer's own: how another member earned what they sent is their business."""
    own = [origin for origin in found.line if origin.customer_id == customer_id]
    first, last = own[0], own[-1]
    version = last.rules_version
    if version is not None and version not in rates:
        rates[version] = _rate(version, currency)
    return Source(
        points=found.points,
        words=SOURCES.get(last.origin_type, "Given by the programme"),
        at=last.created_at,
        expires_at=first.expires_at,
        order_number=last.order_number,
        rules_version=version,
        rate=rates.get(version) if version is not None else None,
        parts=_parts(last),
        was_returned=len(own) > 1 and first.origin_type == "refund",
    )


def _rate(version: int, currency: str) -> str:
    earn = rules_of_version(version).earn
    return f"{earn.points_per_100_minor_units:,} for each {display_amount(100, currency)} paid by card"


def _parts(origin: Origin) -> list[tuple[str, int]]:
    rows = (origin.breakdown or {}).get("parts", [])
    return [
        (PARTS.get(row["rule"]) or row.get("label") or row["rule"], int(row["points"]))
        for row in rows
        if not row.get("dry_run") and row["points"]
    ]
