"""Reserve, commit, release: units promised to an order, then sold or put back.

Stock rows are locked last in every unit of work and always by variant id, so that a hot product is locked for
the shortest time and two orders never wait for each other in a circle.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from app.inventory.errors import StockInsufficient
from app.inventory.models import Stock, StockReservation
from app.kernel import clock
from app.kernel.database import session

LOCK_AND_TAKE = text(
    """
    WITH wanted AS (
      SELECT * FROM unnest(CAST(:variants AS uuid[]), CAST(:quantities AS bigint[])) AS w(variant_id, quantity)
    ), locked AS (
      SELECT s.variant_id FROM stock s JOIN wanted w USING (variant_id) ORDER BY s.variant_id FOR UPDATE OF s
    )
    UPDATE stock s SET reserved = s.reserved + w.quantity
      FROM wanted w JOIN locked USING (variant_id)
     WHERE s.variant_id = w.variant_id AND s.reserved + w.quantity <= s.on_hand
    RETURNING s.variant_id
    """
)
RESOLVE = """
    WITH live AS (
      UPDATE stock_reservation SET state = :state, resolved_at = :now
       WHERE order_id = :order_id AND state = ANY(:from_states) RETURNING variant_id, quantity, attempt
    ), locked AS (
      SELECT s.variant_id FROM stock s JOIN live USING (variant_id) ORDER BY s.variant_id FOR UPDATE OF s
    )
    UPDATE stock s SET {change} FROM live JOIN locked USING (variant_id)
     WHERE s.variant_id = live.variant_id RETURNING s.variant_id
"""
COMMIT = text(
    RESOLVE.format(change="on_hand = s.on_hand - live.quantity, reserved = s.reserved - live.quantity")
)
RELEASE = text(RESOLVE.format(change="reserved = s.reserved - live.quantity"))
RESTOCK = text(RESOLVE.format(change="on_hand = s.on_hand + live.quantity"))


def reserve(*, order_id: uuid.UUID, attempt: int, quantities: Mapping[uuid.UUID, int]) -> None:
    """Promise `quantities` (variant id -> units) to the order, all or nothing.

    Raises StockInsufficient; details `available`: {variant id: units that can be sold} of those that fell short.
    The caller's transaction must then be rolled back: what could be taken has been.
    """
    variants = sorted(quantities)
    values = {"variants": variants, "quantities": [quantities[variant] for variant in variants]}
    taken = set(session().scalars(LOCK_AND_TAKE, values))
    if missing := [variant for variant in variants if variant not in taken]:
        raise StockInsufficient(
            "There is not enough stock for this order.", details={"available": _sellable(missing)}
        )
    now = clock.now()
    rows = [
        {
            "order_id": order_id,
            "variant_id": variant,
            "attempt": attempt,
            "quantity": quantities[variant],
            "state": "active",
            "created_at": now,
        }
        for variant in variants
    ]
    session().execute(insert(StockReservation), rows)


def commit(*, order_id: uuid.UUID) -> int:
    """Reserved units are sold; how many variants. Raises StockInsufficient when stock has gone meanwhile."""
    try:
        return _resolve(COMMIT, order_id, "committed", ["active"])
    except IntegrityError as error:
        raise StockInsufficient("The stock of this order has gone.") from error


def release(*, order_id: uuid.UUID) -> int:
    """Reserved units can be sold again; how many variants."""
    return _resolve(RELEASE, order_id, "released", ["active"])


def restock(*, order_id: uuid.UUID) -> int:
    """Sold units of a cancelled order go back on the shelf; how many variants."""
    return _resolve(RESTOCK, order_id, "released", ["committed"])


def _resolve(statement: object, order_id: uuid.UUID, state: str, from_states: list[str]) -> int:
    values = {"order_id": order_id, "state": state, "from_states": from_states, "now": clock.now()}
    return len(session().execute(statement, values).all())  # type: ignore[call-overload]


def _sellable(variants: list[uuid.UUID]) -> dict[uuid.UUID, int]:
    rows = session().execute(
        select(Stock.variant_id, Stock.on_hand - Stock.reserved).where(Stock.variant_id.in_(variants))
    )
    found = {variant: int(units) for variant, units in rows}
    return {variant: found.get(variant, 0) for variant in variants}
