"""The card side: attempts, refunds, callbacks, differences found. Knows no order, only a reference."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.database import Base


class Payment(Base):
    """One attempt to charge a card. `id` is the idempotency key at the gateway, never the client's key.

    `reference` is the shop's public reference (the order number), sent with the charge and compared on
    every answer. `cancel_requested_at` set: somebody wants it ended; only the gateway's word ends it.
    `refunded` is what went back or is on its way back, so that the table itself refuses to send, or to note as sent
    another way, more than was captured. `surplus`: how much more has gone back than that, by a card refund that was
    lost and made good and has arrived after all. `late`: captured after it had ended; another attempt may have paid
    meanwhile, so these are outside the one live attempt of a reference.

    `accepted`: what the gateway captured instead of `amount`, where staff have taken that for right.
    `refunded_outside`: what went back by another hand than the shop's, where staff have taken note of it.
    `returned_elsewhere`: what staff sent to the customer in place of card refunds that failed
    (CardRefund.elsewhere_ref). The gateway has never heard of it, and goes on counting that money as the shop's.
    """

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint(
            "0 <= refunded AND refunded <= captured + surplus AND captured <= amount", name="adds_up"
        ),
        CheckConstraint("accepted > 0 AND refunded_outside >= 0", name="by_hand"),
        CheckConstraint(
            "returned_elsewhere >= 0 AND refunded + returned_elsewhere <= captured + surplus",
            name="elsewhere",
        ),
        CheckConstraint(
            "surplus = 0 OR surplus > 0 AND refunded + returned_elsewhere = captured + surplus",
            name="surplus",
        ),
        CheckConstraint(
            "state IN ('submitting','unknown','requires_action','authorized','captured',"
            "'declined','canceled')",
            name="state",
        ),
        Index(
            "uq_payment_one_live_attempt",
            "reference",
            unique=True,
            postgresql_where=text(
                "state IN ('submitting','unknown','requires_action','authorized','captured') AND NOT late"
            ),
        ),
        Index("uq_payment_gateway_ref", "gateway", "gateway_ref", unique=True),
        Index("ix_payment_reference", "reference", "created_at"),
        Index("ix_payment_customer_id", "customer_id", "created_at"),
        Index(
            "ix_payment_failed",
            "updated_at",
            "id",
            postgresql_where=text("state IN ('declined','canceled','unknown')"),
        ),
        Index("ix_payment_due", "next_check_at", postgresql_where=text("next_check_at IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("customer.id"))
    reference: Mapped[str]
    gateway: Mapped[str]
    gateway_ref: Mapped[str | None]
    method: Mapped[str]  # "token" or "hosted"
    amount: Mapped[int]
    currency: Mapped[str]
    captured: Mapped[int] = mapped_column(server_default="0")
    refunded: Mapped[int] = mapped_column(server_default="0")
    state: Mapped[str]
    decline_code: Mapped[str | None]
    next_action_url: Mapped[str | None]
    card_brand: Mapped[str | None]
    card_last4: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    cancel_requested_at: Mapped[datetime | None]
    late: Mapped[bool] = mapped_column(server_default="false")
    accepted: Mapped[int | None]
    refunded_outside: Mapped[int] = mapped_column(server_default="0")
    returned_elsewhere: Mapped[int] = mapped_column(server_default="0")
    surplus: Mapped[int] = mapped_column(server_default="0")
    next_check_at: Mapped[datetime | None]
    checks: Mapped[int] = mapped_column(server_default="0")
    last_error: Mapped[str | None]


class CardRefund(Base):
    """Money on its way back to a card. `id` is its idempotency key at the gateway.

    `sent_at`: when the gateway was told that key first, or first again after it must have forgotten it; None: never.
    `elsewhere`: what staff sent in its place, in minor units, after it had failed; `elsewhere_ref`: the bank's
    reference of that transfer. `replaced_by`: the one that was sent in place of it, or in place of what was still owed
    of it, after it had failed.
    """

    __tablename__ = "card_refund"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("state IN ('queued','unknown','succeeded','failed')", name="state"),
        CheckConstraint(
            "elsewhere IS NULL AND elsewhere_ref IS NULL OR elsewhere BETWEEN 1 AND amount "
            "AND length(elsewhere_ref) BETWEEN 3 AND 100 AND state IN ('succeeded','failed')",
            name="elsewhere",
        ),
        Index("ix_card_refund_payment_id", "payment_id"),
        Index("ix_card_refund_replaced_by", "replaced_by", postgresql_where=text("replaced_by IS NOT NULL")),
        Index("ix_card_refund_due", "next_check_at", postgresql_where=text("next_check_at IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    payment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("payment.id"))
    amount: Mapped[int]
    reason: Mapped[str]
    state: Mapped[str]
    gateway_ref: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    next_check_at: Mapped[datetime | None]
    checks: Mapped[int] = mapped_column(server_default="0")
    last_error: Mapped[str | None]
    elsewhere: Mapped[int | None]
    elsewhere_ref: Mapped[str | None]
    replaced_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("card_refund.id"))


class Dispute(Base):
    """A card holder wants the money of a payment back; the bank decides. `amount` in minor units.

    `due_at`: until when the shop may answer, where the gateway says so.
    """

    __tablename__ = "dispute"
    __table_args__ = (
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("state IN ('open','won','lost')", name="state"),
        Index("ix_dispute_payment_id", "payment_id"),
        Index("ix_dispute_state", "state", "opened_at"),
    )

    gateway: Mapped[str] = mapped_column(primary_key=True)
    gateway_ref: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("payment.id"))
    amount: Mapped[int]
    currency: Mapped[str]
    reason: Mapped[str]
    state: Mapped[str]
    due_at: Mapped[datetime | None]
    opened_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]


class WebhookEvent(Base):
    """The inbox: a callback as it came, once per event id. It is a hint; the truth is fetched."""

    __tablename__ = "webhook_inbox"
    __table_args__ = (
        CheckConstraint("state IN ('received','processed','ignored','dead')", name="state"),
        Index("ix_webhook_inbox_received_at", "received_at"),
        Index("ix_webhook_inbox_object_ref", "object_ref"),
    )

    gateway: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    object_ref: Mapped[str | None]
    event_at: Mapped[datetime | None]
    raw: Mapped[bytes]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(server_default="0")
    received_at: Mapped[datetime]
    processed_at: Mapped[datetime | None]
    last_error: Mapped[str | None]


class GatewayCursor(Base):
    """How far the walk over a gateway's own list has come."""

    __tablename__ = "gateway_cursor"

    gateway: Mapped[str] = mapped_column(primary_key=True)
    cursor: Mapped[str | None]
    walked_at: Mapped[datetime]


class ReconciliationIssue(Base):
    """A difference between the books, found once, seen until it is resolved."""

    __tablename__ = "reconciliation_issue"
    __table_args__ = (
        CheckConstraint("state IN ('open','auto_fixed','resolved')", name="state"),
        Index("ix_reconciliation_issue_state", "state", "first_seen_at"),
    )

    kind: Mapped[str] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(primary_key=True)
    detail: Mapped[dict[str, Any]]
    suggestion: Mapped[str]
    state: Mapped[str]
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    resolution: Mapped[str | None]
