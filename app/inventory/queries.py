"""What can be sold."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from sqlalchemy import select

from app.inventory.models import Stock
from app.kernel.database import session


def sellable(variant_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Units that can be sold now (on hand, not promised), by variant id; 0 where nothing is known."""
    rows = session().execute(
        select(Stock.variant_id, Stock.on_hand - Stock.reserved).where(Stock.variant_id.in_(variant_ids))
    )
    found = {variant_id: int(units) for variant_id, units in rows}
    return {variant_id: found.get(variant_id, 0) for variant_id in variant_ids}


def on_hand(variant_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Units on the shelf, promised ones included, by variant id; 0 where nothing is known."""
    rows = session().execute(select(Stock.variant_id, Stock.on_hand).where(Stock.variant_id.in_(variant_ids)))
    found = {variant_id: int(units) for variant_id, units in rows}
    return {variant_id: found.get(variant_id, 0) for variant_id in variant_ids}


def counts(variant_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, tuple[int, int]]:
    """(on hand, reserved) by variant id; zeros where nothing is known."""
    statement = select(Stock.variant_id, Stock.on_hand, Stock.reserved)
    rows = session().execute(statement.where(Stock.variant_id.in_(variant_ids)))
    found = {row.variant_id: (int(row.on_hand), int(row.reserved)) for row in rows}
    return {variant_id: found.get(variant_id, (0, 0)) for variant_id in variant_ids}
