"""Disputes: what card holders and their banks do about a payment that we captured."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, select

from app.kernel import clock
from app.kernel.database import session
from app.kernel.errors import NotFound
from app.payments.bookkeeping import DisputeSnapshot
from app.payments.gateway import DISPUTED
from app.payments.models import CardRefund, Dispute, Payment
from app.payments.service import write_changes
from app.payments.states import DISPUTE

KIND = "dispute"
"""Of the issue that stays open until the bank or somebody of the staff has decided."""


@dataclass(frozen=True, slots=True)
class AppliedDispute:
    """What an answer did to a dispute. `before` is None when this was the first word of it.

    `corrected`: it is about another amount than it was before. `turned`: it had been decided, and the answer decides it
    the other way, which changes nothing here: what followed from the first word is for staff to undo.
    """

    before: str | None
    after: str
    corrected: bool = False
    turned: bool = False

    @property
    def opened(self) -> bool:
        return self.before is None

    @property
    def changed(self) -> bool:
        return self.before != self.after


def apply_dispute(payment: Payment, truth: DisputeSnapshot) -> AppliedDispute:
    """Write what `truth` means for a dispute of a locked payment; repeats and stale answers change nothing.

    Banks take less, or more, than was disputed at first: what counts is the amount that the latest word names. Only
    the deadline of an open one may move without being news.
    """
    now = clock.now()
    statement = select(Dispute).where(
        Dispute.gateway == payment.gateway, Dispute.gateway_ref == truth.gateway_ref
    )
    row = session().scalars(statement.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        session().add(
            Dispute(
                gateway=payment.gateway,
                gateway_ref=truth.gateway_ref,
                payment_id=payment.id,
                amount=truth.amount,
                currency=truth.currency,
                reason=truth.reason,
                state=truth.status,
                due_at=truth.due_at,
                opened_at=now,
                updated_at=now,
                resolved_at=None if truth.status == "open" else now,
            )
        )
        session().flush()
        return AppliedDispute(None, truth.status)
    before = row.state
    if before == "open":
        write_changes(row, before, {"due_at": truth.due_at}, now)
    if DISPUTE.allows(before, truth.status):
        write_changes(row, truth.status, {"resolved_at": now}, now)
    told = (truth.amount, truth.currency)
    corrected = row.state == truth.status and (row.amount, row.currency) != told
    if corrected:
        write_changes(row, row.state, {"amount": truth.amount, "currency": truth.currency}, now)
    turned = row.state != truth.status and "open" not in (row.state, truth.status)
    return AppliedDispute(before, row.state, corrected, turned)


def count_open(payment_ids: Sequence[uuid.UUID]) -> int:
    """How many disputes of these payments the banks have not decided."""
    statement = select(Dispute.gateway_ref).where(
        Dispute.payment_id.in_(payment_ids), Dispute.state == "open"
    )
    return len(session().scalars(statement).all())


def count_lost(payment_id: uuid.UUID) -> int:
    """Minor units that the banks took back of a payment; all of it where they counted in another currency."""
    taken = case((Dispute.currency == Payment.currency, Dispute.amount), else_=Payment.captured)
    statement = (
        select(func.coalesce(func.sum(taken), 0))
        .select_from(Dispute)
        .join(Payment, Payment.id == Dispute.payment_id)
        .where(Dispute.payment_id == payment_id, Dispute.state == "lost")
    )
    return int(session().scalar(statement) or 0)


def has_lost(payment_id: uuid.UUID) -> bool:
    """Whether a bank has decided against the shop, whatever it took."""
    lost = select(Dispute.gateway_ref).where(Dispute.payment_id == payment_id, Dispute.state == "lost")
    return session().scalar(select(lost.exists())) is True


def get_dispute(gateway: str, gateway_ref: str) -> Dispute:
    """Raises NotFound."""
    found = session().get(Dispute, (gateway, gateway_ref), populate_existing=True)
    if found is None:
        raise NotFound("There is no such dispute.")
    return found


def list_disputes_of(payment_ids: Sequence[uuid.UUID]) -> Sequence[Dispute]:
    """Of several payments, oldest first."""
    statement = select(Dispute).where(Dispute.payment_id.in_(payment_ids))
    return session().scalars(statement.order_by(Dispute.opened_at, Dispute.gateway_ref)).all()


def list_disputes_about(reference: str) -> Sequence[Dispute]:
    """Of all payments of a reference, oldest first."""
    statement = select(Dispute).join(Payment, Payment.id == Dispute.payment_id)
    ordered = statement.where(Payment.reference == reference).order_by(Dispute.opened_at, Dispute.gateway_ref)
    return session().scalars(ordered).all()


def is_undecided(refund: CardRefund) -> bool:
    """A bank is deciding about its payment, by what the shop knows or by the gateway's word alone.

    That word stands until a dispute is decided after it; where one is lost, the gateway has nothing more to wait for.
    """
    known = list_disputes_of([refund.payment_id])
    if any(one.state == "open" for one in known):
        return True
    is_over = any(
        one.state == "lost" or (one.resolved_at is not None and one.resolved_at >= refund.updated_at)
        for one in known
    )
    return refund.last_error == DISPUTED and not is_over


def list_disputes(*, state: str | None = "open", limit: int = 100) -> Sequence[Dispute]:
    """For staff: the oldest first, because its deadline is the nearest."""
    statement = select(Dispute).order_by(Dispute.opened_at, Dispute.gateway_ref).limit(limit)
    if state:
        statement = statement.where(Dispute.state == state)
    return session().scalars(statement).all()
