"""Place an order, pay it again, learn the gateway's word: the named flows that open transactions themselves.

    T1  claim the key, order, points held, stock reserved      one commit
    --  charge at the gateway                                  no transaction open
    T2  settle, store the answer                               one commit

A crash between any two of these leaves a state that a retry, a callback or reconciliation completes.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from app.checkout import queries, quote
from app.checkout import settle as settling
from app.checkout.errors import CardsUnavailable, OrderNotPayable, OrderTooOld, QuoteExpired, QuoteStale
from app.checkout.reserve import reserve
from app.checkout.rules import Terms
from app.checkout.settle import Settled
from app.idempotency import service as idempotency
from app.idempotency.service import Claim, Replay
from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.crashpoint import crashpoint
from app.kernel.database import end_reading, run_atomically
from app.kernel.errors import Conflict, RuleBroken, invalid
from app.orders.queries import OrderView, get_order_view
from app.orders.service import moving
from app.orders.service.moving import lock_order
from app.payments import queries as payment_queries
from app.payments import service as payments
from app.payments.gateway import Absent, ChargeRequest, Gateway, PaymentMethod, Snapshot, Unknown
from app.payments.rules import NEVER_RESEND_AFTER


@dataclass(frozen=True, slots=True)
class Request:
    """The client's idempotency key, and the fingerprint of what it asks for."""

    customer_id: uuid.UUID
    email: str
    route: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a placement ended: the order as it is now, and where the shopper must go, if anywhere."""

    order: OrderView
    next_action_url: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client gets, stored with the effect. `replayed`: it is the first answer again."""

    status: int
    headers: Mapping[str, Any]
    body: bytes
    replayed: bool = False


Present = Callable[[Outcome], Answer]


@dataclass(frozen=True, slots=True)
class _Begun:
    """T1 is committed. `charge` is None when nothing is due, or when the payment is settled already."""

    claim: Claim
    number: str
    charge: ChargeRequest | None


def place(
    *,
    request: Request,
    quote_id: uuid.UUID,
    method: PaymentMethod | None,
    gateway: Gateway,
    terms: Terms,
    present: Present,
    actor: Actor,
) -> Answer:
    """Turn a quote into an order and pay it. The same key again gets the same answer.

    Raises QuoteExpired and QuoteStale (details `quote`, a fresh one), PointsInsufficient, StockInsufficient,
    QuoteNotFound, CardsUnavailable, RuleBroken for `payment`, and the claim's own refusals; nothing is kept then.
    """
    begin = partial(_begin_placing, request, quote_id, method, gateway, terms, present, actor)
    try:
        begun = run_atomically(begin)
    except (QuoteExpired, QuoteStale) as error:
        raise _with_fresh_quote(error, request.customer_id, quote_id, terms) from error
    return _finish(begun, gateway=gateway, present=present, actor=actor)


def pay_again(
    *,
    request: Request,
    number: str,
    method: PaymentMethod | None,
    gateway: Gateway,
    payable_for: timedelta,
    present: Present,
    actor: Actor,
) -> Answer:
    """Try another card on an order whose payment failed; points and stock are taken again first.

    Raises OrderNotFound, OrderNotPayable, OrderTooOld (`payable_for` after it was placed), CardsUnavailable,
    PointsAboveDay, PointsInsufficient, StockInsufficient and the claim's own refusals.
    """
    begun = run_atomically(partial(_begin_again, request, number, method, gateway, payable_for, actor))
    return _finish(begun, gateway=gateway, present=present, actor=actor)


def settle(*, payment_id: uuid.UUID, truth: Snapshot | Absent | Unknown, actor: Actor) -> Settled:
    """The gateway's word, from wherever it came, in a transaction of its own."""
    return run_atomically(lambda: settling.apply(payment_id=payment_id, truth=truth, actor=actor))


def _begin_placing(
    request: Request,
    quote_id: uuid.UUID,
    method: PaymentMethod | None,
    gateway: Gateway,
    terms: Terms,
    present: Present,
    actor: Actor,
) -> _Begun | Answer:
    number = ids.order_number()
    claim = take_claim(request, number)
    if isinstance(claim, Answer):
        return claim
    if claim.subject != number:
        return _resume(claim, method, gateway)
    agreed = queries.get_quote(request.customer_id, quote_id)
    method_kind = _check_method(method, agreed.card_due)
    if agreed.card_due:
        _check_open(gateway)
    reserved = reserve(
        quote=agreed,
        number=number,
        email=request.email,
        checkout_key=f"{request.route}:{request.key}",
        method=method_kind,
        gateway=gateway.name,
        terms=terms,
        begun_at=claim.begun_at,
        actor=actor,
    )
    if reserved.payment_id is None or method is None:
        settling.complete(lock_order(number=number), actor=actor)
        answer = store_answer(claim, present, number, None)
        crashpoint("checkout.before_reserve_commit")
        return answer
    crashpoint("checkout.before_reserve_commit")
    charge = ChargeRequest(reserved.payment_id, agreed.card_due, agreed.currency, number, method)
    return _Begun(claim, number, charge)


