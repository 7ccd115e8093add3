"""The adjustment form: from what was typed to the service's verb, tried first and done once."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import datetime, time

from app.blueprints.backoffice.acting import typed
from app.blueprints.backoffice.filters import instant
from app.kernel import ids
from app.kernel.actor import Actor
from app.kernel.database import transaction
from app.kernel.errors import Conflict, invalid
from app.outbox.service import first_time
from app.rewards import queries
from app.rewards.queries import Adjustment
from app.rewards.service import adjustments

_SIGNED = re.compile(r"[+-]?[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Wished:
    """What the form says. `points` signed."""

    customer_id: uuid.UUID
    points: int
    reason_code: str
    note: str
    points_expire_at: datetime | None


@dataclass(frozen=True, slots=True)
class Preview:
    """The adjustment's points, available points before and after, and what pays a debt; `state` is what the adjustment
    would be; `seen`: which wish it is of."""

    points: int
    before: int
    after: int
    to_debt: int
    state: str
    seen: str


def typed_wish(customer_id: uuid.UUID) -> Wished:
    """Raises RuleBroken naming the field; the rest is checked by the service."""
    text = typed("points").replace("−", "-").replace(",", "").replace(" ", "").replace("\u00a0", "")
    if not _SIGNED.fullmatch(text):
        message = "Enter points to add, like 500, or to take, like -500."
        raise invalid("points", "POINTS_INVALID", message)
    day = typed("points_expire_at")
    expires = instant("points_expire_at", day, time.max) if day else None
    return Wished(customer_id, int(text), typed("reason_code"), typed("note"), expires)


def fresh_key() -> str:
    """One for each form that is shown: the same form sent twice adjusts once."""
    return ids.secret_token("form")


def digest_of(wish: Wished) -> str:
    """Goes through the form with the preview: only what was looked at is done."""
    return ids.fingerprint(json.dumps(asdict(wish), default=str)).hex()


def request_once(key: str, wish: Wished, actor: Actor) -> Adjustment:
    """Raises what the service raises, and Conflict `ALREADY_DONE` for a form that was sent before."""
    if not first_time(f"page:adjust:{actor.id}:{ids.fingerprint(key).hex()}"):
        raise Conflict("This form was sent already, and it was done once.", code="ALREADY_DONE")
    return _request(wish, actor)


def would_become(wish: Wished, actor: Actor) -> Preview:
    """What the service itself would do, done and rolled back: limits and balances are not computed twice."""
    try:
        with transaction():
            balance = queries.get_balance(wish.customer_id)
            made = _request(wish, actor)
            after = queries.get_balance(wish.customer_id).available
            to_debt = min(balance.owed, max(0, wish.points))
            preview = Preview(wish.points, balance.available, after, to_debt, made.state, digest_of(wish))
            raise _Seen(preview)
    except _Seen as seen:
        preview = seen.preview
    if preview.state == "applied":
        return preview
    return replace(preview, after=preview.before + wish.points - preview.to_debt)


class _Seen(Exception):
    """Carries the preview out of the transaction, which it rolls back."""

    def __init__(self, preview: Preview) -> None:
        super().__init__()
        self.preview = preview


def _request(wish: Wished, actor: Actor) -> Adjustment:
    return adjustments.request(
        customer_id=wish.customer_id,
        points=wish.points,
        reason_code=wish.reason_code,
        note=wish.note,
        points_expire_at=wish.points_expire_at,
        rules=queries.rules_in_force(),
        actor=actor,
    )
