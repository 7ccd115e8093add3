"""Reading the card side. Detached from what is being decided: nothing here locks."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select, tuple_

from app.kernel import clock
from app.kernel.database import count_up_to, session
from app.kernel.errors import NotFound
from app.kernel.pagination import MAX_LIMIT, MAX_TOTAL, Page, decode_cursor, id_in, moment_in, page_of
from app.payments.models import CardRefund, GatewayCursor, Payment, ReconciliationIssue, WebhookEvent
from app.payments.states import OPEN, REFUND_OPEN


def find_payment(payment_id: uuid.UUID) -> Payment | None:
    return session().get(Payment, payment_id, populate_existing=True)


def get_payment(payment_id: uuid.UUID) -> Payment:
    """Raises NotFound."""
    payment = find_payment(payment_id)
    if payment is None:
        raise NotFound("There is no such payment.")
    return payment


def find_payment_by_key(key: str | None) -> Payment | None:
    """By the key that the gateway was given: our payment id as text."""
    try:
        return find_payment(uuid.UUID(key)) if key else None
    except ValueError:
        return None


def find_payment_by_gateway_ref(gateway: str, gateway_ref: str | None) -> Payment | None:
    statement = select(Payment).where(Payment.gateway == gateway, Payment.gateway_ref == gateway_ref)
    return session().scalars(statement).one_or_none()


def find_live_payment(reference: str) -> Payment | None:
    """The open or captured attempt of an order, if it has one."""
    live = or_(Payment.state.in_(OPEN), Payment.state == "captured")
    statement = select(Payment).where(Payment.reference == reference, live, ~Payment.late)
    return session().scalars(statement).one_or_none()


def list_payments_of(reference: str) -> Sequence[Payment]:
    """All attempts for an order, oldest first."""
    statement = select(Payment).where(Payment.reference == reference)
    return session().scalars(statement.order_by(Payment.created_at, Payment.id)).all()


def list_open(reference: str | None = None) -> Sequence[Payment]:
    """Payments whose end nobody knows, oldest first."""
    statement = select(Payment).where(Payment.state.in_(OPEN)).order_by(Payment.created_at, Payment.id)
    if reference is not None:
        statement = statement.where(Payment.reference == reference)
    return session().scalars(statement).all()


def list_by_id(payment_ids: Sequence[uuid.UUID]) -> Sequence[Payment]:
    """Those that exist, in no order, as they are now."""
    statement = select(Payment).where(Payment.id.in_(payment_ids))
    return session().scalars(statement.execution_options(populate_existing=True)).all()


def list_due(gateway: str, *, limit: int) -> Sequence[Payment]:
    """Payments to ask about now, the longest due first."""
    statement = select(Payment).where(Payment.gateway == gateway, Payment.next_check_at <= clock.now())
    ordered = statement.order_by(Payment.next_check_at, Payment.id).limit(limit)
    return session().scalars(ordered.execution_options(populate_existing=True)).all()


def list_due_refunds(gateway: str, *, limit: int) -> list[uuid.UUID]:
    """Ids of card refunds to ask about now."""
    statement = (
        select(CardRefund.id)
        .join(Payment, Payment.id == CardRefund.payment_id)
        .where(Payment.gateway == gateway, CardRefund.state.in_(REFUND_OPEN))
        .where(CardRefund.next_check_at <= clock.now())
        .order_by(CardRefund.next_check_at, CardRefund.id)
    )
    return list(session().scalars(statement.limit(limit)))


def get_refund(refund_id: uuid.UUID) -> CardRefund:
    """Raises NotFound."""
    refund = find_refund(refund_id)
    if refund is None:
        raise NotFound("There is no such card refund.")
    return refund


def find_refund(refund_id: uuid.UUID) -> CardRefund | None:
    return session().get(CardRefund, refund_id, populate_existing=True)


def get_last_of(refund_id: uuid.UUID) -> CardRefund:
    """What was sent at last in place of a card refund; itself when nothing was. Raises NotFound."""
    refund = get_refund(refund_id)
    while refund.replaced_by is not None:
        refund = get_refund(refund.replaced_by)
    return refund


def list_replaced(refund_id: uuid.UUID) -> Sequence[CardRefund]:
    """The card refunds in place of which this one was sent, the newest first."""
    found: list[CardRefund] = []
    wanted = [refund_id]
    while wanted:
        statement = select(CardRefund).where(CardRefund.replaced_by.in_(wanted))
        ordered = statement.order_by(CardRefund.created_at.desc(), CardRefund.id)
        earlier = session().scalars(ordered.execution_options(populate_existing=True)).all()
        found += earlier
        wanted = [one.id for one in earlier]
    return found


def find_refund_by_key(key: str | None) -> CardRefund | None:
    """By the key that the gateway was given: our refund id as text."""
    try:
        return session().get(CardRefund, uuid.UUID(key), populate_existing=True) if key else None
    except ValueError:
        return None


def list_refunds_of(payment_id: uuid.UUID) -> Sequence[CardRefund]:
    """Oldest first."""
    statement = select(CardRefund).where(CardRefund.payment_id == payment_id)
    return session().scalars(statement.order_by(CardRefund.created_at, CardRefund.id)).all()


def list_returned(payment_id: uuid.UUID) -> list[uuid.UUID]:
    """Ids of the refunds that have arrived."""
    statement = select(CardRefund.id).where(
        CardRefund.payment_id == payment_id, CardRefund.state == "succeeded"
    )
    return list(session().scalars(statement))


def list_refunds_of_payments(payment_ids: Sequence[uuid.UUID]) -> Sequence[CardRefund]:
    """Of several payments in one statement, oldest first."""
    statement = select(CardRefund).where(CardRefund.payment_id.in_(payment_ids))
    return session().scalars(statement.order_by(CardRefund.created_at, CardRefund.id)).all()


def list_payments_by(customer_id: uuid.UUID, *, limit: int = 20) -> Sequence[Payment]:
    """A customer's attempts to pay, newest first."""
    statement = select(Payment).where(Payment.customer_id == customer_id)
    return session().scalars(statement.order_by(Payment.created_at.desc()).limit(limit)).all()