def _begin_again(
    request: Request,
    number: str,
    method: PaymentMethod | None,
    gateway: Gateway,
    payable_for: timedelta,
    actor: Actor,
) -> _Begun | Answer:
    claim = take_claim(request, number)
    if isinstance(claim, Answer):
        return claim
    if claim.taken_over:
        return _resume(claim, method, gateway)
    order = lock_order(number=number, customer_id=request.customer_id)
    if order.status != "payment_failed":
        raise OrderNotPayable(f"This order is {order.status.replace('_', ' ')}; it cannot be paid now.")
    if clock.now() - order.placed_at > payable_for:
        raise OrderTooOld(
            f"This order is more than {payable_for.days} days old. Please order its items anew."
        )
    kind = _check_method(method, order.card_due)
    settling.refuse_above_day(order)
    _check_open(gateway)
    payment_id = ids.uuid7()
    payments.open_attempt(
        payment_id=payment_id,
        customer_id=order.customer_id,
        reference=number,
        gateway=gateway.name,
        amount=order.card_due,
        currency=order.currency,
        method=kind,
        now=claim.begun_at,
    )
    text = "You are paying with another card."
    columns: dict[str, Any] = {"attempt": order.attempt + 1, "failure_code": None}
    moving.move(order=order, to="payment_pending", event="payment_retried", text=text, actor=actor, **columns)
    settling.take_again(order, attempt=order.attempt + 1, actor=actor)
    assert method is not None
    charge = ChargeRequest(payment_id, order.card_due, order.currency, number, method)
    return _Begun(claim, number, charge)


def take_claim(request: Request, subject: str) -> Claim | Answer:
    """Own the request's key in the current transaction, or get the first answer again."""
    claim = idempotency.claim(
        customer_id=request.customer_id,
        route=request.route,
        key=request.key,
        fingerprint=request.fingerprint,
        subject=subject,
    )
    if isinstance(claim, Replay):
        return Answer(claim.status, claim.headers, claim.body, replayed=True)
    return claim


def _resume(claim: Claim, method: PaymentMethod | None, gateway: Gateway) -> _Begun:
    """An earlier holder of this key crashed after T1. The same payment id is sent again: it charges once.

    Only the payment that this key began: once that is settled, there is nothing to send, and another that is open
    belongs to another key and another card. After a day it might charge twice, because the gateway has forgotten
    the id, and so it might at another gateway than the first: then reconciliation decides.
    """
    number = str(claim.subject)
    begun = [one for one in payment_queries.list_open(number) if one.created_at == claim.begun_at]
    if not begun or method is None or begun[0].gateway != gateway.name:
        return _Begun(claim, number, None)
    payment = begun[0]
    if clock.now() - payment.created_at >= NEVER_RESEND_AFTER:
        return _Begun(claim, number, None)
    charge = ChargeRequest(payment.id, payment.amount, payment.currency, number, method)
    return _Begun(claim, number, charge)


def _finish(begun: _Begun | Answer, *, gateway: Gateway, present: Present, actor: Actor) -> Answer:
    if isinstance(begun, Answer):
        return begun
    crashpoint("checkout.before_charge")
    truth: Snapshot | Unknown | None = None
    if begun.charge is not None:
        end_reading()
        truth = gateway.charge(begun.charge)
    crashpoint("checkout.after_charge")
    answer = run_atomically(partial(_settle_and_answer, begun, truth, present, actor))
    crashpoint("checkout.after_settle")
    return answer


def _settle_and_answer(
    begun: _Begun, truth: Snapshot | Unknown | None, present: Present, actor: Actor
) -> Answer:
    next_action_url = None
    if begun.charge is not None and truth is not None:
        settled = settling.apply(payment_id=begun.charge.payment_id, truth=truth, actor=actor)
        next_action_url = settled.next_action_url
    answer = store_answer(begun.claim, present, begun.number, next_action_url)
    crashpoint("checkout.before_settle_commit")
    return answer


def store_answer(claim: Claim, present: Present, number: str, next_action_url: str | None) -> Answer:
    """Present the order as it is now and store the answer with it, in the caller's transaction."""
    answer = present(Outcome(get_order_view(number), next_action_url))
    idempotency.finish(claim=claim, status=answer.status, headers=dict(answer.headers), body=answer.body)
    return answer


def _check_method(method: PaymentMethod | None, card_due: int) -> str:
    if card_due and method is None:
        raise invalid("payment", "REQUIRED", "Choose how to pay the card part.")
    if not card_due and method is not None:
        raise invalid("payment", "NOT_NEEDED", "Nothing is due on the card; leave the payment out.")
    return method.kind if method else "none"


def _check_open(gateway: Gateway) -> None:
    """Before anything is held. After the claim: who has an answer already gets it, whatever the gateway does."""
    seconds = gateway.closed_for()
    if seconds:
        message = "Card payments do not work at the moment. Nothing was ordered or charged."
        raise CardsUnavailable(message, retry_after=seconds)


def _with_fresh_quote(error: Conflict, customer_id: uuid.UUID, quote_id: uuid.UUID, terms: Terms) -> Conflict:
    """The refusal again, with what the order would be now; without it when there is nothing left to quote."""
    try:
        fresh = run_atomically(lambda: quote.refresh(queries.get_quote(customer_id, quote_id), terms=terms))
    except (Conflict, RuleBroken):
        return error
    return type(error)(error.message, details={**error.details, "quote": fresh})
