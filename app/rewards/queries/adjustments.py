"""Adjustments by staff, one by one and by file."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.kernel.database import session
from app.kernel.errors import RuleBroken
from app.kernel.pagination import DEFAULT_LIMIT, Page, decode_cursor, encode_cursor
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
) -> Page[Adjustment]:
    """Newest first."""
    wanted = {
        PointsAdjustment.state: state,
        PointsAdjustment.customer_id: customer_id,
        PointsAdjustment.requested_by: requested_by,
        PointsAdjustment.batch_id: batch_id,
    }
    rows, more, backwards, filters = _rows(PointsAdjustment, _ADJUSTMENT, wanted, cursor, limit)
    return _page([Adjustment(*row) for row in rows], limit, more, backwards, cursor, filters)


def get_batch(batch_id: uuid.UUID) -> Batch:
    """Raises AdjustmentNotFound."""
    row = session().execute(select(*_BATCH).where(AdjustmentBatch.id == batch_id)).first()
    if row is None:
        raise AdjustmentNotFound("There is no such file of adjustments.")
    return Batch(*row)


def list_batches(
    *, state: str | None = None, cursor: str | None = None, limit: int = DEFAULT_LIMIT
) -> Page[Batch]:
    """Newest first."""
    rows, more, backwards, filters = _rows(
        AdjustmentBatch, _BATCH, {AdjustmentBatch.state: state}, cursor, limit
    )
    return _page([Batch(*row) for row in rows], limit, more, backwards, cursor, filters)


def _rows(
    model: Any, columns: list[Any], wanted: dict[Any, Any], cursor: str | None, limit: int
) -> tuple[list[Any], bool, bool, dict[str, Any]]:
    filters = {column.key: value for column, value in wanted.items()} | {"of": model.__tablename__}
    statement = select(*columns).where(
        *[column == value for column, value in wanted.items() if value is not None]
    )
    backwards = False
    if cursor is not None:
        (key,), backwards = decode_cursor(cursor, filters=filters, width=1)
        boundary = _boundary(key)
        statement = statement.where(model.id > boundary if backwards else model.id < boundary)
    order = model.id.asc() if backwards else model.id.desc()
    rows = list(session().execute(statement.order_by(order).limit(limit + 1)))
    more, rows = len(rows) > limit, rows[:limit]
    if backwards:
        rows.reverse()
    return rows, more, backwards, filters


def _boundary(key: Any) -> uuid.UUID:
    try:
        return uuid.UUID(str(key))
    except ValueError:
        message = "This page link is not valid. Start again from the first page."
        raise RuleBroken(message, code="CURSOR_INVALID") from None


def _page(
    items: list[Any], limit: int, more: bool, backwards: bool, cursor: str | None, filters: dict[str, Any]
) -> Page[Any]:
    has_next, has_prev = (True, more) if backwards else (more, cursor is not None)
    return Page(
        items=items,
        limit=limit,
        next=encode_cursor([items[-1].id], filters=filters) if items and has_next else None,
        prev=encode_cursor([items[0].id], filters=filters, backwards=True) if items and has_prev else None,
    )
