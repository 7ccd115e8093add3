"""Our side of the match with a gateway's report, in few statements however long the report is."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Row, Select, Text, Uuid, any_, func, literal, or_, select

from app.kernel.database import session
from app.payments.matching import OurPayment, OurRefund
from app.payments.models import CardRefund, Dispute, Payment
from app.payments.rules import GIVEN_BACK

_PAYMENT: Select[*tuple[Any, ...]] = select(
    Payment.id,
    Payment.reference,
    Payment.state,
    func.coalesce(Payment.accepted, Payment.captured).label("captured"),
    Payment.currency,
    Payment.gateway_ref,
    Payment.refunded_outside,
    Payment.last_error,
)
_REFUND: Select[*tuple[Any, ...]] = select(
    CardRefund.id, CardRefund.payment_id, CardRefund.state, CardRefund.amount, Payment.currency
).join(Payment, Payment.id == CardRefund.payment_id)


def list_payments(
    gateway: str, *, keys: Sequence[uuid.UUID], gateway_refs: Sequence[str]
) -> list[OurPayment]:
    """By our ids or the gateway's."""
    statement = _PAYMENT.where(
        Payment.gateway == gateway,
        or_(Payment.id == _one_of(keys, Uuid()), Payment.gateway_ref == _one_of(gateway_refs, Text())),
    )
    return [_payment(row) for row in session().execute(statement)]


def list_refunds(keys: Sequence[uuid.UUID]) -> list[OurRefund]:
    """By our ids."""
    return [_refund(row) for row in session().execute(_REFUND.where(CardRefund.id == _one_of(keys, Uuid())))]


def list_lost_disputes(gateway: str, gateway_refs: Sequence[str]) -> frozenset[str]:
    """Those of them that we know to be lost."""
    statement = select(Dispute.gateway_ref).where(
        Dispute.gateway == gateway,
        Dispute.gateway_ref == _one_of(gateway_refs, Text()),
        Dispute.state == "lost",
    )
    return frozenset(session().scalars(statement))


def list_captured_between(gateway: str, start: datetime, end: datetime) -> list[OurPayment]:
    """Captured payments that were begun in that time."""
    began = (start <= Payment.created_at) & (Payment.created_at < end)
    statement = _PAYMENT.where(Payment.gateway == gateway, Payment.state == "captured", began)
    return [_payment(row) for row in session().execute(statement)]


def list_refunded_between(gateway: str, start: datetime, end: datetime) -> list[OurRefund]:
    """Card refunds that succeeded and were queued in that time."""
    queued = (start <= CardRefund.created_at) & (CardRefund.created_at < end)
    statement = _REFUND.where(Payment.gateway == gateway, CardRefund.state == "succeeded", queued)
    return [_refund(row) for row in session().execute(statement)]


def _one_of(values: Sequence[Any], kind: Any) -> ColumnElement[Any]:
    """One parameter however many values: the protocol allows 65,535 of them."""
    return any_(literal(list(values), ARRAY(kind)))


def _payment(row: Row[*tuple[Any, ...]]) -> OurPayment:
    return OurPayment(
        id=str(row.id),
        reference=row.reference,
        state=row.state,
        amount=row.captured,
        currency=row.currency,
        gateway_ref=row.gateway_ref,
        outside=row.refunded_outside,
        is_given_back=row.last_error == GIVEN_BACK,
    )


def _refund(row: Row[*tuple[Any, ...]]) -> OurRefund:
    return OurRefund(str(row.id), str(row.payment_id), row.state, row.amount, row.currency)
