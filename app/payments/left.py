"""What is left of a payment: what of it has gone back, and by which way."""

from __future__ import annotations

import uuid

from sqlalchemy import func, select

from app.kernel.database import session
from app.payments import disputes, rules
from app.payments.models import CardRefund, Payment


def left_of(payment: Payment) -> int:
    """Minor units of a payment that the shop and its staff have not given back; below zero: some of it twice."""
    return payment.captured - payment.refunded - by_hand(payment)


def is_too_much(payment: Payment) -> bool:
    """What banks took, and what its card refunds give back, those on their way too, is more than was captured."""
    lost = disputes.count_lost(payment.id)
    return lost > 0 and left_of(payment) < lost


def count_to_send(payment: Payment, amount: int) -> int:
    """How much of a refund of `amount` minor units must still leave the shop; the rest has left it already."""
    return min(amount, max(0, payment.captured - payment.refunded - gone_otherwise(payment)))


def never_came(payment: Payment, claimed: int) -> int:
    """Minor units of `claimed`, what refunds of the order give back by card in all, that were never charged: staff have
    accepted less than was due."""
    return 0 if payment.accepted is None else max(0, claimed - payment.accepted)


def gone_otherwise(payment: Payment) -> int:
    """Minor units that have left a payment by other ways than the shop's card refunds."""
    return disputes.count_lost(payment.id) + by_hand(payment)


def by_hand(payment: Payment) -> int:
    """What of the capture staff gave back by other ways than the shop's card refunds."""
    outside = rules.outside_of(payment.captured, payment.accepted, payment.refunded_outside)
    return outside + payment.returned_elsewhere


def count_returned(payment_id: uuid.UUID) -> int:
    """Minor units of a payment that card refunds have certainly given back."""
    statement = select(func.coalesce(func.sum(CardRefund.amount), 0)).where(
        CardRefund.payment_id == payment_id, CardRefund.state == "succeeded"
    )
    return int(session().scalar(statement) or 0)
