"""Hold, capture, release: points promised to an order, then spent or given back to the lots they came from.

Capture and release act on the order's one live hold; the caller holds the order's row lock, so that the two
never race.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import session
from app.rewards.errors import HoldNotFound, PointsInsufficient
from app.rewards.rules import LotView, Rules
from app.rewards.service.giving_back import legs_back
from app.rewards.service.posting import Posting, post, translate
from app.rewards.service.taking import pay_debt

# Lock, choose, book and note in one round trip: a hot customer's row is locked for the shortest time.
HOLD = text(
    "SELECT o_available AS available, o_lots AS lots, o_parts AS parts "
    "FROM points_hold(:customer, :order, :number, :points, :hold, :tx, :actor, :now, :until)"
)
CAPTURE = text(
    """
    WITH hold AS (
      UPDATE points_hold SET state = 'captured', resolved_at = :now
       WHERE order_id = :order_id AND state = 'active'
      RETURNING id, customer_id, order_number, tx_id, amount
    ), tx AS (
      INSERT INTO points_tx (id, customer_id, kind, idem_key, ref_type, ref_id, actor, description, created_at)
      SELECT :id, customer_id, 'capture', 'capture:' || id, 'order', order_number,
             :actor, 'Spent on order ' || order_number, :now FROM hold
    ), entries AS (
      INSERT INTO points_entry (tx_id, line, customer_id, account, lot_id, amount)
      SELECT :id, row_number() OVER (), e.customer_id, leg.account, e.lot_id, leg.sign * e.amount
        FROM hold JOIN points_entry e ON e.tx_id = hold.tx_id AND e.account = 'held'
       CROSS JOIN (VALUES ('held', -1), ('redeemed', 1)) AS leg(account, sign)
    )
    SELECT amount FROM hold
    """
)
# The account is locked before its lots, as everywhere; the expiries are those under the lock.
RELEASE = text(
    """
    WITH hold AS (
      UPDATE points_hold SET state = 'released', resolved_at = :now
       WHERE order_id = :order_id AND state = 'active'
      RETURNING id, customer_id, order_number, tx_id
    )
    SELECT hold.id AS hold_id, hold.customer_id, hold.order_number, l.id AS lot_id, e.amount, l.expires_at, a.debt
      FROM hold JOIN points_account a ON a.customer_id = hold.customer_id
      JOIN points_entry e ON e.tx_id = hold.tx_id AND e.account = 'held'
      JOIN points_lot l ON l.id = e.lot_id
     ORDER BY e.line FOR UPDATE OF a, l
    """
)


@dataclass(frozen=True, slots=True)
class Held:
    """A new hold and what it took: [(lot, points)], soonest expiry first."""

    id: uuid.UUID
    lots: Sequence[tuple[uuid.UUID, int]]


def hold(
    *,
    customer_id: uuid.UUID,
    order_id: uuid.UUID,
    order_number: str,
    points: int,
    rules: Rules,
    actor: Actor,
) -> Held:
    """Move `points` from available to held, soonest-expiring lots first.

    Raises PointsInsufficient with `available`: what could have been held.
    """
    hold_id, now = ids.uuid7(), clock.now()
    parameters = {
        "customer": customer_id,
        "order": order_id,
        "number": order_number,
        "points": points,
        "hold": hold_id,
        "tx": ids.uuid7(),
        "actor": actor.name,
        "now": now,
        "until": now + timedelta(seconds=rules.hold_ttl_seconds),
    }
    try:
        row = session().execute(HOLD, parameters).one()
    except IntegrityError as error:
        raise translate(error) from error
    if row.available is not None:
        raise PointsInsufficient(
            f"You have {row.available:,} points available.", details={"available": int(row.available)}
        )
    return Held(hold_id, list(zip(row.lots, row.parts, strict=True)))


def capture(*, order_id: uuid.UUID, actor: Actor) -> int:
    """Held points become spent; how many. Raises HoldNotFound when the order has no active hold."""
    parameters = {"id": ids.uuid7(), "order_id": order_id, "actor": actor.name, "now": clock.now()}
    try:
        points = session().scalar(CAPTURE, parameters)
    except IntegrityError as error:
        raise translate(error) from error
    if points is None:
        raise HoldNotFound("This order holds no points.")
    return int(points)


def release(*, order_id: uuid.UUID, rules: Rules, actor: Actor) -> int:
    """Held points go back to their lots, or with the rules' days of grace to live where a lot has less; how many.
    A debt is paid from them at once.

    Raises HoldNotFound when the order has no active hold.
    """
    now = clock.now()
    rows = session().execute(RELEASE, {"order_id": order_id, "now": now}).all()
    if not rows:
        raise HoldNotFound("This order holds no points.")
    hold_id, customer_id, number = rows[0][:3]
    parts = [LotView(row.lot_id, row.amount, row.expires_at) for row in rows]
    grace = now + timedelta(days=rules.release_grace_days)
    legs, lots = legs_back(parts, account="held", order_number=number, grace=grace)
    description = f"Given back from order {number}"
    key = f"release:{hold_id}"
    post(Posting(customer_id, "release", key, "order", number, description, legs, lots), actor=actor)
    pay_debt(
        customer_id=customer_id,
        debt=rows[0].debt,
        idem_key=key,
        ref_type="order",
        ref_id=number,
        actor=actor,
    )
    return sum(part.available for part in parts)
