"""Points that expire, and the mails that say so in time.

A batch is one short transaction: up to `BATCH` lots that are due, their accounts locked first (who is busy is
left for the end of the run), one statement for all of them. Whatever stops a run, the next one goes on: a lot
that has expired has nothing left to expire.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, func, select, text

from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import session
from app.outbox import service as outbox
from app.outbox.service import MAIL_QUEUE, Job
from app.rewards.models import PointsLot
from app.rewards.rules import MOMENT

BATCH = 50  # some 20 ms a transaction: nobody waits longer than 100 ms for a lock, even when the disk is slow
CATCH_UP_DAYS = 3  # a reminder that could not be sent on its day is sent up to so many days later
Place = tuple[datetime, uuid.UUID]

UNHURRIED = text("SELECT set_config('synchronous_commit', 'off', true)")
"""For this transaction alone: its commit does not wait for the disk while it holds its locks. A server that crashes may
forget the last batches, whole; the lots are due then as before. What commits after it and waits has it on disk too."""

DUE = text(
    """
    SELECT id, customer_id, expires_at FROM points_lot
     WHERE available > 0 AND expires_at <= :now AND (expires_at, id) > (:after_at, :after_id)
     ORDER BY expires_at, id LIMIT :limit
    """
)
LOCK = text(
    """
    SELECT customer_id FROM points_account WHERE customer_id = ANY(:customers)
     ORDER BY customer_id FOR UPDATE SKIP LOCKED
    """
)
EXPIRE = text(
    """
    WITH due AS (
      SELECT id, customer_id, available, expires_at FROM points_lot
       WHERE id = ANY(:lots) AND customer_id = ANY(:customers) AND available > 0 AND expires_at <= :now
    ), tx AS (
      INSERT INTO points_tx (id, customer_id, kind, idem_key, ref_type, ref_id, actor, description, created_at)
      SELECT new.id, new.customer_id, 'expire', 'expire:' || lot.id || ':' || lot.at, 'lot', lot.id,
             :actor, 'Expired', :now
        FROM unnest(CAST(:ids AS uuid[]), CAST(:customers AS uuid[])) AS new(id, customer_id)
        JOIN (SELECT customer_id, min(id::text) AS id, extract(epoch FROM max(expires_at)) AS at
                FROM due GROUP BY customer_id) AS lot USING (customer_id)
      RETURNING id, customer_id
    ), entries AS (
      INSERT INTO points_entry (tx_id, line, customer_id, account, lot_id, amount)
      SELECT tx.id, row_number() OVER (PARTITION BY tx.id ORDER BY due.id, leg.account), due.customer_id,
             leg.account, due.id, leg.sign * due.available
        FROM due JOIN tx USING (customer_id)
       CROSS JOIN (VALUES ('available', -1), ('expired', 1)) AS leg(account, sign)
    )
    SELECT count(*), coalesce(sum(available), 0) FROM due
    """
)


@dataclass(frozen=True, slots=True)
class ExpiryBatch:
    """What one batch did. `after` is where the next one starts, None at the end; `busy` lots were left out."""

    lots: int
    points: int
    busy: int
    after: Place | None


def start() -> Place:
    """Before the first lot that can be due."""
    return datetime.fromtimestamp(0, tz=clock.now().tzinfo), uuid.UUID(int=0)


class DueLot(NamedTuple):
    """A lot with points whose time has come."""

    id: uuid.UUID
    customer_id: uuid.UUID
    expires_at: datetime

    @property
    def place(self) -> Place:
        return self.expires_at, self.id


def list_due(*, after: Place, limit: int = BATCH) -> list[DueLot]:
    """Beyond `after`, soonest expiry first."""
    where = {"now": clock.now(), "after_at": after[0], "after_id": after[1], "limit": limit}
    return [DueLot(*row) for row in session().execute(DUE, where)]


def expire_batch(
    *, after: Place, actor: Actor, past: Collection[uuid.UUID] = (), limit: int = BATCH
) -> ExpiryBatch:
    """Expire up to `limit` due lots beyond `after`, soonest expiry first, without those of the customers in `past`.
    One transaction a call.
    """
    due = list_due(after=after, limit=limit)
    if not due:
        return ExpiryBatch(0, 0, 0, None)
    return replace(
        expire_due([lot for lot in due if lot.customer_id not in past], actor), after=due[-1].place
    )


def expire_due(due: Sequence[DueLot], actor: Actor) -> ExpiryBatch:
    """Expire those of `due` whose customers nobody else works on. One transaction a call; `after` is None."""
    session().execute(UNHURRIED)
    customers = sorted({lot.customer_id for lot in due})
    locked = list(session().scalars(LOCK, {"customers": customers}))
    parameters = {
        "customers": locked,
        "lots": [lot.id for lot in due],
        "now": clock.now(),
        "actor": actor.name,
    }
    parameters["ids"] = [ids.uuid7() for _ in locked]
    count, points = session().execute(EXPIRE, parameters).one()
    busy = sum(lot.customer_id not in set(locked) for lot in due)
    return ExpiryBatch(int(count), int(points), busy, None)


def expire_lots(*, customer_id: uuid.UUID, lots: Sequence[uuid.UUID], actor: Actor) -> None:
    """Expire those of the customer's `lots` that are due, before the job comes to them. Lock the account before."""
    parameters = {"customers": [customer_id], "lots": list(lots), "ids": [ids.uuid7()]}
    session().execute(EXPIRE, parameters | {"now": clock.now(), "actor": actor.name})


