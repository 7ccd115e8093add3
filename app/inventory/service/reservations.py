"""Reserve, commit, release: units promised to an order, then sold or put back.

Stock rows are locked last in every unit of work and always by variant id, so that a hot product is locked for
the shortest time and two orders never wait for each other in a circle. Committing and releasing only set the
reservation's state; the stock row follows at the very end.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from sqlalchemy import insert, select, text

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
RESOLVE = text(
    """
    UPDATE stock_reservation SET state = :state, resolved_at = :now
     WHERE (order_id, variant_id, attempt) IN (
       SELECT order_id, variant_id, attempt FROM stock_reservation
        WHERE order_id = :order_id AND state = :from_state ORDER BY variant_id FOR UPDATE)
    RETURNING variant_id
    """
)


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
    """Reserved units are sold; how many variants. Fewer than the order has lines: stock has gone meanwhile."""
    return _resolve(order_id, "active", "committed")


def release(*, order_id: uuid.UUID) -> int:
    """Reserved units can be sold again; how many variants."""
    return _resolve(order_id, "active", "released")


def restock(*, order_id: uuid.UUID) -> int:
    """Sold units of a cancelled order go back on the shelf; how many variants."""
    return _resolve(order_id, "committed", "released")


def _resolve(order_id: uuid.UUID, from_state: str, state: str) -> int:
    """The stock rows follow when the transaction commits (migration 0029), in the order of variant ids."""
    values = {"order_id": order_id, "from_state": from_state, "state": state, "now": clock.now()}
    return len(session().execute(RESOLVE, values).all())


def _sellable(variants: list[uuid.UUID]) -> dict[uuid.UUID, int]:
    rows = session().execute(
        select(Stock.variant_id, Stock.on_hand - Stock.reserved).where(Stock.variant_id.in_(variants))
    )
    found = {variant: int(units) for variant, units in rows}
    return {variant: found.get(variant, 0) for variant in variants}
