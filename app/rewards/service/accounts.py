"""The customer's points account row: every write to the ledger locks it first."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, UUID, ColumnElement, Row, Select, cast, func, nulls_last, or_, select
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


def lock_accounts(*, customers: Collection[uuid.UUID]) -> dict[uuid.UUID, Balances]:
    """As `lock_account` for many, in the order of their ids: two statements, however many they are."""
    opened = select(func.unnest(cast(sorted(customers), ARRAY(UUID))).label("customer_id"))
    session().execute(insert(PointsAccount).from_select(["customer_id"], opened).on_conflict_do_nothing())
    locked = select(*BALANCES).where(PointsAccount.customer_id.in_(customers))
    rows = session().execute(locked.order_by(PointsAccount.customer_id).with_for_update())
    return {row.customer_id: row for row in rows}


def list_spendable_lots(*, customer_id: uuid.UUID, now: datetime) -> list[LotView]:
    """Lots with points to spend now, soonest expiry first, never-expiring last. Lock the account before."""
    cooled = or_(PointsLot.spendable_from.is_(None), PointsLot.spendable_from <= now)
    return _list_lots(customer_id, now, cooled)


def list_takeable_lots(*, customer_id: uuid.UUID, now: datetime) -> list[LotView]:
    """As `list_spendable_lots`, with those that cool off: they are closed to their owner, not to the shop, which
    must be able to take back stolen or refunded points before somebody spends them."""
    return _list_lots(customer_id, now)


def takeable_lots_of(*, customers: Collection[uuid.UUID], now: datetime) -> dict[uuid.UUID, list[LotView]]:
    """`list_takeable_lots` of many by one statement; who has none has an empty list."""
    found: dict[uuid.UUID, list[LotView]] = {customer_id: [] for customer_id in customers}
    statement = _lots(PointsLot.customer_id.in_(customers), now).add_columns(PointsLot.customer_id)
    for *lot, customer_id in session().execute(statement):
        found[customer_id].append(LotView(*lot))
    return found


def _list_lots(customer_id: uuid.UUID, now: datetime, *more: ColumnElement[bool]) -> list[LotView]:
    statement = _lots(PointsLot.customer_id == customer_id, now, *more)
    return [LotView(*row) for row in session().execute(statement)]


def _lots(whose: ColumnElement[bool], now: datetime, *more: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    unexpired = or_(PointsLot.expires_at.is_(None), PointsLot.expires_at > now)
    return (
        select(PointsLot.id, PointsLot.available, PointsLot.expires_at)
        .where(whose, PointsLot.available > 0, unexpired, *more)
        .order_by(nulls_last(PointsLot.expires_at), PointsLot.id)
    )
