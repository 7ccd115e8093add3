"""Transfers between members."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import or_, select

from app.kernel.database import session
from app.rewards.errors import TransferNotFound
from app.rewards.programme_models import PointsTransfer


@dataclass(frozen=True, slots=True)
class Transfer:
    """`state`: awaiting_confirmation, done, cancelled, expired. `spendable_from`: when the recipient may spend."""

    id: uuid.UUID
    sender_id: uuid.UUID
    recipient_id: uuid.UUID
    points: int
    state: str
    created_at: datetime
    confirm_until: datetime
    resolved_at: datetime | None
    spendable_from: datetime | None


_COLUMNS = [getattr(PointsTransfer, field.name) for field in fields(Transfer)]


def get_transfer(transfer_id: uuid.UUID) -> Transfer:
    """Raises TransferNotFound."""
    row = session().execute(select(*_COLUMNS).where(PointsTransfer.id == transfer_id)).first()
    if row is None:
        raise TransferNotFound("There is no such transfer.")
    return Transfer(*row)


def list_transfers(customer_id: uuid.UUID, *, limit: int = 50) -> Sequence[Transfer]:
    """Sent by the customer, and received once done; newest first."""
    statement = (
        select(*_COLUMNS)
        .where(
            or_(
                PointsTransfer.sender_id == customer_id,
                (PointsTransfer.recipient_id == customer_id) & (PointsTransfer.state == "done"),
            )
        )
        .order_by(PointsTransfer.created_at.desc(), PointsTransfer.id.desc())
        .limit(limit)
    )
    return [Transfer(*row) for row in session().execute(statement)]
