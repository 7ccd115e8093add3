"""Undo one credit or debit: the same points the other way round, as a transaction that names the first."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select

from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import session
from app.rewards.errors import PointsInsufficient
from app.rewards.models import PointsEntry, PointsLot
from app.rewards.rules import Rules
from app.rewards.service.accounts import lock_account
from app.rewards.service.posting import Leg, NewLot, Posting, post
from app.rewards.service.taking import pay_debt, take


def reverse(
    *,
    customer_id: uuid.UUID,
    tx_id: uuid.UUID,
    idem_key: str,
    ref_id: str,
    description: str,
    rules: Rules,
    actor: Actor,
) -> uuid.UUID:
    """Reverse the adjustment transaction `tx_id`; the new transaction's id.

    What was given is taken from the lot that it made, less what that lost to expiry, then soonest expiry first. What
    was taken goes back into its lots; where a lot has fewer than the rules' days of grace, into one of its own that
    has them. A debt is paid first by whatever is there. Raises PointsInsufficient when what was given has been spent
    or is held, AlreadyPosted.
    """
    debt = lock_account(customer_id=customer_id).debt
    entries = (
        session()
        .execute(
            select(PointsEntry.account, PointsEntry.lot_id, PointsEntry.amount, PointsLot.expires_at)
            .outerjoin(PointsLot, PointsLot.id == PointsEntry.lot_id)
            .where(
                PointsEntry.tx_id == tx_id,
                PointsEntry.customer_id == customer_id,
                PointsEntry.account.in_(("available", "debt")),
            )
            .order_by(PointsEntry.line)
        )
        .all()
    )
    lots: list[NewLot] = []
    if any(entry.amount > 0 for entry in entries):
        paid = sum(entry.amount for entry in entries if entry.account == "debt")
        legs, debt = _taken(customer_id, entries, paid, actor), debt - paid
    else:
        grace = clock.now() + timedelta(days=rules.release_grace_days)
        legs, lots = _given(entries, ref_id, grace)
    meta = {"reverses": str(tx_id)}
    posting = Posting(customer_id, "adjust", idem_key, "adjustment", ref_id, description, legs, lots, meta)
    reversal = post(posting, actor=actor)
    pay_debt(
        customer_id=customer_id,
        debt=debt,
        idem_key=idem_key,
        ref_type="adjustment",
        ref_id=ref_id,
        actor=actor,
    )
    return reversal


def _taken(
    customer_id: uuid.UUID, entries: Sequence[Row[*tuple[Any, ...]]], paid: int, actor: Actor
) -> list[Leg]:
    """What was given: the part that had `paid` a debt is owed again."""
    given = [entry for entry in entries if entry.account == "available"]
    taking = take(
        customer_id=customer_id,
        own=[entry.lot_id for entry in given],
        points=sum(entry.amount for entry in given),
        account="adjusted",
        actor=actor,
    )
    if taking.missing:
        raise PointsInsufficient(
            f"The customer has {taking.available:,} points available.",
            details={"available": taking.available},
        )
    legs = [Leg("debt", -paid), Leg("adjusted", paid)] if paid else []
    return legs + taking.legs


def _given(
    entries: Sequence[Row[*tuple[Any, ...]]], ref_id: str, grace: datetime
) -> tuple[list[Leg], list[NewLot]]:
    """What was taken: as `giving_back`, so that a point that comes back does not prolong the rest of its lot."""
    legs: list[Leg] = []
    lots: list[NewLot] = []
    for entry in entries:
        lot_id = entry.lot_id
        if entry.expires_at is not None and entry.expires_at < grace:
            lot_id = ids.uuid7()
            lots.append(NewLot(lot_id, "adjustment", ref_id, grace, parent_lot_id=entry.lot_id))
        legs += [Leg("adjusted", entry.amount, lot_id), Leg("available", -entry.amount, lot_id)]
    return legs, lots
