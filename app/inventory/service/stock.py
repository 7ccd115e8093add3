"""What is on the shelf: counted by people or told by a file, never by an order."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select, text, update

from app.audit.service import record
from app.inventory.models import Stock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.kernel.errors import Conflict, NotFound

# Rows are locked by variant id, as every order does; a row that says the same already is not written.
SET = text(
    """
    WITH given AS (
      SELECT * FROM unnest(CAST(:variants AS uuid[]), CAST(:quantities AS bigint[])) AS g(variant_id, quantity)
       ORDER BY variant_id
    ), locked AS (
      SELECT s.variant_id FROM stock s JOIN given USING (variant_id) ORDER BY s.variant_id FOR UPDATE OF s
    )
    INSERT INTO stock AS s (variant_id, on_hand, reserved)
    SELECT g.variant_id, g.quantity, 0 FROM given g LEFT JOIN locked USING (variant_id) ORDER BY g.variant_id
    ON CONFLICT (variant_id) DO UPDATE SET on_hand = greatest(excluded.on_hand, s.reserved)
     WHERE s.on_hand <> greatest(excluded.on_hand, s.reserved)
    RETURNING variant_id
    """
)
PROMISED = text(
    """
    SELECT s.variant_id FROM stock s
      JOIN unnest(CAST(:variants AS uuid[]), CAST(:quantities AS bigint[])) AS g(variant_id, quantity)
        USING (variant_id)
     WHERE g.quantity < s.reserved
    """
)


@dataclass
class StockSet:
    """`changed` rows; `promised`: variants that keep more than was given, because orders hold those units."""

    changed: int = 0
    promised: list[uuid.UUID] = field(default_factory=list)

    def __add__(self, other: StockSet) -> StockSet:
        return StockSet(self.changed + other.changed, [*self.promised, *other.promised])


def set_on_hand(*, quantities: Sequence[tuple[uuid.UUID, int]]) -> StockSet:
    """Units on hand by variant id, each once. Never below what orders hold: those units are sold already."""
    if not quantities:
        return StockSet()
    values = {
        "variants": [variant_id for variant_id, _ in quantities],
        "quantities": [quantity for _, quantity in quantities],
    }
    changed = len(session().execute(SET, values).all())
    return StockSet(changed, list(session().scalars(PROMISED, values)))


def adjust(*, variant_id: uuid.UUID, by: int, reason: str, actor: Actor) -> int:
    """Add or take units by hand; the units on hand after it. In the audit log.

    Raises NotFound, and Conflict `STOCK_PROMISED` when fewer would be left than orders hold.
    """
    before = session().scalar(
        select(Stock.on_hand).where(Stock.variant_id == variant_id).with_for_update(of=Stock)
    )
    if before is None:
        raise NotFound("There is no stock of this product.")
    after = session().scalar(
        update(Stock)
        .where(Stock.variant_id == variant_id, Stock.on_hand + by >= Stock.reserved)
        .values(on_hand=Stock.on_hand + by)
        .returning(Stock.on_hand)
    )
    if after is None:
        raise Conflict("Orders hold more units than would be left.", code="STOCK_PROMISED")
    record(
        actor=actor,
        action="stock.adjust",
        target_type="variant",
        target_id=str(variant_id),
        before={"on_hand": before},
        after={"on_hand": after},
        reason=reason,
    )
    return int(after)
