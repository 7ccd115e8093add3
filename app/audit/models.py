"""The audit log: append-only, hash-chained per target by the database."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.database import Base


class AuditEntry(Base):
    """Who did what to which thing, with before, after and why. `seq` is gapless per target."""

    __tablename__ = "audit_log"
    __table_args__ = (
        UniqueConstraint("target_type", "target_id", "seq"),
        CheckConstraint("actor_kind IN ('staff','system','customer')", name="actor_kind"),
        CheckConstraint("actor_kind <> 'staff' OR actor_id IS NOT NULL", name="staff_is_named"),
        Index("ix_audit_log_actor_id", "actor_id", "id"),
        Index("ix_audit_log_at", "at", "id"),
        Index("ix_audit_log_action", "action", "id"),
        Index("ix_audit_log_request_id", "request_id", "id"),
        Index("ix_audit_log_target_id", "target_id", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor_kind: Mapped[str]
    actor_id: Mapped[uuid.UUID | None]
    actor_name: Mapped[str]
    actor_role: Mapped[str | None]
    action: Mapped[str]
    target_type: Mapped[str]
    target_id: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None]
    request_id: Mapped[str]
    ip: Mapped[str | None]
    user_agent: Mapped[str | None]
    seq: Mapped[int]
    prev_hash: Mapped[bytes]
    hash: Mapped[bytes]
