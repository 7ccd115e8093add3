"""The JSON API under /v1. docs/sandbox-gateway.md is its contract."""

from __future__ import annotations

from datetime import UTC, date, datetime

from flask import Blueprint, Response, request

from sandbox.gateway import wire
from sandbox.gateway.errors import ApiError, invalid
from sandbox.gateway.events import public
from sandbox.gateway.validation import read_amount, read_card, read_payment, read_refund, whole_number
from sandbox.gateway.wire import bank, fingerprint, idempotency_key, json_body, money_request, reply

bp = Blueprint("api", __name__, url_prefix="/v1")
bp.register_error_handler(ApiError, wire.refuse)
bp.before_request(wire.guard)


@bp.post("/payments")
def create_payment() -> Response:
    key, body = idempotency_key(), json_body()
    print_ = fingerprint(body)
    wanted = read_payment(body)
    payments = bank().payments
    base = bank().public_url or request.host_url.rstrip("/")
    return money_request(
        key,
        lambda: payments.replay(key, print_),
        payments.find_card(wanted).answer,
        lambda: payments.create(wanted, key=key, fingerprint=print_, base_url=base),
    )


@bp.get("/payments")
def list_payments() -> Response:
    return list_of("payment")


@bp.get("/refunds")
def list_refunds() -> Response:
    return list_of("refund")


@bp.get("/disputes")
def list_disputes() -> Response:
    return list_of("dispute")


def list_of(kind: str) -> Response:
    """In the order of the last change: a walk with `after` meets whatever changed behind it."""
    unknown = set(request.args) - {"after", "limit", "created_since", "updated_since"}
    if unknown:
        raise invalid(unknown.pop(), "unknown parameter")
    after = whole_number(request.args, "after", 0, 0, 2**62)
    limit = whole_number(request.args, "limit", 50, 1, 200)
    since = {name: moment(name) for name in ("created_since", "updated_since")}
    docs = bank().changed(kind, after=after, limit=limit + 1, **since)
    page = docs[:limit]
    return reply(
        200,
        {
            "object": "list",
            "data": [public(doc) for doc in page],
            "has_more": len(docs) > limit,
            "next": str(page[-1]["sequence"] if page else after),
        },
    )


def moment(name: str) -> float:
    """An RFC 3339 time or seconds since the epoch; 0 if it is not given."""
    text = request.args.get(name, "0")
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text.replace(" ", "+")).astimezone(UTC).timestamp()
    except ValueError:
        raise invalid(name, "must be an RFC 3339 time or seconds since the epoch") from None


@bp.get("/payments/<payment_id>")
def get_payment(payment_id: str) -> Response:
    return reply(200, public(bank().payments.get(payment_id)))


@bp.get("/payments/by-key/<path:key>")
def get_payment_by_key(key: str) -> Response:
    return reply(200, public(bank().payments.get_by_key(key)))


@bp.post("/payments/<payment_id>/cancel")
def cancel_payment(payment_id: str) -> Response:
    return money_request(payment_id, lambda: None, None, lambda: (200, bank().payments.cancel(payment_id)))


@bp.post("/payments/by-key/<path:key>/cancel")
def cancel_payment_by_key(key: str) -> Response:
    return money_request(key, lambda: None, None, lambda: (200, bank().payments.cancel_by_key(key)))


@bp.post("/payments/<payment_id>/capture")
def capture_payment(payment_id: str) -> Response:
    amount = read_amount(json_body())
    return money_request(
        payment_id, lambda: None, None, lambda: (200, bank().payments.capture(payment_id, amount))
    )


@bp.post("/payments/<payment_id>/refunds")
def create_refund(payment_id: str) -> Response:
    key, body = idempotency_key(), json_body()
    print_ = fingerprint(body)
    wanted = read_refund(body)
    refunds = bank().refunds
    return money_request(
        key,
        lambda: refunds.replay(key, print_),
        None,
        lambda: refunds.create(
            payment_id, amount=wanted["amount"], reason=wanted["reason"], key=key, fingerprint=print_
        ),
    )


@bp.get("/payments/<payment_id>/refunds")
def list_payment_refunds(payment_id: str) -> Response:
    bank().payments.get(payment_id)
    docs = bank().children(payment_id, "refund")
    return reply(
        200, {"object": "list", "data": [public(doc) for doc in docs], "has_more": False, "next": None}
    )


@bp.get("/refunds/<refund_id>")
def get_refund(refund_id: str) -> Response:
    return reply(200, public(bank().refunds.get(refund_id)))


@bp.get("/refunds/by-key/<path:key>")
def get_refund_by_key(key: str) -> Response:
    return reply(200, public(bank().refunds.get_by_key(key)))


@bp.get("/disputes/<dispute_id>")
def get_dispute(dispute_id: str) -> Response:
    return reply(200, public(bank().refunds.get_dispute(dispute_id)))


@bp.post("/customers/<customer>/cards")
def save_card(customer: str) -> Response:
    return reply(201, public(bank().save_card(customer, read_card(json_body()))))


@bp.get("/customers/<customer>/cards")
def list_cards(customer: str) -> Response:
    docs = bank().children(customer, "card")
    return reply(
        200, {"object": "list", "data": [public(doc) for doc in docs], "has_more": False, "next": None}
    )


@bp.delete("/customers/<customer>/cards/<card_id>")
def forget_card(customer: str, card_id: str) -> Response:
    bank().forget_card(customer, card_id)
    return reply(200, {"id": card_id, "object": "card", "deleted": True})


@bp.get("/report")
def report() -> Response:
    try:
        day = date.fromisoformat(request.args.get("day", ""))
    except ValueError:
        raise invalid("day", "must be YYYY-MM-DD") from None
    return reply(200, bank().report(day))
