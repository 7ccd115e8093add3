"""Transfers between members."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import func, or_, select

from app.kernel.database import session
from app.rewards.errors import TransferNotFound
from app.rewards.programme_models import PointsTransfer


@dataclass(frozen=True, slots=True)
class Transfer:
    """`state`: awaiting_confirmation, done, cancelled, expired. `spendable_from`: when the recipient may spend.

    `recipient_id` None: nobody with the address can receive, which the sender learns by confirming only.
    """

    id: uuid.UUID
    sender_id: uuid.UUID
    recipient_id: uuid.UUID | None
    recipient_email: str
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


def get_sent(sender_id: uuid.UUID, *, since: datetime) -> int:
    """Points that were sent and confirmed since then."""
    statement = select(func.coalesce(func.sum(PointsTransfer.points), 0)).where(
        PointsTransfer.sender_id == sender_id,
        PointsTransfer.state == "done",
        PointsTransfer.resolved_at > since,
    )
    return int(session().scalar(statement) or 0)
