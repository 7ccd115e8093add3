"""The points ledger. docs/ledger.md explains the accounts; the database keeps the derived columns itself.

Written by the shop: `points_tx`, `points_entry`, `points_hold`, new rows of `points_lot`. Kept by triggers
from the entries, and closed to the shop's database role: balances of `points_account`, amounts of
`points_lot`, and `points_chain`.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.database import Base

CUSTOMER_ACCOUNTS = ("available", "held", "pending", "debt")
PROGRAMME_ACCOUNTS = ("issued", "redeemed", "expired", "adjusted", "clawback", "transit")
TX_KINDS = (
    "earn",
    "earn_confirm",
    "earn_cancel",
    "hold",
    "capture",
    "release",
    "refund",
    "expire",
    "adjust",
    "clawback",
    "transfer_out",
    "transfer_in",
)


def _quoted(words: tuple[str, ...]) -> str:
    return ",".join(f"'{word}'" for word in words)


class PointsAccount(Base):
    """A customer's balances in points, one row, one lock. `debt` is zero or negative: what is still owed."""

    __tablename__ = "points_account"
    __table_args__ = (
        CheckConstraint("available >= 0 AND held >= 0 AND pending >= 0", name="no_overdraw"),
        CheckConstraint("debt <= 0", name="debt"),
        CheckConstraint("length(head) = 32", name="head"),
        Index("ix_points_account_tier", "customer_id", postgresql_where=text("tier <> 'member'")),
    )

    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    available: Mapped[int] = mapped_column(server_default="0")
    held: Mapped[int] = mapped_column(server_default="0")
    pending: Mapped[int] = mapped_column(server_default="0")
    debt: Mapped[int] = mapped_column(server_default="0")
    lifetime_earned: Mapped[int] = mapped_column(server_default="0")
    version: Mapped[int] = mapped_column(server_default="0")
    head: Mapped[bytes] = mapped_column(server_default=text("decode(repeat('00', 32), 'hex')"))
    tier: Mapped[str] = mapped_column(server_default="member")
    tier_until: Mapped[datetime | None]


