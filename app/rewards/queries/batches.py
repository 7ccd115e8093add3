"""What a file of adjustments is compared with, and what became of its rows: one statement for all rows."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import case, func, or_, select

from app.accounts.models import Customer
from app.kernel import clock
from app.kernel.database import session
from app.rewards.models import PointsAccount, PointsAdjustment, PointsChain, PointsLot


def find_customers(names: Collection[str]) -> dict[str, uuid.UUID]:
    """E-mail address (lower case) or id, as written -> customer id; who is not there is absent."""
    given_ids = {name: parsed for name in names if (parsed := _uuid(name)) is not None}
    found = session().execute(
        select(Customer.id, Customer.email).where(
            or_(func.lower(Customer.email).in_(set(names)), Customer.id.in_(set(given_ids.values())))
        )
    )
    by_email: dict[str, uuid.UUID] = {}
    there = set()
    for customer_id, email in found:
        by_email[email] = customer_id
        there.add(customer_id)
    by_id = {name: parsed for name, parsed in given_ids.items() if parsed in there}
    return {name: customer_id for name, customer_id in by_email.items() if name in set(names)} | by_id


def takeable_of(customers: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Customer id -> points that could be taken now, in a cool-off or not; absent: none."""
    now = clock.now()
    rows = session().execute(
        select(PointsLot.customer_id, func.sum(PointsLot.available))
        .where(
            PointsLot.customer_id.in_(set(customers)),
            PointsLot.available > 0,
            or_(PointsLot.expires_at.is_(None), PointsLot.expires_at > now),
        )
        .group_by(PointsLot.customer_id)
    )
    return {customer_id: int(points) for customer_id, points in rows}


def owed_by(customers: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Customer id -> points owed; absent: none."""
    rows = session().execute(
        select(PointsAccount.customer_id, -PointsAccount.debt).where(
            PointsAccount.customer_id.in_(set(customers)), PointsAccount.debt < 0
        )
    )
    return {customer_id: int(points) for customer_id, points in rows}


def emails_of(customers: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Customer id -> e-mail address."""
    rows = session().execute(select(Customer.id, Customer.email).where(Customer.id.in_(customers)))
    return {row.id: row.email for row in rows}


def list_pending_twins(customers: Iterable[uuid.UUID]) -> set[tuple[uuid.UUID, int, str]]:
    """(customer, points, reason) of adjustments that wait for approval, undos apart."""
    rows = session().execute(
        select(PointsAdjustment.customer_id, PointsAdjustment.points, PointsAdjustment.reason_code).where(
            PointsAdjustment.customer_id.in_(set(customers)),
            PointsAdjustment.state == "awaiting_approval",
            PointsAdjustment.reversal_of.is_(None),
        )
    )
    return {(row.customer_id, row.points, row.reason_code) for row in rows}


def list_batch_rows(batch_id: uuid.UUID) -> Sequence[tuple[Any, ...]]:
    """(row, e-mail, points, before, after, result, adjustment id) in the order of the file.

    `before` and `after` are available points around the booking, None when nothing was booked.
    """
    chain = PointsChain
    row = func.row_number().over(order_by=PointsAdjustment.id)
    after = case((PointsAdjustment.state == "applied", chain.available_after))
    rows = session().execute(
        select(
            row, Customer.email, PointsAdjustment.points, after - chain.delta, after, PointsAdjustment.state,
            PointsAdjustment.id,
        )
        .join(Customer, Customer.id == PointsAdjustment.customer_id)
        .outerjoin(chain, chain.tx_id == PointsAdjustment.tx_id)
        .where(PointsAdjustment.batch_id == batch_id)
        .order_by(PointsAdjustment.id)
    )  # fmt: skip
    return [tuple(row) for row in rows]


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
