"""The customer's points account row: every write to the ledger locks it first."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ColumnElement, Row, nulls_last, or_, select
from sqlalchemy.dialects.postgresql import insert

from app.kernel.database import session
from app.rewards.models import PointsAccount, PointsLot
from app.rewards.rules import LotView

BALANCES = (
    PointsAccount.customer_id,
    PointsAccount.available,
    PointsAccount.held,
    PointsAccount.pending,
    PointsAccount.debt,
)
Balances = Row[uuid.UUID, int, int, int, int]


def lock_account(*, customer_id: uuid.UUID) -> Balances:
    """Balances in points, the row locked until the transaction ends; opened empty on first use."""
    statement = select(*BALANCES).where(PointsAccount.customer_id == customer_id).with_for_update()
    row = session().execute(statement).first()
    if row is None:
        session().execute(insert(PointsAccount).values(customer_id=customer_id).on_conflict_do_nothing())
        row = session().execute(statement).one()
    return row


def list_spendable_lots(*, customer_id: uuid.UUID, now: datetime) -> list[LotView]:
    """Lots with points to spend now, soonest expiry first, never-expiring last. Lock the account before."""
    cooled = or_(PointsLot.spendable_from.is_(None), PointsLot.spendable_from <= now)
    return _list_lots(customer_id, now, cooled)


def list_takeable_lots(*, customer_id: uuid.UUID, now: datetime) -> list[LotView]:
    """As `list_spendable_lots`, with those that cool off: they are closed to their owner, not to the shop, which
    must be able to take back stolen or refunded points before somebody spends them."""
    return _list_lots(customer_id, now)


def _list_lots(customer_id: uuid.UUID, now: datetime, *more: ColumnElement[bool]) -> list[LotView]:
    statement = (
        select(PointsLot.id, PointsLot.available, PointsLot.expires_at)
        .where(
            PointsLot.customer_id == customer_id,
            PointsLot.available > 0,
            or_(PointsLot.expires_at.is_(None), PointsLot.expires_at > now),
            *more,
        )
        .order_by(nulls_last(PointsLot.expires_at), PointsLot.id)
    )
    return [LotView(*row) for row in session().execute(statement)]
