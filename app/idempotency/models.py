"""Idempotency keys, kept in the same database and transaction as the effects that they guard."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.database import Base


class IdempotencyKey(Base):
    """One client key for one customer and route. `subject` is the order number that it made, once known."""

    __tablename__ = "idempotency_key"
    __table_args__ = (
        CheckConstraint("state IN ('in_progress','finished')", name="state"),
        CheckConstraint("(state = 'finished') = (status IS NOT NULL)", name="finished_has_answer"),
        CheckConstraint("length(fingerprint) = 32", name="fingerprint"),
        Index("ix_idempotency_key_created_at", "created_at"),
        Index("ix_idempotency_key_subject", "subject"),
    )

    customer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    state: Mapped[str]
    lease_token: Mapped[uuid.UUID]
    lease_until: Mapped[datetime]
    subject: Mapped[str | None]
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None]
    created_at: Mapped[datetime]
