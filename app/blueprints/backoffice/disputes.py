"""Payments that card holders have disputed: what the bank decides about, and until when the shop may answer."""

from __future__ import annotations

from typing import Any

from sqlalchemy import case, func, or_, select

from app.blueprints.backoffice.access import page
from app.blueprints.backoffice.cells import NOTHING, amount, badge, link, moment, order_link, points, words
from app.blueprints.backoffice.filters import Choice, Rows, days
from app.blueprints.backoffice.lists import Column, StaffList
from app.kernel import clock
from app.kernel.database import session
from app.payments import disputes, issues, queries
from app.payments.models import Dispute, Payment
from app.payments.states import DISPUTE
from app.rewards.models import PointsEarning

_WAITS = (PointsEarning.state == "pending") & PointsEarning.held_back_at.is_not(None)


def _sum_of_earned(counted: Any) -> Any:
    """Over what the payment's order earned; by the customer first, because that is what an index knows."""
    earned = select(func.coalesce(func.sum(counted), 0)).where(
        PointsEarning.customer_id == Payment.customer_id, PointsEarning.order_number == Payment.reference
    )
    return earned.correlate(Payment).scalar_subquery()


HELD = _sum_of_earned(case((_WAITS, PointsEarning.points - PointsEarning.taken_back), else_=0))
TAKEN = _sum_of_earned(PointsEarning.taken_back)


class Disputes(StaffList):
    permission = "payments.read"
    title = "Disputes"
    hint = "Order number or the gateway’s reference"
    empty = "No card holder disputes a payment."
    columns = {
        "ref": Column(
            "Dispute",
            lambda row: link(
                row.gateway_ref, "admin_disputes.show", gateway=row.gateway, ref=row.gateway_ref
            ),
        ),
        "order": Column("Order", lambda row: order_link(row.reference)),
        "state": Column("State", lambda row: badge(row.state)),
        "reason": Column("Reason", lambda row: words(row.reason) or NOTHING),
        "due_at": Column("Answer by (UTC)", lambda row: moment(row.due_at), Dispute.due_at),
        "opened_at": Column("Opened (UTC)", lambda row: moment(row.opened_at), Dispute.opened_at),
        "held": Column("{points} held", lambda row: points(row.held), is_number=True),
        "amount": Column(
            "Amount", lambda row: amount(row.amount, row.currency), Dispute.amount, is_number=True
        ),
    }
    order_by = (Dispute.opened_at.desc(), Dispute.gateway_ref)
    narrow = (
        Choice("status", "State", Dispute.state, {state: words(state) for state in sorted(DISPUTE.states)}),
        *days(Dispute.opened_at),
    )

    def statement(self) -> Rows:
        names = "gateway gateway_ref state reason due_at opened_at amount currency"
        columns = [getattr(Dispute, name) for name in names.split()]
        statement = select(*columns, Payment.reference, HELD.label("held"))
        return statement.join(Payment, Payment.id == Dispute.payment_id)

    def search(self, statement: Rows, term: str) -> Rows:
        return statement.where(or_(Payment.reference == term.upper(), Dispute.gateway_ref == term))

    @page("/<gateway>/<path:ref>")
    def show(self, gateway: str, ref: str) -> str:
        dispute = disputes.get_dispute(gateway, ref)
        payment = queries.get_payment(dispute.payment_id)
        held, taken = session().execute(select(HELD, TAKEN).where(Payment.id == payment.id)).one()
        refs = [ref, payment.gateway_ref] if payment.gateway_ref else [ref]
        return self.render(
            "admin/dispute.html",
            dispute=dispute,
            is_late=dispute.state == "open" and dispute.due_at is not None and dispute.due_at < clock.now(),
            payment=payment,
            held=held,
            taken=taken,
            refunds=queries.list_refunds_of(payment.id),
            callbacks=queries.list_webhooks_about(refs),
            issue=issues.find_issue(disputes.KIND, ref),
        )
