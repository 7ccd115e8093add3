"""Payments that failed or that nobody knows about: logged, counted, and listed for staff. No card data anywhere."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import structlog
from prometheus_client import Counter
from sqlalchemy import case, select, tuple_

from app.kernel.database import session
from app.kernel.money import Money
from app.kernel.pagination import Page, decode_cursor, id_in, moment_in, page_of
from app.payments.errors import DECLINE_CODES, public_decline_code
from app.payments.models import Payment
from app.payments.service import Applied

FAILED = ("declined", "canceled", "unknown")
REASON = case(
    (Payment.state == "canceled", "PAYMENT_CANCELED"),
    (Payment.state == "unknown", "PAYMENT_UNCLEAR"),
    *((Payment.decline_code == theirs, ours) for theirs, ours in DECLINE_CODES.items()),
    else_=public_decline_code(None),
)
"""`reason_of` of a row, for lists."""
WITHOUT_ORDER = "PAYMENT_WITHOUT_ORDER"
FAILURES = Counter("shop_payment_failures", "Payments that did not succeed", ["gateway", "reason"])
log = structlog.get_logger("payments")


@dataclass(frozen=True, slots=True)
class Failure:
    """`reason`: a public decline code, PAYMENT_CANCELED or PAYMENT_UNCLEAR; `detail` in the gateway's words."""

    payment_id: uuid.UUID
    order_number: str
    customer_id: uuid.UUID
    gateway: str
    amount: Money
    reason: str
    detail: str | None
    at: datetime


def reason_of(state: str, decline_code: str | None) -> str:
    """One of a few words, so that a metric can be counted by it."""
    if state == "declined":
        return public_decline_code(decline_code)
    return "PAYMENT_CANCELED" if state == "canceled" else "PAYMENT_UNCLEAR"


def note(payment: Payment, applied: Applied) -> None:
    """Log and count what `applied` did to the payment, if that was a failure."""
    if not applied.changed or applied.after not in FAILED:
        return
    reason = reason_of(applied.after, applied.decline_code)
    FAILURES.labels(payment.gateway, reason).inc()
    log.error(
        "payment unclear" if applied.after == "unknown" else "payment failed",
        order=applied.reference,
        customer=str(applied.customer_id),
        payment=str(applied.payment_id),
        gateway=payment.gateway,
        amount=applied.amount,
        currency=applied.currency,
        reason=reason,
        detail=applied.decline_code or payment.last_error,
    )


def note_without_order(payment: Payment, applied: Applied, why: str) -> None:
    """Log and count money that came, and has to go back because no order could take it."""
    FAILURES.labels(payment.gateway, WITHOUT_ORDER).inc()
    log.error(
        "payment without order",
        order=applied.reference,
        customer=str(applied.customer_id),
        payment=str(applied.payment_id),
        gateway=payment.gateway,
        amount=applied.amount,
        currency=applied.currency,
        reason=WITHOUT_ORDER,
        detail=why,
    )


def list_failures(*, reason: str | None = None, cursor: str | None = None, limit: int) -> Page[Failure]:
    """For staff, newest first; `reason`: one state of FAILED. Raises RuleBroken `CURSOR_INVALID`."""
    filters = ["failures", reason]
    statement = select(Payment).where(Payment.state.in_([reason] if reason else FAILED))
    key = tuple_(Payment.updated_at, Payment.id)
    backwards = False
    if cursor is not None:
        (at, payment_id), backwards = decode_cursor(cursor, filters=filters, width=2)
        edge = tuple_(moment_in(at), id_in(payment_id))
        statement = statement.where(key > edge if backwards else key < edge)
    order = (Payment.updated_at, Payment.id) if backwards else (Payment.updated_at.desc(), Payment.id.desc())
    rows = session().scalars(
        statement.order_by(*order).limit(limit + 1).execution_options(populate_existing=True)
    )
    page = page_of(
        list(rows),
        limit=limit,
        key=lambda row: [row.updated_at.isoformat(), str(row.id)],
        filters=filters,
        backwards=backwards,
        first=cursor is None,
    )
    return page.showing(_failure)


def _failure(payment: Payment) -> Failure:
    return Failure(
        payment_id=payment.id,
        order_number=payment.reference,
        customer_id=payment.customer_id,
        gateway=payment.gateway,
        amount=Money(payment.amount, payment.currency),
        reason=reason_of(payment.state, payment.decline_code),
        detail=payment.decline_code or payment.last_error,
        at=payment.updated_at,
    )
