"""What the programme owes: points outstanding in money, by the month in which they expire, with breakage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from app.kernel import clock
from app.kernel.database import session
from app.rewards.rules import Rules, value_of

WINDOW = timedelta(days=365)
# The month of the last day, as everywhere: what is gone at midnight could be spent until the day before.
BY_MONTH = text(
    """
    SELECT date_trunc('month', expires_at - interval '1 microsecond') AS month, sum(available) AS available,
           sum(held) AS held
      FROM points_lot WHERE available > 0 OR held > 0
     GROUP BY 1 ORDER BY 1 NULLS LAST
    """
)
# Of the points whose fate was decided in the window: spent, or expired. A refund undoes the spending; what it gives
# back from a lot that has expired is issued anew, so it has not expired. What was taken back after it had expired
# was not to be spent by anybody; where it had expired before the window, the window has less than nothing of it.
FATES = text(
    """
    SELECT coalesce(sum(e.amount) FILTER (WHERE e.account = 'redeemed'), 0) AS spent,
           coalesce(sum(e.amount) FILTER (WHERE e.account = 'expired'), 0) AS expired
      FROM points_tx x JOIN points_entry e ON e.tx_id = x.id
     WHERE x.created_at >= :since AND x.kind IN ('capture', 'refund', 'expire', 'clawback', 'adjust')
       AND e.account IN ('redeemed', 'expired')
    """
)


@dataclass(frozen=True, slots=True)
class LiabilityMonth:
    """`month` None: points that never expire. `value` and `expected` in minor units, `expected` less breakage."""

    month: datetime | None
    points: int
    value: int
    expected: int


@dataclass(frozen=True, slots=True)
class Liability:
    """`breakage_permille`: of 1,000 points that can expire, how many are expected to, by the last 12 months.

    `pending` points are promised, not yet given, and are valued apart.
    """

    at: datetime
    currency: str
    breakage_permille: int
    months: Sequence[LiabilityMonth]
    pending: int
    pending_value: int

    @property
    def points(self) -> int:
        return sum(month.points for month in self.months)

    @property
    def value(self) -> int:
        return sum(month.value for month in self.months)

    @property
    def expected(self) -> int:
        return sum(month.expected for month in self.months)


def get_liability(rules: Rules) -> Liability:
    """As of now, valued at the rate of `rules`. Reads every lot with points: for the back office, not for pages."""
    now = clock.now()
    spent, expired = session().execute(FATES, {"since": now - WINDOW}).one()
    lapsed = max(0, int(expired))
    decided = max(0, int(spent)) + lapsed
    permille = lapsed * 1000 // decided if decided else 0
    months = []
    for month, available, held in session().execute(BY_MONTH):
        points = int(available + held)
        value = value_of(points, rules)
        kept = (
            value
            if month is None
            else value_of(int(held), rules) + _less(value_of(int(available), rules), permille)
        )
        months.append(LiabilityMonth(month, points, value, kept))
    pending = int(session().scalar(text("SELECT coalesce(sum(pending), 0) FROM points_account")) or 0)
    return Liability(now, rules.currency, permille, months, pending, value_of(pending, rules))


def _less(amount: int, permille: int) -> int:
    return amount - amount * permille // 1000