class PointsTx(Base):
    """One movement of one customer's points. `idem_key` names the effect: posting it twice is impossible."""

    __tablename__ = "points_tx"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_quoted(TX_KINDS)})", name="kind"),
        UniqueConstraint("customer_id", "id"),
        UniqueConstraint("customer_id", "idem_key"),
        Index("ix_points_tx_ref", "ref_type", "ref_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("points_account.customer_id"))
    kind: Mapped[str]
    idem_key: Mapped[str]
    ref_type: Mapped[str]  # "order", "adjustment", "lot", "transfer", "rule"
    ref_id: Mapped[str]
    actor: Mapped[str]
    description: Mapped[str]
    meta: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    created_at: Mapped[datetime]


class PointsLot(Base):
    """Points of one origin with one expiry. `expires_at` NULL: never. Taken soonest first."""

    __tablename__ = "points_lot"
    __table_args__ = (
        UniqueConstraint("customer_id", "id"),
        CheckConstraint(
            "granted >= 0 AND available >= 0 AND held >= 0 AND spent >= 0 AND expired >= 0 AND taken >= 0",
            name="amounts",
        ),
        CheckConstraint("granted = available + held + spent + expired + taken", name="adds_up"),
        CheckConstraint("expires_at >= '2000-01-01Z' AND expires_at < '3000-01-01Z'", name="expiry"),
        Index(
            "ix_points_lot_spendable",
            "customer_id",
            "expires_at",
            "id",
            postgresql_where=text("available > 0"),
        ),
        Index("ix_points_lot_expiring", "expires_at", "id", postgresql_where=text("available > 0")),
        Index("ix_points_lot_customer_id", "customer_id", "created_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("points_account.customer_id"))
    parent_lot_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("points_lot.id"))
    origin_type: Mapped[str]  # "order", "adjustment", "rule", "transfer", "refund"
    origin_id: Mapped[str]
    granted: Mapped[int] = mapped_column(server_default="0")
    available: Mapped[int] = mapped_column(server_default="0")
    held: Mapped[int] = mapped_column(server_default="0")
    spent: Mapped[int] = mapped_column(server_default="0")
    expired: Mapped[int] = mapped_column(server_default="0")
    taken: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    spendable_from: Mapped[datetime | None]  # NULL: at once (transfers received have a cool-off)


class PointsEntry(Base):
    """One leg. Legs of a transaction sum to zero and are inserted by one statement; they never change."""

    __tablename__ = "points_entry"
    __table_args__ = (
        CheckConstraint(f"account IN ({_quoted(CUSTOMER_ACCOUNTS + PROGRAMME_ACCOUNTS)})", name="account"),
        CheckConstraint("amount <> 0", name="amount"),
        CheckConstraint("(account NOT IN ('available','held')) OR lot_id IS NOT NULL", name="lot"),
        ForeignKeyConstraint(
            ["customer_id", "tx_id"], ["points_tx.customer_id", "points_tx.id"], name="fk_points_entry_tx"
        ),
        ForeignKeyConstraint(
            ["customer_id", "lot_id"], ["points_lot.customer_id", "points_lot.id"], name="fk_points_entry_lot"
        ),
        Index("ix_points_entry_lot_id", "lot_id"),
    )

    tx_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[uuid.UUID]
    account: Mapped[str]
    lot_id: Mapped[uuid.UUID | None]
    amount: Mapped[int]


class PointsChain(Base):
    """Balances after each transaction, gapless per customer and hash-chained: written by the database only.

    `delta` is the change of available + held: what a statement shows. `hash` covers the row before it, the
    transaction and all its entries.
    """

    __tablename__ = "points_chain"
    __table_args__ = (
        ForeignKeyConstraint(
            ["customer_id", "tx_id"], ["points_tx.customer_id", "points_tx.id"], name="fk_points_chain_tx"
        ),
        UniqueConstraint("tx_id"),
        Index("ix_points_chain_statement", "customer_id", "seq", postgresql_where=text("delta <> 0")),
    )

    customer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    tx_id: Mapped[uuid.UUID]
    delta: Mapped[int]
    available_after: Mapped[int]
    held_after: Mapped[int]
    pending_after: Mapped[int]
    debt_after: Mapped[int]
    hash: Mapped[bytes]


class PointsHold(Base):
    """Points promised to an order. Which lots they came from is in the entries of `tx_id`."""

    __tablename__ = "points_hold"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("state IN ('active','captured','released')", name="state"),
        CheckConstraint("(state = 'active') = (resolved_at IS NULL)", name="resolved"),
        Index(
            "uq_points_hold_one_live_per_order",
            "order_id",
            unique=True,
            postgresql_where=text("state IN ('active','captured')"),
        ),
        Index("ix_points_hold_active", "customer_id", postgresql_where=text("state = 'active'")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("points_account.customer_id"))
    order_id: Mapped[uuid.UUID]
    order_number: Mapped[str]
    amount: Mapped[int]
    state: Mapped[str]
    tx_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("points_tx.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]


class PointsEarning(Base):
    """Points that an order earned, pending until `confirms_at`, then confirmed into a lot, or cancelled.

    `held_back_at` set: they stay pending beyond that, until somebody lets them go.
    """

    __tablename__ = "points_earning"
    __table_args__ = (
        CheckConstraint("points > 0 AND 0 <= taken_back AND taken_back <= points", name="points"),
        CheckConstraint("state IN ('pending','confirmed','cancelled')", name="state"),
        UniqueConstraint("source_type", "source_id"),
        Index("ix_points_earning_due", "confirms_at", postgresql_where=text("state = 'pending'")),
        Index("ix_points_earning_customer_id", "customer_id", "state"),
        Index("ix_points_earning_tier", "customer_id", "resolved_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("points_account.customer_id"))
    source_type: Mapped[str]  # "order", or what a bonus was given for: "sign_up", "first_order", "review"
    source_id: Mapped[str]
    order_number: Mapped[str | None]
    points: Mapped[int]
    taken_back: Mapped[int] = mapped_column(server_default="0")
    state: Mapped[str]
    rules_version: Mapped[int]
    breakdown: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    lot_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("points_lot.id"))
    created_at: Mapped[datetime]
    confirms_at: Mapped[datetime]
    held_back_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]


class RewardsRules(Base):
    """A version of the programme's rules. Never edited: a change is a new version with a later start."""

    __tablename__ = "rewards_rules"
    __table_args__ = (Index("ix_rewards_rules_effective_from", "effective_from"),)

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    effective_from: Mapped[datetime]
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class PointsAdjustment(Base):
    """Points added or subtracted by staff, with reason and, above the maker's limit, a second person."""

    __tablename__ = "points_adjustment"
    __table_args__ = (
        CheckConstraint("points <> 0", name="points"),
        CheckConstraint(
            "points_expire_at >= '2000-01-01Z' AND points_expire_at < '3000-01-01Z'", name="expiry"
        ),
        CheckConstraint("state IN ('awaiting_approval','applied','rejected','expired')", name="state"),
        CheckConstraint("decided_by IS DISTINCT FROM requested_by OR auto_approved", name="two_people"),
        Index("ix_points_adjustment_state", "state", "created_at"),
        Index("ix_points_adjustment_customer_id", "customer_id", "created_at"),
        Index("ix_points_adjustment_requested_by", "requested_by", "created_at"),
        Index(
            "uq_points_adjustment_reversal_of",
            "reversal_of",
            unique=True,
            postgresql_where=text("state IN ('awaiting_approval','applied')"),
        ),
        Index(
            "uq_points_adjustment_pending",
            "customer_id",
            "points",
            "reason_code",
            unique=True,
            postgresql_where=text("state = 'awaiting_approval' AND reversal_of IS NULL"),
        ),
        Index("ix_points_adjustment_batch_id", "batch_id", postgresql_where=text("batch_id IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("customer.id"))
    points: Mapped[int]
    reason_code: Mapped[str]
    note: Mapped[str]
    points_expire_at: Mapped[datetime | None]
    state: Mapped[str]
    auto_approved: Mapped[bool] = mapped_column(server_default="false")
    requested_by: Mapped[uuid.UUID]
    decided_by: Mapped[uuid.UUID | None]
    decision_note: Mapped[str | None]
    tx_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("points_tx.id"))
    reversal_of: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("points_adjustment.id"))
    batch_id: Mapped[uuid.UUID | None]
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