def list_webhooks_about(object_refs: Sequence[str], *, limit: int = 50) -> Sequence[WebhookEvent]:
    """Callbacks about these objects of the gateway, in the order of their arrival."""
    statement = select(WebhookEvent).where(WebhookEvent.object_ref.in_(object_refs))
    return session().scalars(statement.order_by(WebhookEvent.received_at).limit(limit)).all()


def get_webhook(gateway: str, event_id: str) -> WebhookEvent:
    """Raises NotFound."""
    event = find_webhook(gateway, event_id)
    if event is None:
        raise NotFound("There is no such callback.")
    return event


def get_issue(kind: str, ref: str) -> ReconciliationIssue:
    """Raises NotFound."""
    issue = session().get(ReconciliationIssue, (kind, ref), populate_existing=True)
    if issue is None:
        raise NotFound("There is no such difference.")
    return issue


def find_cursor(gateway: str) -> GatewayCursor | None:
    return session().get(GatewayCursor, gateway, populate_existing=True)


def first_payment_at(gateway: str) -> datetime | None:
    """When the first payment at this gateway was made; None when there is none."""
    return session().scalar(select(func.min(Payment.created_at)).where(Payment.gateway == gateway))


def find_webhook(gateway: str, event_id: str) -> WebhookEvent | None:
    return session().get(WebhookEvent, (gateway, event_id))


def list_payments(
    *, state: str | None, cursor: str | None, limit: int, with_total: bool = False
) -> Page[Payment]:
    """For staff: newest first. Raises RuleBroken `CURSOR_INVALID`."""
    statement: Select[Any] = select(Payment)
    if state:
        statement = statement.where(Payment.state == state)
    filters = ["payments", state]
    total = count_up_to(statement, MAX_TOTAL) if with_total else None
    backwards = False
    edge = tuple_(Payment.created_at, Payment.id)
    if cursor is not None:
        (created_at, payment_id), backwards = decode_cursor(cursor, filters=filters, width=2)
        boundary = (moment_in(created_at), id_in(payment_id))
        statement = statement.where(edge > boundary if backwards else edge < boundary)
    order = (Payment.created_at, Payment.id) if backwards else (Payment.created_at.desc(), Payment.id.desc())
    return page_of(
        session().scalars(statement.order_by(*order).limit(limit + 1)).all(),
        limit=limit,
        key=lambda row: [row.created_at.isoformat(), str(row.id)],
        filters=filters,
        backwards=backwards,
        first=cursor is None,
        total=total,
    )


def list_issues(
    *, cursor: str | None = None, limit: int = MAX_LIMIT, with_total: bool = False
) -> Page[ReconciliationIssue]:
    """The open ones for staff: the oldest first, because it waits longest. Raises RuleBroken `CURSOR_INVALID`."""
    issue = ReconciliationIssue
    statement = select(issue).where(issue.state == "open")
    total = count_up_to(statement, MAX_TOTAL) if with_total else None
    backwards = False
    columns = (issue.first_seen_at, issue.kind, issue.ref)
    if cursor is not None:
        (seen, kind, ref), backwards = decode_cursor(cursor, filters="issues", width=3)
        boundary = (moment_in(seen), str(kind), str(ref))
        statement = statement.where(tuple_(*columns) < boundary if backwards else tuple_(*columns) > boundary)
    order = [column.desc() for column in columns] if backwards else columns
    return page_of(
        session().scalars(statement.order_by(*order).limit(limit + 1)).all(),
        limit=limit,
        key=lambda row: [row.first_seen_at.isoformat(), row.kind, row.ref],
        filters="issues",
        backwards=backwards,
        first=cursor is None,
        total=total,
    )
