"""From any point back to where it came from: the lots a transaction touched, and what filled each of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text

from app.kernel.database import session
from app.kernel.errors import NotFound
from app.rewards.models import PointsChain, PointsTx
from app.rewards.queries.statement import COLUMNS, StatementRow, statement_row

# A lot made from another one (a transfer received, a refund after expiry) leads to the lot before it.
TRACE = text(
    """
    WITH RECURSIVE touched AS (
      SELECT lot_id, sum(amount) AS points
        FROM points_entry WHERE tx_id = :tx_id AND lot_id IS NOT NULL AND account = ANY(:accounts)
       GROUP BY lot_id HAVING sum(amount) <> 0
    ), line AS (
      SELECT t.lot_id AS touched_lot, abs(t.points) AS points, l.*, 0 AS step
        FROM touched t JOIN points_lot l ON l.id = t.lot_id
      UNION ALL
      SELECT line.touched_lot, line.points, l.*, line.step + 1
        FROM line JOIN points_lot l ON l.id = line.parent_lot_id
    )
    SELECT line.touched_lot, line.points, line.step, line.id AS lot_id, line.customer_id, line.origin_type,
           line.origin_id, line.granted, line.created_at, line.expires_at, e.order_number, e.rules_version,
           e.points AS earned, e.breakdown
      FROM line LEFT JOIN points_earning e ON e.lot_id = line.id
     ORDER BY line.touched_lot, line.step
    """
)


@dataclass(frozen=True, slots=True)
class Origin:
    """One lot on the way back. `earned` points by `rules_version` with its `breakdown`: set where an order, or a
    rule, filled the lot."""

    lot_id: uuid.UUID
    customer_id: uuid.UUID
    origin_type: str
    origin_id: str
    granted: int
    created_at: datetime
    expires_at: datetime | None
    order_number: str | None
    rules_version: int | None
    earned: int | None
    breakdown: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Trace:
    """`points` of the transaction and the lots they lead through: the one touched first, the source last."""

    points: int
    line: Sequence[Origin]

    @property
    def source(self) -> Origin:
        return self.line[-1]


def get_movement(customer_id: uuid.UUID, tx_id: uuid.UUID) -> StatementRow:
    """A row of the customer's statement. Raises NotFound, for somebody else's as well."""
    row = (
        session()
        .execute(
            select(*COLUMNS)
            .join(PointsTx, PointsTx.id == PointsChain.tx_id)
            .where(PointsChain.customer_id == customer_id, PointsChain.tx_id == tx_id, PointsChain.delta != 0)
        )
        .first()
    )
    if row is None:
        raise NotFound("There is no such movement.")
    return statement_row(row)


def trace(tx_id: uuid.UUID) -> list[Trace]:
    """Where the points that a transaction spent, took or gave came from, a trace a lot it touched."""
    accounts = ["redeemed", "expired", "clawback", "adjusted", "transit"]
    lines: dict[uuid.UUID, tuple[int, list[Origin]]] = {}
    for row in session().execute(TRACE, {"tx_id": tx_id, "accounts": accounts}):
        lines.setdefault(row.touched_lot, (int(row.points), []))[1].append(Origin(*row[3:]))
    return [Trace(points, line) for points, line in lines.values()]
