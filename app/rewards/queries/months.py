"""The statement of a month, and the balance as it was at any instant.

Time decides by transaction: the books at an instant are those after the last transaction made before it, so that
opening balance, rows and closing balance always add up.
"""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select

from app.kernel import clock
from app.kernel.database import session
from app.rewards.models import PointsChain, PointsLot, PointsTx
from app.rewards.queries.statement import COLUMNS, StatementRow, statement_row
from app.rewards.rules import MOMENT

CSV_HEADER = ("date", "kind", "reason", "order_number", "points", "balance", "link")


@dataclass(frozen=True, slots=True)
class BalanceAt:
    """Points at an instant; `owed` zero or positive. `version`: how many transactions there were."""

    available: int = 0
    held: int = 0
    pending: int = 0
    owed: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class MonthStatement:
    """`start` inclusive, `end` exclusive, UTC. `rows` oldest first; balances are available + held.

    `expiring`: [(points, expires_at)] of every lot that can still expire, soonest first, as of now.
    """

    start: datetime
    end: datetime
    opening: BalanceAt
    closing: BalanceAt
    rows: Sequence[StatementRow]
    expiring: Sequence[tuple[int, datetime]]

    @property
    def totals(self) -> dict[str, int]:
        """Kind -> signed points of the month."""
        sums: dict[str, int] = {}
        for row in self.rows:
            sums[row.kind] = sums.get(row.kind, 0) + row.points
        return sums


def get_balance_at(customer_id: uuid.UUID, at: datetime) -> BalanceAt:
    """The balances just before `at`; zeros before the first transaction."""
    chain = PointsChain
    row = (
        session()
        .execute(
            select(chain.available_after, chain.held_after, chain.pending_after, -chain.debt_after, chain.seq)
            .join(PointsTx, PointsTx.id == chain.tx_id)
            .where(chain.customer_id == customer_id, PointsTx.created_at < at)
            .order_by(chain.seq.desc())
            .limit(1)
        )
        .first()
    )
    return BalanceAt(*row) if row else BalanceAt()


def get_month(customer_id: uuid.UUID, *, year: int, month: int) -> MonthStatement:
    """Every row of the month. Raises ValueError for a month that is none."""
    start = datetime(year, month, 1, tzinfo=UTC)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    opening, closing = get_balance_at(customer_id, start), get_balance_at(customer_id, end)
    chain = PointsChain
    rows = session().execute(
        select(*COLUMNS)
        .join(PointsTx, PointsTx.id == chain.tx_id)
        .where(
            chain.customer_id == customer_id,
            chain.delta != 0,
            chain.seq > opening.version,
            chain.seq <= closing.version,
        )
        .order_by(chain.seq)
    )
    shown = [statement_row(row) for row in rows]
    return MonthStatement(start, end, opening, closing, shown, list_all_expiring(customer_id))


def list_months(customer_id: uuid.UUID) -> list[tuple[int, int]]:
    """(year, month) from the first transaction to now, newest first; this month alone before the first one."""
    now, chain = clock.now(), PointsChain
    first = session().scalar(
        select(PointsTx.created_at)
        .join(chain, chain.tx_id == PointsTx.id)
        .where(chain.customer_id == customer_id, chain.seq == 1)
    )
    oldest = min(first or now, now).astimezone(UTC)
    months = range(oldest.year * 12 + oldest.month - 1, now.year * 12 + now.month)
    return [(month // 12, month % 12 + 1) for month in reversed(months)]


def list_all_expiring(customer_id: uuid.UUID) -> list[tuple[int, datetime]]:
    """[(points, expires_at)] by last day, soonest first, however far away."""
    day = func.date_trunc("day", PointsLot.expires_at - MOMENT)
    rows = session().execute(
        select(func.sum(PointsLot.available), func.min(PointsLot.expires_at))
        .where(
            PointsLot.customer_id == customer_id, PointsLot.available > 0, PointsLot.expires_at > clock.now()
        )
        .group_by(day)
        .order_by(day)
    )
    return [(int(points), at) for points, at in rows if at is not None]


def month_as_csv(month: MonthStatement, *, link: Callable[[StatementRow], str]) -> str:
    """RFC 4180, a line a row, between lines for the opening and the closing balance. `link`: where more is said."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(CSV_HEADER)
    opening, closing = (side.available + side.held for side in (month.opening, month.closing))
    writer.writerow((month.start.date(), "opening", "", "", "", opening, ""))
    for row in month.rows:
        when, number = row.created_at.isoformat(timespec="seconds"), row.order_number or ""
        writer.writerow(
            (when, row.kind, _safe(row.description), _safe(number), row.points, row.balance_after, link(row))
        )
    writer.writerow((month.end.date(), "closing", "", "", "", closing, ""))
    return stream.getvalue()


def _safe(text: str) -> str:
    """What a spreadsheet would run as a formula gets a quote in front (ASVS 5.0, 1.2.10)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text
