"""The card side's verbs. `apply_snapshot` is the only writer of a payment's result, whoever brings the news.

None of these commits, talks to a gateway or knows what an order makes of it: callers read `Applied`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from app.kernel import clock
from app.kernel.database import constraint_of, session
from app.kernel.errors import Conflict, NotFound
from app.payments import issues, rules
from app.payments.gateway import Absent, Snapshot, Unknown
from app.payments.models import CardRefund, GatewayCursor, Payment, WebhookEvent
from app.payments.states import OPEN

ANSWERS_LIVE = timedelta(minutes=2)
"""An answer is settled within this time; what happened since it was given is no difference."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What an answer did to a payment. `before`/`after` are states; `issue` is the kind of issue opened."""

    payment_id: uuid.UUID
    reference: str
    customer_id: uuid.UUID
    before: str
    after: str
    amount: int
    currency: str
    decline_code: str | None
    next_action_url: str | None
    issue: str | None

    @property
    def changed(self) -> bool:
        return self.before != self.after

    @property
    def became_captured(self) -> bool:
        return self.changed and self.after == "captured"

    @property
    def became_ended(self) -> bool:
        """Definitely no money: declined, or cancelled at the gateway."""
        return self.changed and self.after in ("declined", "canceled")

    @property
    def is_open(self) -> bool:
        """Nobody knows yet."""
        return self.after in OPEN


def open_attempt(
    *,
    payment_id: uuid.UUID,
    customer_id: uuid.UUID,
    reference: str,
    gateway: str,
    amount: int,
    currency: str,
    method: str,
    now: datetime,
) -> None:
    """Store the attempt before it is sent. `method`: token or hosted; `amount` in minor units, above 0.

    Raises Conflict `PAYMENT_IN_PROGRESS` when the reference has a live attempt already.
    """
    row = insert(Payment).values(
        id=payment_id,
        customer_id=customer_id,
        reference=reference,
        gateway=gateway,
        amount=amount,
        currency=currency,
        method=method,
        state="submitting",
        created_at=now,
        updated_at=now,
        next_check_at=now + rules.FIRST_CHECK,
    )
    try:
        session().execute(row)
    except IntegrityError as error:
        if constraint_of(error) != "uq_payment_one_live_attempt":
            raise
        message = "A payment for this order is under way already."
        raise Conflict(message, code="PAYMENT_IN_PROGRESS") from error


def lock_payment(payment_id: uuid.UUID) -> Payment:
    """The row FOR UPDATE, as it is now. Lock its order first. Raises NotFound."""
    statement = select(Payment).where(Payment.id == payment_id).with_for_update()
    payment = session().scalars(statement.execution_options(populate_existing=True)).one_or_none()
    if payment is None:
        raise NotFound("There is no such payment.")
    return payment


def apply_snapshot(payment: Payment, truth: Snapshot | Absent | Unknown) -> Applied:
    """Write what `truth` means for a locked payment; a stale or doubled answer changes nothing."""
    before, now = payment.state, clock.now()
    in_doubt = before in OPEN and (payment.last_error or "").startswith("mismatch")
    decision = rules.decide(facts_of(payment, truth), truth, now)
    write_changes(payment, decision.state, decision.changes, now)
    if decision.issue is not None:
        issues.record_issue(
            kind=decision.issue.kind,
            ref=str(payment.id),
            detail=decision.issue.detail,
            suggestion=decision.issue.suggestion,
        )
    settled = decision.settles | ({rules.MISMATCH} if in_doubt and payment.state not in OPEN else set())
    if settled and before != "submitting":  # nothing is known yet of one whose first answer this is
        issues.close_issues(
            kinds=settled,
            ref=str(payment.id),
            state="auto_fixed",
            by="the gateway's word",
            resolution=f"The payment is {payment.state}, as the gateway says.",
        )
    return Applied(
        payment_id=payment.id,
        reference=payment.reference,
        customer_id=payment.customer_id,
        before=before,
        after=payment.state,
        amount=payment.captured or payment.amount,
        currency=payment.currency,
        decline_code=payment.decline_code,
        next_action_url=payment.next_action_url,
        issue=decision.issue.kind if decision.issue else None,
    )


