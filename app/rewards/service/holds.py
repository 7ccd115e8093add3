"""Hold, capture, release: points promised to an order, then spent or given back to the lots they came from.

Capture and release act on the order's one live hold; the caller holds the order's row lock, so that the two
never race.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import session
from app.rewards.errors import HoldNotFound, PointsInsufficient
from app.rewards.rules import Rules
from app.rewards.service.posting import translate

# Lock, choose, book and note in one round trip: a hot customer's row is locked for the shortest time.
HOLD = text("SELECT points_hold(:customer, :order, :number, :points, :hold, :tx, :actor, :now, :until)")
RESOLVE = text(
    """
    WITH hold AS (
      UPDATE points_hold SET state = :state, resolved_at = :now
       WHERE order_id = :order_id AND state = 'active'
      RETURNING id, customer_id, order_number, tx_id, amount
    ), tx AS (
      INSERT INTO points_tx (id, customer_id, kind, idem_key, ref_type, ref_id, actor, description, created_at)
      SELECT :id, customer_id, CAST(:kind AS text), CAST(:kind AS text) || ':' || id, 'order', order_number,
             :actor, CAST(:description AS text) || ' ' || order_number, :now FROM hold
    ), entries AS (
      INSERT INTO points_entry (tx_id, line, customer_id, account, lot_id, amount)
      SELECT :id, row_number() OVER (), e.customer_id, leg.account, e.lot_id, leg.sign * e.amount
        FROM hold JOIN points_entry e ON e.tx_id = hold.tx_id AND e.account = 'held'
       CROSS JOIN (VALUES ('held', -1), (CAST(:target AS text), 1)) AS leg(account, sign)
    )
    SELECT customer_id, tx_id, amount FROM hold
    """
)
EXTEND = text(
    """
    UPDATE points_lot SET expires_at = :at
     WHERE expires_at < :at AND id IN (
       SELECT e.lot_id FROM points_entry e JOIN points_hold h ON h.tx_id = e.tx_id
        WHERE h.order_id = :order_id AND h.state = 'active' AND e.account = 'held')
    """
)


def hold(
    *,
    customer_id: uuid.UUID,
    order_id: uuid.UUID,
    order_number: str,
    points: int,
    rules: Rules,
    actor: Actor,
) -> uuid.UUID:
    """Move `points` from available to held, soonest-expiring lots first; the hold's id.

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
        available = session().scalar(HOLD, parameters)
    except IntegrityError as error:
        raise translate(error) from error
    if available is not None:
        raise PointsInsufficient(
            f"You have {available:,} points available.", details={"available": int(available)}
        )
    return hold_id


def capture(*, order_id: uuid.UUID, actor: Actor) -> int:
    """Held points become spent; how many. Raises HoldNotFound when the order has no active hold."""
    return _resolve(order_id, "captured", "capture", "redeemed", "Spent on order", actor)


def release(*, order_id: uuid.UUID, rules: Rules, actor: Actor) -> int:
    """Held points go back to their lots, with at least the rules' days of grace to live; how many.

    Raises HoldNotFound when the order has no active hold.
    """
    grace = clock.now() + timedelta(days=rules.release_grace_days)
    session().execute(EXTEND, {"at": grace, "order_id": order_id})
    return _resolve(order_id, "released", "release", "available", "Given back from order", actor)


def _resolve(order_id: uuid.UUID, state: str, kind: str, target: str, description: str, actor: Actor) -> int:
    parameters = {
        "id": ids.uuid7(),
        "order_id": order_id,
        "state": state,
        "kind": kind,
        "target": target,
        "description": description,
        "actor": actor.name,
        "now": clock.now(),
    }
    try:
        row = session().execute(RESOLVE, parameters).first()
    except IntegrityError as error:
        raise translate(error) from error
    if row is None:
        raise HoldNotFound("This order holds no points.")
    return int(row.amount)
