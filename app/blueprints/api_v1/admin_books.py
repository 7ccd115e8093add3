"""Payments, differences with the gateway and the audit log, for staff: lists only."""

from __future__ import annotations

import uuid
from datetime import datetime, time
from typing import Annotated, Any, Literal

from flask import Blueprint
from msgspec import Meta, Struct, field

from app.audit import reading
from app.audit.reading import Entry, Wanted
from app.blueprints.api_v1.answers import Answer, Listing, Money, PageQuery, answer, listing
from app.blueprints.api_v1.contract import endpoint
from app.blueprints.api_v1.moments import Moment, instant
from app.kernel.money import Money as KernelMoney
from app.payments import queries as payments
from app.payments.models import Payment, ReconciliationIssue

bp = Blueprint("admin_books", __name__, url_prefix="/admin")

PaymentState = Literal[
    "submitting", "unknown", "requires_action", "authorized", "captured", "declined", "canceled"
]
Term = Annotated[str, Meta(min_length=1, max_length=200)]


class PaymentQuery(PageQuery, kw_only=True, forbid_unknown_fields=True):
    status: PaymentState | None = None


class PaymentOut(Struct):
    """One attempt to charge a card. `refunded` counts what is on its way back as well."""

    id: uuid.UUID
    order_number: str
    customer_id: uuid.UUID
    status: PaymentState
    amount: Money
    captured: Money
    refunded: Money
    decline_code: str | None
    card: str | None
    gateway: str
    gateway_ref: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Payment) -> PaymentOut:
        def money(amount: int) -> Money:
            return Money.of(KernelMoney(amount, row.currency))

        return cls(
            id=row.id,
            order_number=row.reference,
            customer_id=row.customer_id,
            status=row.state,  # type: ignore[arg-type]
            amount=money(row.amount),
            captured=money(row.captured),
            refunded=money(row.refunded),
            decline_code=row.decline_code,
            card=f"{row.card_brand} {row.card_last4}" if row.card_last4 else None,
            gateway=row.gateway,
            gateway_ref=row.gateway_ref,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


class Difference(Struct):
    """Our books and the gateway's say different things about `ref`."""

    kind: str
    ref: str
    detail: dict[str, Any]
    suggestion: str
    first_seen_at: datetime
    last_seen_at: datetime

    @classmethod
    def of(cls, row: ReconciliationIssue) -> Difference:
        return cls(*(getattr(row, name) for name in cls.__struct_fields__))


class AuditQuery(PageQuery, kw_only=True, forbid_unknown_fields=True):
    """`actor`: an id or a name. `action`: whole (`order.refund`) or its first part (`order`). `object`: an id,
    or `type:id`. `from` and `to`: days or instants, UTC, both included."""

    actor: Term | None = None
    action: Term | None = None
    target: Term | None = field(name="object", default=None)
    since: Moment | None = field(name="from", default=None)
    until: Moment | None = field(name="to", default=None)


class AuditOut(Struct):
    id: uuid.UUID
    at: datetime
    actor_kind: str
    actor_id: uuid.UUID | None
    actor_name: str
    actor_role: str | None
    action: str
    object_type: str
    object_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    request_id: str
    ip: str | None

    @classmethod
    def of(cls, entry: Entry) -> AuditOut:
        same = {n: getattr(entry, n) for n in cls.__struct_fields__ if not n.startswith("object_")}
        return cls(object_type=entry.target_type, object_id=entry.target_id, **same)


@bp.get("/payments")
@endpoint(
    "Payments, newest first",
    query=PaymentQuery,
    returns={200: Listing[PaymentOut]},
    auth="staff",
    permission="payments.read",
    errors=["CURSOR_INVALID"],
)
def list_payments(query: PaymentQuery) -> Answer:
    page = payments.list_payments(
        state=query.status, cursor=query.cursor, limit=query.size, with_total=query.total
    )
    return answer(listing(page, PaymentOut.of))


@bp.get("/reconciliation")
@endpoint(
    "Open differences with the gateway, oldest first",
    query=PageQuery,
    returns={200: Listing[Difference]},
    auth="staff",
    permission="payments.read",
    errors=["CURSOR_INVALID"],
)
def list_differences(query: PageQuery) -> Answer:
    page = payments.list_issues(cursor=query.cursor, limit=query.size, with_total=query.total)
    return answer(listing(page, Difference.of))


@bp.get("/audit")
@endpoint(
    "The audit log, newest first",
    query=AuditQuery,
    returns={200: Listing[AuditOut]},
    auth="staff",
    permission="audit.read",
    errors=["CURSOR_INVALID"],
)
def list_audit(query: AuditQuery) -> Answer:
    wanted = Wanted(
        actor=query.actor,
        action=query.action,
        target=query.target,
        since=instant("from", query.since, time.min),
        until=instant("to", query.until, time.max),
    )
    page = reading.list_entries(wanted, cursor=query.cursor, limit=query.size, with_total=query.total)
    return answer(listing(page, AuditOut.of))
