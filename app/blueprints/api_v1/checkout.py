"""Options, quotes, placing an order, paying it again, cancelling it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Annotated, Literal
from urllib.parse import urlsplit

from flask import Blueprint, url_for
from msgspec import Meta, Struct

from app.blueprints.api_v1.answers import Answer, Money, answer
from app.blueprints.api_v1.contract import current, endpoint
from app.blueprints.api_v1.idempotent import IdempotentRequest
from app.blueprints.api_v1.order_shapes import NextAction, Order, Placed, QuoteOut
from app.blueprints.common import envelope
from app.blueprints.common.actors import actor_from_request
from app.blueprints.common.checkout import gateway, payable_for, terms
from app.blueprints.common.request_ids import request_id
from app.checkout import cancel, flow, quote
from app.checkout.rules import SHIPPING_METHODS, Quote
from app.kernel.database import run_atomically
from app.kernel.errors import Conflict, PaymentRefused, invalid
from app.kernel.money import Money as KernelMoney
from app.payments.errors import DECLINE_SENTENCES
from app.payments.gateway import PaymentMethod

bp = Blueprint("checkout", __name__)

RETRY_AFTER = "2"
FORBIDDEN_SCHEMES = frozenset({"javascript", "data", "vbscript", "file", "blob"})


class ShippingMethod(Struct):
    code: str
    name: str
    price: Money


class Options(Struct):
    """What checkout offers. `countries`: ISO 3166-1 alpha-2 codes that the shop delivers to."""

    shipping_methods: list[ShippingMethod]
    payment_methods: list[Literal["token", "hosted"]]
    countries: list[str]


class QuoteBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """`points`: how many to use, or "max" for as many as the rules allow."""

    address_id: uuid.UUID
    shipping_method: Annotated[str, Meta(max_length=40, examples=["standard"])]
    points: Annotated[int, Meta(ge=0, le=10**12)] | Literal["max"] = 0


class PaymentBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """Either `token`, or `method: "hosted"` with the `return_url` that the shopper comes back to."""

    token: Annotated[str, Meta(min_length=1, max_length=200, examples=["pm_card_visa"])] | None = None
    method: Literal["hosted"] | None = None
    return_url: Annotated[str, Meta(min_length=1, max_length=2000)] | None = None


class OrderBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """`payment` is left out when the quote's `card_due` is 0."""

    quote_id: uuid.UUID
    payment: PaymentBody | None = None


class RetryBody(Struct, kw_only=True, forbid_unknown_fields=True):
    payment: PaymentBody


PLACED = {201: Placed, 202: Placed}
ERRORS = [
    "CARD_DECLINED",
    "CARD_INSUFFICIENT_FUNDS",
    "CARD_EXPIRED",
    "POINTS_INSUFFICIENT",
    "STOCK_INSUFFICIENT",
    "CARDS_UNAVAILABLE",
]


@bp.get("/checkout/options")
@endpoint("What checkout offers", returns={200: Options}, auth="customer")
def show_options() -> Answer:
    ours = terms()
    methods = [
        ShippingMethod(method.code, method.name, Money.of(KernelMoney(method.price, ours.currency)))
        for method in SHIPPING_METHODS
    ]
    return answer(Options(methods, ["token", "hosted"], list(ours.countries)))


@bp.post("/checkout/quotes")
@endpoint(
    "Quote the cart with points",
    body=QuoteBody,
    returns={201: QuoteOut},
    auth="customer",
    errors=[
        "POINTS_BELOW_MIN",
        "POINTS_ABOVE_MAX",
        "POINTS_INSUFFICIENT",
        "STOCK_INSUFFICIENT",
        "CART_EMPTY",
    ],
)
def create_quote(body: QuoteBody) -> Answer:
    customer_id = current().id
    made = run_atomically(
        lambda: quote.make(
            customer_id=customer_id,
            points=body.points,
            address_id=body.address_id,
            shipping_method_code=body.shipping_method,
            terms=terms(),
        )
    )
    return answer(QuoteOut.of(made), status=201, message="Here is your quote.")


@bp.post("/checkout/orders")
@endpoint(
    "Place an order from a quote",
    body=OrderBody,
    returns=PLACED,
    auth="customer",
    idempotent=True,
    limit="checkout",
    errors=[*ERRORS, "QUOTE_EXPIRED", "QUOTE_STALE"],
)
def place_order(body: OrderBody, key: IdempotentRequest) -> Answer:
    return _answered(
        lambda: flow.place(
            request=_request(key),
            quote_id=body.quote_id,
            method=_method(body.payment),
            gateway=gateway(),
            terms=terms(),
            present=present,
            actor=actor_from_request(),
        )
    )


