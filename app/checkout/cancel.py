"""Cancel an order: a named flow that opens transactions itself, because an open payment must be ended first.

    T1  claim the key, remember that the payment is to end     one commit
    --  cancel at the gateway                                  no transaction open
    T2  settle what it said, store the answer                  one commit

Only the gateway's word ends a payment. When it was faster and has charged, the order is paid for a moment and then
goes back whole. Without a clear word the order stays pending; the wish is kept and reconciliation carries it out.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import partial

from app.checkout import settle as settling
from app.checkout.cancelling import cancel_paid, cancel_unpaid
from app.checkout.flow import Answer, Present, Request, store_answer, take_claim
from app.idempotency.service import Claim
from app.kernel.actor import Actor
from app.kernel.crashpoint import crashpoint
from app.kernel.database import end_reading, run_atomically
from app.orders.errors import OrderNotCancellable
from app.orders.service.moving import LockedOrder, lock_order
from app.payments import queries as payment_queries
from app.payments import service as payments
from app.payments.gateway import Gateway, Snapshot, Unknown


@dataclass(frozen=True, slots=True)
class _Asking:
    """T1 is committed: the payment to end at the gateway."""

    claim: Claim
    payment_id: uuid.UUID
    gateway_ref: str | None
    gateway: str


def cancel(
    *,
    request: Request,
    number: str,
    customer_id: uuid.UUID | None,
    gateway: Gateway,
    present: Present,
    actor: Actor,
) -> Answer:
    """End an order before it ships; everything goes back as it was paid. The same key gets the same answer.

    `customer_id`: whose order it must be; None for staff. The presented order is `cancelled`, or still
    `payment_pending` when the gateway gave no clear word.
    Raises OrderNotFound, OrderNotCancellable and the claim's own refusals; nothing is kept then.
    """
    begun = run_atomically(partial(_begin, request, number, customer_id, present, actor))
    if isinstance(begun, Answer):
        return begun
    crashpoint("cancel.before_gateway")
    end_reading()
    truth: Snapshot | Unknown = Unknown(f"it was made at {begun.gateway}")
    # Another gateway would end what it has never heard of, and the charge would stay.
    if begun.gateway == gateway.name:
        truth = gateway.cancel(begun.payment_id, begun.gateway_ref)
    crashpoint("cancel.after_gateway")

    def settle_and_answer() -> Answer:
        settling.apply(payment_id=begun.payment_id, truth=truth, actor=actor)
        order = lock_order(number=number)
        if order.status != "payment_pending":
            _cancel_settled(order, actor)
        answer = store_answer(begun.claim, present, number, None)
        crashpoint("cancel.before_settle_commit")
        return answer

    answer = run_atomically(settle_and_answer)
    crashpoint("cancel.after_settle")
    return answer


def _begin(
    request: Request, number: str, customer_id: uuid.UUID | None, present: Present, actor: Actor
) -> _Asking | Answer:
    claim = take_claim(request, number)
    if isinstance(claim, Answer):
        return claim
    order = lock_order(number=number, customer_id=customer_id)
    if order.status == "payment_pending" and (open_payments := payment_queries.list_open(number)):
        payment = payments.lock_payment(open_payments[-1].id)
        payments.request_cancel(payment)
        crashpoint("cancel.before_wish_commit")
        return _Asking(claim, payment.id, payment.gateway_ref, payment.gateway)
    _cancel_settled(order, actor, again=claim.taken_over)
    return store_answer(claim, present, number, None)


def _cancel_settled(order: LockedOrder, actor: Actor, *, again: bool = True) -> None:
    """The payment's fate is known. `again`: the order may have been cancelled by this very request before."""
    if order.status in {"paid", "packed"}:
        cancel_paid(order, actor=actor)
    elif order.status == "payment_failed":
        cancel_unpaid(order, actor=actor)
    elif not (again and order.status in {"cancelled", "needs_review"}):
        raise OrderNotCancellable(f"This order is {order.status.replace('_', ' ')}; it cannot be cancelled.")
