"""What stands beside the ledger: files of adjustments, transfers between members, seals over all chains."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.database import Base


class AdjustmentBatch(Base):
    """A file of adjustments, applied whole or not at all. `credit` and `debit` are totals in points, both >= 0."""

    __tablename__ = "points_adjustment_batch"
    __table_args__ = (
        CheckConstraint("rows > 0 AND credit >= 0 AND debit >= 0", name="totals"),
        CheckConstraint("state IN ('awaiting_approval','applied','rejected','expired')", name="state"),
        CheckConstraint("decided_by IS DISTINCT FROM requested_by OR auto_approved", name="two_people"),
        Index(
            "uq_points_adjustment_batch_digest",
            "digest",
            unique=True,
            postgresql_where=text("state IN ('awaiting_approval','applied')"),
        ),
        Index("ix_points_adjustment_batch_state", "state", "created_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    file_name: Mapped[str]
    digest: Mapped[bytes]  # SHA-256 of its rows, sorted: the same file is not booked twice
    rows: Mapped[int]
    credit: Mapped[int]
    debit: Mapped[int]
    state: Mapped[str]
    auto_approved: Mapped[bool] = mapped_column(server_default="false")
    requested_by: Mapped[uuid.UUID]
    decided_by: Mapped[uuid.UUID | None]
    decision_note: Mapped[str | None]
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]


class PointsDryRun(Base):
    """A bonus that a rule on trial would have given; no points move. Orders keep theirs in `earn_breakdown`."""

    __tablename__ = "points_dry_run"
    __table_args__ = (CheckConstraint("points > 0", name="points"),)

    rule: Mapped[str] = mapped_column(primary_key=True)
    source_type: Mapped[str] = mapped_column(primary_key=True)
    source_id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("customer.id"))
    points: Mapped[int]
    rules_version: Mapped[int]
    created_at: Mapped[datetime]


class PointsTransfer(Base):
    """Points that one member sends to another, once confirmed by the link in the sender's mail.

    `recipient_id` NULL: nobody with that address could receive when it was asked for; it can never be confirmed.
    """

    __tablename__ = "points_transfer"
    __table_args__ = (
        CheckConstraint("points > 0 AND sender_id <> recipient_id", name="sane"),
        CheckConstraint("state IN ('awaiting_confirmation','done','cancelled','expired')", name="state"),
        CheckConstraint("(state = 'awaiting_confirmation') = (resolved_at IS NULL)", name="resolved"),
        CheckConstraint("state <> 'done' OR recipient_id IS NOT NULL", name="received"),
        Index("ix_points_transfer_sender_id", "sender_id", "created_at"),
        Index("ix_points_transfer_recipient_id", "recipient_id", "created_at"),
        Index(
            "uq_points_transfer_pending",
            "sender_id",
            unique=True,
            postgresql_where=text("state = 'awaiting_confirmation'"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    sender_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("customer.id"))
    recipient_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("customer.id"))
    recipient_email: Mapped[str]
    points: Mapped[int]
    state: Mapped[str]
    created_at: Mapped[datetime]
    confirm_until: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    spendable_from: Mapped[datetime | None]


class PointsSeal(Base):
    """All chains at one instant under one hash, chained to the seal before. Append-only.

    `root` is a Merkle tree hash (RFC 6962, 2.1) over the heads of the accounts in order of customer id,
    `audit_root` the same over the heads of the audit chains.
    """

    __tablename__ = "points_seal"
    __table_args__ = (
        CheckConstraint("length(root) = 32 AND length(audit_root) = 32", name="roots"),
        CheckConstraint("length(prev_hash) = 32 AND length(hash) = 32", name="hashes"),
    )

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sealed_at: Mapped[datetime]
    accounts: Mapped[int]
    transactions: Mapped[int]
    root: Mapped[bytes]
    audit_targets: Mapped[int]
    audit_rows: Mapped[int]
    audit_root: Mapped[bytes]
    prev_hash: Mapped[bytes]
    hash: Mapped[bytes]


class PointsSealLeaf(Base):
    """Where each account stood at the last seal: what a certificate's path to the root is made from.

    Written by the database alone (migration 0050, points_make_seal).
    """

    __tablename__ = "points_seal_leaf"

    customer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    head: Mapped[bytes]


class PointsSealAuditLeaf(Base):
    """Where the audit chain of each thing stood at the last seal; written as PointsSealLeaf is."""

    __tablename__ = "points_seal_audit_leaf"

    target_type: Mapped[str] = mapped_column(primary_key=True)
    target_id: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]
    head: Mapped[bytes]
