"""Orders: a list to find them, and one page with everything that happened to each."""

from __future__ import annotations

import uuid
from typing import Any

from app.blueprints.backoffice.access import action, page, reader_may
from app.blueprints.backoffice.acting import NOTHING_TRIED, Answer, Attempt, carry_out, perform, typed
from app.blueprints.backoffice.cells import amount, badge, moment, order_link, points, words
from app.blueprints.backoffice.filters import Choice, Rows, days
from app.blueprints.backoffice.history import history_of
from app.blueprints.backoffice.lists import Column, StaffList
from app.blueprints.common.actors import actor_from_request
from app.blueprints.common.checkout import gateway
from app.checkout import by_hand, elsewhere, refunds
from app.checkout.covering import list_owed, list_waiting
from app.orders import queries, staff_queries
from app.orders.models import Order
from app.orders.service import moving
from app.orders.states import ORDER, SENDS, STAFF_MOVES
from app.payments import disputes
from app.payments import queries as payment_queries
from app.rewards.queries import find_earned

CANCELLED = "The order is cancelled. What was paid goes back as it was paid."
CANCELLED_LATER = "The gateway has not said yet how the payment ended. The order ends as soon as it does."


class Orders(StaffList):
    permission = "orders.read"
    title = "Orders"
    hint = "Order number or e-mail"
    empty = "No orders match. Take a filter away, or look for the customer instead."
    columns = {
        "number": Column("Order", lambda row: order_link(row.number)),
        "placed_at": Column("Placed (UTC)", lambda row: moment(row.placed_at), Order.placed_at),
        "status": Column("Status", lambda row: badge(row.status)),
        "email": Column("Customer", lambda row: row.email),
        "points": Column("{points}", lambda row: points(row.points), Order.points, is_number=True),
        "card": Column(
            "Card", lambda row: amount(row.card_due, row.currency), Order.card_due, is_number=True
        ),
        "total": Column("Total", lambda row: amount(row.total, row.currency), Order.total, is_number=True),
    }
    order_by = (Order.placed_at.desc(), Order.id.desc())
    narrow = (
        Choice("status", "Status", Order.status, {state: words(state) for state in sorted(ORDER.states)}),
        *days(Order.placed_at),
    )

    def statement(self) -> Rows:
        return staff_queries.select_orders()

    def search(self, statement: Rows, term: str) -> Rows:
        return statement.where(staff_queries.is_found_by(term))

    @page("/<number>")
    def show(self, number: str) -> str:
        return self._page(number)

    @action("/<number>/move", permission="orders.move")
    def move(self, number: str) -> Answer:
        to = typed("to")
        return perform(
            lambda: moving.move_by_staff(number=number, to=to, actor=actor_from_request()),
            form="move",
            done=f"{number} is {to} now.",
            back=self.get_url(".show", number=number),
            again=lambda tried: self._page(number, tried),
        )

    @action("/<number>/cancel", permission="orders.refund")
    def cancel(self, number: str) -> Answer:
        why, who = typed("note"), actor_from_request()
        return carry_out(
            lambda: by_hand.cancel(number=number, reason=why, gateway=gateway(), actor=who),
            form="cancel",
            done=lambda status: CANCELLED if status == "cancelled" else CANCELLED_LATER,
            back=self.get_url(".show", number=number),
            again=lambda tried: self._page(number, tried),
        )

    @action("/<number>/refunds/<uuid:refund_id>/again", permission="orders.refund")
    def send_again(self, number: str, refund_id: uuid.UUID) -> Answer:
        return perform(
            lambda: refunds.send_again(number=number, refund_id=refund_id, actor=actor_from_request()),
            form="again",
            done="The refund is on its way to the card again.",
            back=self.get_url(".show", number=number),
            again=lambda tried: self._page(number, tried),
        )

    @action("/<number>/refunds/<uuid:refund_id>/elsewhere", permission="orders.refund")
    def note_paid_elsewhere(self, number: str, refund_id: uuid.UUID) -> Answer:
        reference, note, who = typed("reference"), typed("note"), actor_from_request()
        return perform(
            lambda: elsewhere.note_paid_elsewhere(
                number=number, refund_id=refund_id, reference=reference, note=note, actor=who
            ),
            form=f"elsewhere-{refund_id}",
            done=lambda paid: (
                f"{paid.display} was paid another way. The refund is done, and the customer is told."
            ),
            back=self.get_url(".show", number=number),
            again=lambda tried: self._page(number, tried),
        )

    def _page(self, number: str, tried: Attempt = NOTHING_TRIED) -> str:
        order = queries.get_order_view(number)
        is_stuck = any(one.state == "stuck" for one in order.refunds)
        return self.render(
            "admin/order.html",
            order=order,
            can_cancel=order.can_cancel and reader_may("orders.refund"),
            moves=_moves(order) if reader_may("orders.move") else [],
            payments=_payments(number) if reader_may("payments.read") else None,
            owed=list_owed(order.id) if is_stuck else {},
            waiting=list_waiting(order.id) if is_stuck else {},
            earned=find_earned(order.id),
            audit=history_of("order", number),
            tried=tried,
        )


def _moves(order: queries.OrderView) -> list[str]:
    """What staff may set it to now, in the order's own order."""
    moves = ORDER.edges[order.status] & STAFF_MOVES
    if not any(line.quantity > line.refunded_quantity for line in order.lines):
        moves -= SENDS
    return sorted(moves, key=list(ORDER.edges).index)


def _payments(number: str) -> list[dict[str, Any]]:
    """Attempts with their refunds, disputes and callbacks; four statements."""
    payments = payment_queries.list_payments_of(number)
    ids = [payment.id for payment in payments]
    refunds = payment_queries.list_refunds_of_payments(ids)
    disputed = disputes.list_disputes_of(ids)
    refs = [payment.gateway_ref for payment in payments if payment.gateway_ref]
    callbacks = payment_queries.list_webhooks_about(refs)
    return [
        {
            "payment": payment,
            "refunds": [refund for refund in refunds if refund.payment_id == payment.id],
            "disputes": [dispute for dispute in disputed if dispute.payment_id == payment.id],
            "callbacks": [event for event in callbacks if event.object_ref == payment.gateway_ref],
        }
        for payment in payments
    ]
