"""Points that the shop takes back: in which order, what was gone already, and how a debt is paid.

What an earning or a gift lost to expiry is not taken a second time. It is booked over instead: no longer expired, but
taken back, so that the books say of all its points what became of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from app.kernel import clock
from app.kernel.actor import Actor
from app.rewards.queries.lots import list_family
from app.rewards.rules import choose_lots
from app.rewards.service import expiry
from app.rewards.service.accounts import list_takeable_lots
from app.rewards.service.posting import Leg, Posting, post


@dataclass(frozen=True, slots=True)
class Taking:
    """The legs of what can be taken. `expired` points were gone before; `missing` ones are nowhere to be found."""

    legs: list[Leg]
    expired: int
    available: int
    missing: int


def take(
    *, customer_id: uuid.UUID, own: Collection[uuid.UUID], points: int, account: str, actor: Actor
) -> Taking:
    """How to move `points` (zero or more) that were given into the lots `own` to `account`. Lock the account before.

    First what these lots, and those that continue them, lost to expiry; then what is left in them; then soonest
    expiry first. What is due there and has not expired yet expires now.
    """
    now = clock.now()
    family = list_family(customer_id=customer_id, lots=own) if own else []
    due = [lot.id for lot in family if lot.is_due(now)]
    if due:
        expiry.expire_lots(customer_id=customer_id, lots=due, actor=actor)
    legs: list[Leg] = []
    left = points
    for lot in family:
        part = min(left, lot.lost(now))
        if part:
            legs += [Leg("expired", -part, lot.id), Leg(account, part, lot.id)]
            left -= part
    mine = {lot.id for lot in family}
    lots = list_takeable_lots(customer_id=customer_id, now=now)
    lots.sort(key=lambda lot: lot.id not in mine)  # stable: the rest stays soonest expiry first
    found = min(left, sum(lot.available for lot in lots))
    for lot_id, part in choose_lots(found, lots) or []:
        legs += [Leg("available", -part, lot_id), Leg(account, part, lot_id)]
    return Taking(legs, points - left, found, left - found)


def pay_debt(
    *, customer_id: uuid.UUID, debt: int, idem_key: str, ref_type: str, ref_id: str, actor: Actor
) -> int:
    """Points have come back to somebody whose `debt` (zero or negative) was `debt`: it is paid first; how many.

    Lock the account before. `idem_key` names what brought the points.
    """
    if not debt:
        return 0
    lots = list_takeable_lots(customer_id=customer_id, now=clock.now())
    paid = min(-debt, sum(lot.available for lot in lots))
    if not paid:
        return 0
    legs = [Leg("clawback", -paid), Leg("debt", paid)]
    for lot_id, part in choose_lots(paid, lots) or []:
        legs += [Leg("available", -part, lot_id), Leg("clawback", part, lot_id)]
    posting = Posting(
        customer_id, "clawback", f"debt:{idem_key}", ref_type, ref_id, "Paid what was owed", legs
    )
    post(posting, actor=actor)
    return paid
