"""What a customer can spend now, and as what tier they earn."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import func, literal, or_, select, true

from app.kernel import clock
from app.kernel.database import session
from app.rewards.models import PointsAccount, PointsHold, PointsLot

DAY = timedelta(hours=24)


class SpendingPower(NamedTuple):
    """`spendable` points, `tier`, and points promised to orders in the last 24 hours (0 unless asked for)."""

    spendable: int
    tier: str
    spent_today: int


@dataclass(frozen=True, slots=True)
class Purse:
    """Points: `spendable` now, `cooling` (received, and spendable later), promised to orders, not yet confirmed, and
    owed (zero or positive)."""

    spendable: int = 0
    cooling: int = 0
    held: int = 0
    pending: int = 0
    owed: int = 0
    lifetime_earned: int = 0
    tier: str = "member"


def get_purse(customer_id: uuid.UUID) -> Purse:
    """What a customer is told they have, in one statement; zeros for one who never had points.

    The account's `available` is no such figure: it counts what cools off, and what expires with the next run.
    """
    now = clock.now()
    is_cooling = PointsLot.spendable_from > now
    lots = (
        select(
            func.coalesce(func.sum(PointsLot.available).filter(is_cooling.is_not(True)), 0).label(
                "spendable"
            ),
            func.coalesce(func.sum(PointsLot.available).filter(is_cooling), 0).label("cooling"),
        )
        .where(
            PointsLot.customer_id == customer_id,
            PointsLot.available > 0,
            or_(PointsLot.expires_at.is_(None), PointsLot.expires_at > now),
        )
        .subquery()
    )
    account = PointsAccount
    columns = (account.held, account.pending, -account.debt, account.lifetime_earned, account.tier)
    joined = select(lots.c.spendable, lots.c.cooling, *columns).select_from(account).join(lots, true())
    row = session().execute(joined.where(account.customer_id == customer_id)).first()
    return Purse(int(row[0]), int(row[1]), *row[2:]) if row else Purse()


def get_spending_power(customer_id: uuid.UUID, *, with_day: bool = False) -> SpendingPower:
    """One statement. Points given back by a failed payment count for the day no more; refunded ones do."""
    now = clock.now()
    spendable = select(func.coalesce(func.sum(PointsLot.available), 0)).where(
        PointsLot.customer_id == customer_id,
        PointsLot.available > 0,
        or_(PointsLot.expires_at.is_(None), PointsLot.expires_at > now),
        or_(PointsLot.spendable_from.is_(None), PointsLot.spendable_from <= now),
    )
    tier = select(PointsAccount.tier).where(PointsAccount.customer_id == customer_id)
    spent = select(func.coalesce(func.sum(PointsHold.amount), 0)).where(
        PointsHold.customer_id == customer_id,
        PointsHold.state.in_(["active", "captured"]),
        PointsHold.created_at > now - DAY,
    )
    row = (
        session()
        .execute(
            select(
                spendable.scalar_subquery(),
                func.coalesce(tier.scalar_subquery(), "member"),
                spent.scalar_subquery() if with_day else literal(0),
            )
        )
        .one()
    )
    return SpendingPower(int(row[0]), str(row[1]), int(row[2]))
