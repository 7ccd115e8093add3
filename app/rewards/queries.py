"""Balances, statement, holds, rules: reading the rewards room."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select

from app.kernel import clock
from app.kernel.database import session
from app.kernel.pagination import Page, decode_cursor, encode_cursor
from app.rewards.models import PointsAccount, PointsChain, PointsHold, PointsLot, PointsTx, RewardsRules
from app.rewards.rules import Rules, rules_from

# What a statement calls the ledger's own kinds (api.md, Rewards). Kinds that move nothing in or out are absent.
STATEMENT_KINDS = {
    "earn_confirm": "earn",
    "capture": "redeem",
    "refund": "refund",
    "expire": "expire",
    "adjust": "adjust",
    "clawback": "clawback",
    "transfer_in": "adjust",
    "transfer_out": "adjust",
}
EXPIRING_SOON = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Balance:
    """Points: spendable, promised to orders, not yet confirmed, and owed (zero or positive)."""

    available: int = 0
    held: int = 0
    pending: int = 0
    owed: int = 0
    lifetime_earned: int = 0
    tier: str = "member"


def get_balance(customer_id: uuid.UUID) -> Balance:
    """One indexed row; zeros for a customer who never had points."""
    account = PointsAccount
    row = (
        session()
        .execute(
            select(
                account.available,
                account.held,
                account.pending,
                -account.debt,
                account.lifetime_earned,
                account.tier,
            ).where(account.customer_id == customer_id)
        )
        .first()
    )
    return Balance(*row) if row else Balance()


def get_spendable(customer_id: uuid.UUID) -> int:
    """Points that can be held now: not expired, not in a cool-off."""
    now = clock.now()
    total = session().scalar(
        select(func.coalesce(func.sum(PointsLot.available), 0)).where(
            PointsLot.customer_id == customer_id,
            PointsLot.available > 0,
            or_(PointsLot.expires_at.is_(None), PointsLot.expires_at > now),
            or_(PointsLot.spendable_from.is_(None), PointsLot.spendable_from <= now),
        )
    )
    return int(total or 0)


def rules_in_force(at: datetime | None = None) -> Rules:
    """The version whose start is the latest not after `at` (default: now)."""
    row = (
        session()
        .execute(
            select(RewardsRules.version, RewardsRules.body)
            .where(RewardsRules.effective_from <= (at or clock.now()))
            .order_by(RewardsRules.effective_from.desc(), RewardsRules.version.desc())
            .limit(1)
        )
        .first()
    )
    return rules_from(row.body, version=row.version) if row else Rules()


def rules_of_version(version: int) -> Rules:
    """The rules that an order was priced with; versions are never edited or deleted."""
    body = session().scalar(select(RewardsRules.body).where(RewardsRules.version == version))
    return rules_from(body, version=version) if body is not None else Rules(version=version)


def list_expiring(customer_id: uuid.UUID, *, within: timedelta = EXPIRING_SOON) -> list[tuple[int, datetime]]:
    """[(points, expires_at)] of spendable points by day of expiry, soonest first."""
    day = func.date_trunc("day", PointsLot.expires_at)
    rows = session().execute(
        select(func.sum(PointsLot.available), func.min(PointsLot.expires_at))
        .where(
            PointsLot.customer_id == customer_id,
            PointsLot.available > 0,
            PointsLot.expires_at > clock.now(),
            PointsLot.expires_at <= clock.now() + within,
        )
        .group_by(day)
        .order_by(day)
    )
    return [(int(points), at) for points, at in rows if at is not None]


def list_holds(customer_id: uuid.UUID) -> Sequence[Any]:
    """Active holds: order_number, points, expires_at, created_at; oldest first."""
    return (
        session()
        .execute(
            select(
                PointsHold.order_number,
                PointsHold.amount.label("points"),
                PointsHold.expires_at,
                PointsHold.created_at,
            )
            .where(PointsHold.customer_id == customer_id, PointsHold.state == "active")
            .order_by(PointsHold.created_at)
        )
        .all()
    )


@dataclass(frozen=True, slots=True)
class StatementRow:
    """`points` signed; `balance_after` is available + held after it."""

    id: uuid.UUID
    kind: str
    points: int
    balance_after: int
    description: str
    order_number: str | None
    created_at: datetime


def list_transactions(
    customer_id: uuid.UUID,
    *,
    kind: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: str | None = None,
    limit: int,
) -> Page[StatementRow]:
    """The statement, newest first, keyset by the account's own version: flat at any depth."""
    filters = {"customer": str(customer_id), "kind": kind, "since": since, "until": until}
    chain = PointsChain
    statement = (
        select(
            chain.seq, chain.delta, (chain.available_after + chain.held_after).label("after"),
            PointsTx.id, PointsTx.kind, PointsTx.description, PointsTx.ref_type, PointsTx.ref_id, PointsTx.created_at,
        )
        .join(PointsTx, PointsTx.id == chain.tx_id)
        .where(chain.customer_id == customer_id, chain.delta != 0)
    )  # fmt: skip
    if kind is not None:
        kinds = [ours for ours, shown in STATEMENT_KINDS.items() if shown == kind]
        statement = statement.where(PointsTx.kind.in_(kinds))
    if since is not None:
        statement = statement.where(PointsTx.created_at >= since)
    if until is not None:
        statement = statement.where(PointsTx.created_at <= until)
    backwards = False
    if cursor is not None:
        (seq,), backwards = decode_cursor(cursor, filters=filters, width=1)
        statement = statement.where(chain.seq > int(seq) if backwards else chain.seq < int(seq))
    order = chain.seq.asc() if backwards else chain.seq.desc()
    rows = session().execute(statement.order_by(order).limit(limit + 1)).all()
    return _page(rows, limit=limit, filters=filters, backwards=backwards, first=cursor is None)


def _page(
    rows: Sequence[Any], *, limit: int, filters: Any, backwards: bool, first: bool
) -> Page[StatementRow]:
    more, kept = len(rows) > limit, list(rows[:limit])
    if backwards:
        kept.reverse()
    has_next, has_prev = (True, more) if backwards else (more, not first)
    return Page(
        items=[_statement_row(row) for row in kept],
        limit=limit,
        next=encode_cursor([kept[-1].seq], filters=filters) if kept and has_next else None,
        prev=encode_cursor([kept[0].seq], filters=filters, backwards=True) if kept and has_prev else None,
    )


def _statement_row(row: Any) -> StatementRow:
    order_number = row.ref_id if row.ref_type == "order" else None
    kind = STATEMENT_KINDS.get(row.kind, row.kind)
    return StatementRow(row.id, kind, row.delta, row.after, row.description, order_number, row.created_at)
