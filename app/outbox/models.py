"""Work that leaves with the commit, and the memory of what was already done."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.database import Base


class OutboxRow(Base):
    """One job to hand to RQ. `topic` names its handler; `queue` its worker; `dedupe_key` the effect."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_due", "run_at", "id", postgresql_where=text("done_at IS NULL AND dead_at IS NULL")),
        Index("ix_outbox_dead", "dead_at", postgresql_where=text("dead_at IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(unique=True)
    topic: Mapped[str]
    queue: Mapped[str]
    payload: Mapped[dict[str, Any]]
    request_id: Mapped[str]
    created_at: Mapped[datetime]
    run_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default="0")
    enqueued_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    dead_at: Mapped[datetime | None]
    last_error: Mapped[str | None]


class EffectDone(Base):
    """An effect that must happen once has happened: written in the effect's own transaction."""

    __tablename__ = "effect_done"

    dedupe_key: Mapped[str] = mapped_column(primary_key=True)
    done_at: Mapped[datetime]


class JobRun(Base):
    """A scheduled job's last and next run: shown to staff, and an alarm when it stands still."""

    __tablename__ = "job_run"

    name: Mapped[str] = mapped_column(primary_key=True)
    every_seconds: Mapped[int]
    registered_at: Mapped[datetime] = mapped_column(server_default=func.now())
    next_run_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    succeeded_at: Mapped[datetime | None]
    last_result: Mapped[str | None]
    last_error: Mapped[str | None]