def count_due() -> int:
    """Lots that are due now: what a run has in front of it."""
    statement = select(func.count()).where(PointsLot.available > 0, PointsLot.expires_at <= clock.now())
    return int(session().scalar(statement) or 0)


def remind(*, days: int, after: uuid.UUID | None = None, limit: int = 500) -> uuid.UUID | None:
    """Queue one mail a customer and last day (UTC) for all points that can be spent for `days` more days; where to go
    on, or None.

    Repeating it queues nothing twice: the mail's key names customer, `days` and the day. So the window has whole days:
    what expires later on a day that was told of would be told of by nobody.
    """
    rows = _expiring(days, after, limit)
    outbox.add(*[_reminder(row, days) for row in rows])
    return rows[-1].customer_id if len({row.customer_id for row in rows}) == limit else None


def _expiring(days: int, after: uuid.UUID | None, limit: int) -> Sequence[Row[Any]]:
    now = clock.now()
    today = datetime.combine(now.date(), time(), UTC)
    window = (
        PointsLot.available > 0,
        PointsLot.expires_at > max(now, today + timedelta(days=days - CATCH_UP_DAYS)),
        PointsLot.expires_at <= today + timedelta(days=days + 1),
    )
    people = select(PointsLot.customer_id).distinct().where(*window)
    if after is not None:
        people = people.where(PointsLot.customer_id > after)
    chosen = people.order_by(PointsLot.customer_id).limit(limit).subquery()
    day = func.date_trunc("day", PointsLot.expires_at - MOMENT)
    return (
        session()
        .execute(
            select(PointsLot.customer_id, day.label("day"), func.sum(PointsLot.available).label("points"))
            .where(*window, PointsLot.customer_id.in_(select(chosen.c.customer_id)))
            .group_by(PointsLot.customer_id, day)
            .order_by(PointsLot.customer_id, day)
        )
        .all()
    )


def _reminder(row: Row[Any], days: int) -> Job:
    day = row.day.date().isoformat()
    payload = {
        "customer_id": str(row.customer_id),
        "days": days,
        "points": int(row.points),
        "expires_on": day,
    }
    key = f"mail.points_expiring:{row.customer_id}:{days}:{day}"
    return Job("mail.points_expiring", key, payload, queue=MAIL_QUEUE)