@bp.post("/orders/<number>/payments")
@endpoint(
    "Pay a failed order with another card",
    body=RetryBody,
    returns=PLACED,
    auth="customer",
    idempotent=True,
    limit="checkout",
    errors=[*ERRORS, "POINTS_ABOVE_MAX", "ORDER_NOT_PAYABLE", "ORDER_TOO_OLD"],
)
def pay_again(number: str, body: RetryBody, key: IdempotentRequest) -> Answer:
    return _answered(
        lambda: flow.pay_again(
            request=_request(key),
            number=number,
            method=_method(body.payment),
            gateway=gateway(),
            payable_for=payable_for(),
            present=present,
            actor=actor_from_request(),
        )
    )


@bp.post("/orders/<number>/cancel")
@endpoint(
    "Cancel an order before it ships",
    returns={200: Order, 202: Order},
    auth="customer",
    idempotent=True,
    limit="checkout",
    errors=["ORDER_NOT_CANCELLABLE", "PAYMENT_DISPUTED"],
)
def cancel_order(number: str, key: IdempotentRequest) -> Answer:
    result = cancel.cancel(
        request=_request(key),
        number=number,
        customer_id=current().id,
        gateway=gateway(),
        present=_present_cancelled,
        actor=actor_from_request(),
    )
    return Answer(result.status, result.body, headers=dict(result.headers), replayed=result.replayed)


def _present_cancelled(outcome: flow.Outcome) -> flow.Answer:
    order = Order.of(outcome.order)
    if order.status == "payment_pending":
        sentence = "The gateway has not answered yet; the order is cancelled as soon as it does."
        return flow.Answer(202, {"Retry-After": RETRY_AFTER}, envelope.success(order, sentence))
    return flow.Answer(200, {}, envelope.success(order, "The order was cancelled."))


def present(outcome: flow.Outcome) -> flow.Answer:
    """The contract's answers to placing an order, by what became of it."""
    order = Order.of(outcome.order)
    location = {"Location": url_for("api_v1.orders.show_order", number=order.number)}
    if order.status == "payment_failed":
        code = order.failure_code or "CARD_DECLINED"
        sentence = DECLINE_SENTENCES.get(code, DECLINE_SENTENCES["CARD_DECLINED"])
        refusal = PaymentRefused(sentence, code=code, details={"order": order})
        return flow.Answer(402, {}, envelope.failure(refusal, request_id=request_id()))
    action = NextAction("redirect", outcome.next_action_url) if outcome.next_action_url else None
    placed = Placed(order, action)
    if order.status in {"payment_pending", "needs_review"}:
        body = envelope.success(placed, "We have your order, not yet your payment. Do not pay again.")
        return flow.Answer(202, location | {"Retry-After": RETRY_AFTER}, body)
    return flow.Answer(201, location, envelope.success(placed, "Thank you. Your order is paid."))


def _answered(work: Callable[[], flow.Answer]) -> Answer:
    try:
        result = work()
    except Conflict as error:
        fresh = error.details.get("quote")
        if isinstance(fresh, Quote):
            error.details = {**error.details, "quote": QuoteOut.of(fresh)}
        raise
    return Answer(result.status, result.body, headers=dict(result.headers), replayed=result.replayed)


def _request(key: IdempotentRequest) -> flow.Request:
    person = current()
    return flow.Request(person.id, person.email, key.route, key.key, key.fingerprint)


def _method(body: PaymentBody | None) -> PaymentMethod | None:
    """Raises RuleBroken naming the field of `payment` that is wrong."""
    if body is None:
        return None
    if (body.token is None) == (body.method is None):
        raise invalid("payment", "ONE_OF", "Give either a token, or the method hosted with a return_url.")
    if body.token is not None:
        if body.return_url is not None:
            raise invalid("payment.return_url", "NOT_NEEDED", "A token needs no return_url.")
        return PaymentMethod("token", token=body.token)
    return PaymentMethod("hosted", return_url=_return_url(body.return_url))


def _return_url(url: str | None) -> str:
    """An absolute address; apps may use their own scheme."""
    if url is None:
        raise invalid("payment.return_url", "REQUIRED", "The hosted page needs a return_url.")
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme or not parts.netloc or parts.scheme.lower() in FORBIDDEN_SCHEMES:
        raise invalid("payment.return_url", "NOT_AN_ADDRESS", "Give an absolute address such as https://….")
    return url
