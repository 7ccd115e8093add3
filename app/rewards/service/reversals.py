"""Undo one credit or debit: the same entries the other way round, as a transaction that names the first."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update

from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.rewards.errors import PointsInsufficient
from app.rewards.models import PointsEntry, PointsLot
from app.rewards.rules import Rules, choose_lots
from app.rewards.service.accounts import list_takeable_lots, lock_account
from app.rewards.service.posting import Leg, Posting, post


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

    What was given is taken from the lot that it made as far as it is still there, then soonest expiry first;
    what was taken goes back into its lots, with at least the rules' days of grace to live. Raises
    PointsInsufficient when what was given has been spent or is held, AlreadyPosted.
    """
    lock_account(customer_id=customer_id)
    entries = session().execute(
        select(PointsEntry.account, PointsEntry.lot_id, PointsEntry.amount)
        .where(PointsEntry.tx_id == tx_id, PointsEntry.customer_id == customer_id)
        .order_by(PointsEntry.line)
    )
    inverse = [Leg(account, -amount, lot_id) for account, lot_id, amount in entries]
    if any(leg.account == "available" and leg.amount < 0 for leg in inverse):
        inverse = _taken_from_what_is_left(customer_id, inverse)
    else:
        _extend(inverse, until=clock.now() + timedelta(days=rules.release_grace_days))
    meta = {"reverses": str(tx_id)}
    posting = Posting(customer_id, "adjust", idem_key, "adjustment", ref_id, description, inverse, meta=meta)
    return post(posting, actor=actor)


def _taken_from_what_is_left(customer_id: uuid.UUID, inverse: Sequence[Leg]) -> list[Leg]:
    own = {leg.lot_id for leg in inverse if leg.lot_id is not None}
    points = -sum(leg.amount for leg in inverse if leg.account == "available")
    lots = list_takeable_lots(customer_id=customer_id, now=clock.now())
    plan = choose_lots(points, sorted(lots, key=lambda lot: lot.id not in own))
    if plan is None:
        available = sum(lot.available for lot in lots)
        raise PointsInsufficient(
            f"The customer has {available:,} points available.", details={"available": available}
        )
    legs = [leg for leg in inverse if leg.lot_id is None]
    legs += [Leg("available", -part, lot_id) for lot_id, part in plan]
    return legs + [Leg("adjusted", part, lot_id) for lot_id, part in plan]


def _extend(legs: Sequence[Leg], *, until: datetime) -> None:
    lots = [leg.lot_id for leg in legs if leg.account == "available"]
    session().execute(
        update(PointsLot).where(PointsLot.id.in_(lots), PointsLot.expires_at < until).values(expires_at=until)
    )