def request_cancel(payment: Payment) -> None:
    """Remember that a locked payment is to be ended; only the gateway's word will end it."""
    now = clock.now()
    if payment.state in OPEN and payment.cancel_requested_at is None:
        write_changes(payment, payment.state, {"cancel_requested_at": now, "next_check_at": now}, now)


def request_cancel_of_open(reference: str) -> None:
    """The same for all open attempts of a reference that has been paid. Lock its order first."""
    found = select(Payment.id).where(Payment.reference == reference, Payment.state.in_(OPEN))
    for payment_id in session().scalars(found.order_by(Payment.id)).all():
        request_cancel(lock_payment(payment_id))


def is_end_wanted(reference: str) -> bool:
    """Somebody wanted an attempt of this reference ended. Before it is paid, that is the customer or staff."""
    wanted = select(Payment.id).where(
        Payment.reference == reference, Payment.cancel_requested_at.is_not(None)
    )
    return session().scalar(select(wanted.exists())) is True


def facts_of(payment: Payment, truth: Snapshot | Absent | Unknown) -> rules.PaymentFacts:
    """The row as the rules want it, to be compared with `truth`."""
    returned = 0
    if isinstance(truth, Snapshot) and truth.refunded < payment.refunded:
        returned = _count_returned(payment.id)
    return rules.PaymentFacts(
        key=str(payment.id),
        reference=payment.reference,
        amount=payment.amount,
        currency=payment.currency,
        state=payment.state,
        captured=payment.captured,
        refunded=payment.refunded,
        checks=payment.checks,
        created_at=payment.created_at,
        gateway_ref=payment.gateway_ref,
        next_action_url=payment.next_action_url,
        decline_code=payment.decline_code,
        card_brand=payment.card_brand,
        card_last4=payment.card_last4,
        returned=returned,
        accepted=payment.accepted,
        outside=payment.refunded_outside,
    )


def _count_returned(payment_id: uuid.UUID) -> int:
    """Minor units that had arrived when an answer that comes now was given."""
    statement = select(func.coalesce(func.sum(CardRefund.amount), 0)).where(
        CardRefund.payment_id == payment_id,
        CardRefund.state == "succeeded",
        CardRefund.updated_at <= clock.now() - ANSWERS_LIVE,
    )
    return int(session().scalar(statement) or 0)


def write_changes(row: Any, state: str, changes: Mapping[str, Any], now: datetime) -> None:
    """Set what differs, and `updated_at` with it; nothing differs: no statement at all."""
    differing = {n: value for n, value in {"state": state, **changes}.items() if getattr(row, n) != value}
    for name, value in differing.items():
        setattr(row, name, value)
    if differing:
        row.updated_at = now
        session().flush()


def store_webhook(
    *, gateway: str, event_id: str, kind: str, object_ref: str | None, event_at: datetime | None, raw: bytes
) -> bool:
    """Put a verified callback into the inbox. False: it was there already."""
    row = insert(WebhookEvent).values(
        gateway=gateway,
        event_id=event_id,
        type=kind,
        object_ref=object_ref,
        event_at=event_at,
        raw=raw,
        state="received",
        received_at=clock.now(),
    )
    statement = row.on_conflict_do_nothing().returning(WebhookEvent.event_id)
    return session().execute(statement).first() is not None


def finish_webhook(
    *, gateway: str, event_id: str, state: str, attempts: int, error: str | None = None
) -> None:
    """Close an inbox row as `processed`, `ignored` or `dead`, after so many attempts of its job.

    Closed ones stay as they are, but for a dead one whose job staff have run again.
    """
    row = (WebhookEvent.gateway == gateway) & (WebhookEvent.event_id == event_id)
    if state != "dead":
        session().execute(
            update(WebhookEvent).where(row, WebhookEvent.state == "dead").values(state="received")
        )
    values = {"state": state, "attempts": attempts, "last_error": error, "processed_at": clock.now()}
    session().execute(update(WebhookEvent).where(row, WebhookEvent.state == "received").values(values))


def keep_cursor(*, gateway: str, cursor: str | None, walked_at: datetime) -> None:
    """Remember that a walk over the gateway's list, begun at `walked_at`, came to its end at `cursor`."""
    values = {"cursor": cursor, "walked_at": walked_at}
    row = insert(GatewayCursor).values(gateway=gateway, **values)
    session().execute(row.on_conflict_do_update(index_elements=["gateway"], set_=values))
