"""The statement: what moved a customer's points, newest first."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.kernel.database import count_up_to, session
from app.kernel.pagination import MAX_TOTAL, Page, decode_cursor, number_in, page_of
from app.rewards.models import PointsChain, PointsTx

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


COLUMNS = (
    PointsChain.seq,
    PointsChain.delta,
    (PointsChain.available_after + PointsChain.held_after).label("after"),
    PointsTx.id,
    PointsTx.kind,
    PointsTx.description,
    PointsTx.ref_type,
    PointsTx.ref_id,
    PointsTx.created_at,
)


def list_transactions(
    customer_id: uuid.UUID,
    *,
    kind: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: str | None = None,
    limit: int,
    with_total: bool = False,
) -> Page[StatementRow]:
    """The statement, newest first, keyset by the account's own version: flat at any depth.

    Raises RuleBroken `CURSOR_INVALID`.
    """
    filters = {"customer": str(customer_id), "kind": kind, "since": since, "until": until}
    chain = PointsChain
    statement = (
        select(*COLUMNS)
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
    total = count_up_to(statement, MAX_TOTAL) if with_total else None
    backwards = False
    if cursor is not None:
        (key,), backwards = decode_cursor(cursor, filters=filters, width=1)
        seq = number_in(key)
        statement = statement.where(chain.seq > seq if backwards else chain.seq < seq)
    order = chain.seq.asc() if backwards else chain.seq.desc()
    rows = session().execute(statement.order_by(order).limit(limit + 1)).all()
    page = page_of(
        rows,
        limit=limit,
        key=lambda row: [row.seq],
        filters=filters,
        backwards=backwards,
        first=cursor is None,
        total=total,
    )
    return page.showing(statement_row)


def statement_row(row: Any) -> StatementRow:
    """A row of `COLUMNS` as it is shown."""
    order_number = row.ref_id if row.ref_type == "order" else None
    kind = STATEMENT_KINDS.get(row.kind, row.kind)
    return StatementRow(row.id, kind, row.delta, row.after, row.description, order_number, row.created_at)
