"""Adjustments by staff, one by one and by file."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.kernel.database import count_up_to, session
from app.kernel.pagination import DEFAULT_LIMIT, MAX_TOTAL, Page, decode_cursor, id_in, page_of
from app.rewards.errors import AdjustmentNotFound
from app.rewards.models import PointsAdjustment
from app.rewards.programme_models import AdjustmentBatch


@dataclass(frozen=True, slots=True)
class Adjustment:
    """`points` signed. `state`: awaiting_approval, applied, rejected, expired."""

    id: uuid.UUID
    customer_id: uuid.UUID
    points: int
    reason_code: str
    note: str
    points_expire_at: datetime | None
    state: str
    auto_approved: bool
    requested_by: uuid.UUID
    decided_by: uuid.UUID | None
    decision_note: str | None
    tx_id: uuid.UUID | None
    reversal_of: uuid.UUID | None
    batch_id: uuid.UUID | None
    created_at: datetime
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Batch:
    """A file of adjustments; `credit` and `debit` in points, both without sign."""

    id: uuid.UUID
    file_name: str
    rows: int
    credit: int
    debit: int
    state: str
    auto_approved: bool
    requested_by: uuid.UUID
    decided_by: uuid.UUID | None
    decision_note: str | None
    created_at: datetime
    decided_at: datetime | None


_ADJUSTMENT = [getattr(PointsAdjustment, field.name) for field in fields(Adjustment)]
_BATCH = [getattr(AdjustmentBatch, field.name) for field in fields(Batch)]


def find_adjustment(adjustment_id: uuid.UUID) -> Adjustment | None:
    row = session().execute(select(*_ADJUSTMENT).where(PointsAdjustment.id == adjustment_id)).first()
    return Adjustment(*row) if row else None


def get_adjustment(adjustment_id: uuid.UUID) -> Adjustment:
    """Raises AdjustmentNotFound."""
    found = find_adjustment(adjustment_id)
    if found is None:
        raise AdjustmentNotFound("There is no such adjustment.")
    return found


def list_adjustments(
    *,
    state: str | None = None,
    customer_id: uuid.UUID | None = None,
    requested_by: uuid.UUID | None = None,
    batch_id: uuid.UUID | None = None,
    cursor: str | None = None,
    limit: int = DEFAULT_LIMIT,
    with_total: bool = False,
) -> Page[Adjustment]:
    """Newest first. Raises RuleBroken `CURSOR_INVALID`."""
    wanted = {
        PointsAdjustment.state: state,
        PointsAdjustment.customer_id: customer_id,
        PointsAdjustment.requested_by: requested_by,
        PointsAdjustment.batch_id: batch_id,
    }
    page = _page(PointsAdjustment, _ADJUSTMENT, wanted, cursor, limit, with_total)
    return page.showing(lambda row: Adjustment(*row))


def get_batch(batch_id: uuid.UUID) -> Batch:
    """Raises AdjustmentNotFound."""
    row = session().execute(select(*_BATCH).where(AdjustmentBatch.id == batch_id)).first()
    if row is None:
        raise AdjustmentNotFound("There is no such file of adjustments.")
    return Batch(*row)


def list_batches(
    *, state: str | None = None, cursor: str | None = None, limit: int = DEFAULT_LIMIT
) -> Page[Batch]:
    """Newest first. Raises RuleBroken `CURSOR_INVALID`."""
    page = _page(AdjustmentBatch, _BATCH, {AdjustmentBatch.state: state}, cursor, limit)
    return page.showing(lambda row: Batch(*row))


def _page(
    model: Any,
    columns: list[Any],
    wanted: dict[Any, Any],
    cursor: str | None,
    limit: int,
    with_total: bool = False,
) -> Page[Any]:
    filters = {column.key: value for column, value in wanted.items()} | {"of": model.__tablename__}
    statement = select(*columns).where(
        *[column == value for column, value in wanted.items() if value is not None]
    )
    total = count_up_to(statement, MAX_TOTAL) if with_total else None
    backwards = False
    if cursor is not None:
        (key,), backwards = decode_cursor(cursor, filters=filters, width=1)
        boundary = id_in(key)
        statement = statement.where(model.id > boundary if backwards else model.id < boundary)
    order = model.id.asc() if backwards else model.id.desc()
    return page_of(
        session().execute(statement.order_by(order).limit(limit + 1)).all(),
        limit=limit,
        key=lambda row: [str(row.id)],
        filters=filters,
        backwards=backwards,
        first=cursor is None,
        total=total,
    )
