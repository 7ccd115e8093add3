"""The shopper's orders, and cancelling one."""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from app.blueprints.account.blueprint import bp
from app.blueprints.common import limits
from app.blueprints.common.actors import actor_from_request
from app.blueprints.common.checkout import gateway
from app.checkout import flow
from app.checkout.cancel import cancel
from app.checkout.covering import list_owed, list_waiting
from app.checkout.refund import count_sent, preview
from app.kernel.errors import Conflict
from app.kernel.ids import fingerprint
from app.kernel.money import Money
from app.orders import queries
from app.orders.states import REFUNDABLE
from app.payments.refunds import PaymentDisputed
from app.rewards.queries import find_earned

PER_PAGE = 20
ROUTE = "page:cancel"


@dataclass(frozen=True, slots=True)
class ComesBack:
    """What cancelling an order would give back now, in points and to the card; `already`: what of it is on the card
    before; `refusal`: why it cannot be."""

    points: int
    card: Money
    already: Money
    refusal: str | None = None


@bp.get("/orders")
@login_required
def orders() -> str:
    page = queries.list_orders(current_user.person.id, cursor=request.args.get("cursor"), limit=PER_PAGE)
    return render_template(
        "pages/account/orders.html",
        orders=page.items,
        prev_url=url_for("account.orders", cursor=page.prev) if page.prev else None,
        next_url=url_for("account.orders", cursor=page.next) if page.next else None,
    )


@bp.get("/orders/<number>")
@login_required
def order(number: str) -> str:
    found = queries.get_order_view(number, customer_id=current_user.person.id)
    confirm_cancel = found.can_cancel and request.args.get("cancel") == "1"
    owed = _owed(found)
    return render_template(
        "pages/account/order.html",
        order=found,
        can_cancel=found.can_cancel,
        confirm_cancel=confirm_cancel,
        comes_back=_comes_back(found) if confirm_cancel else None,
        idempotency_key=secrets.token_urlsafe(24),
        earned=find_earned(found.id) if found.points_earned else None,
        owed=owed,
        waiting=list_waiting(found.id) if owed else {},
    )


def _owed(order: queries.OrderView) -> dict[uuid.UUID, Money]:
    """What has not arrived of each refund to the card that is with staff, or waits for a bank."""
    if all(refund.state != "stuck" for refund in order.refunds):
        return {}
    return {key: Money(left, order.total.currency) for key, left in list_owed(order.id).items() if left}


def _comes_back(order: queries.OrderView) -> ComesBack:
    nothing = Money(0, order.total.currency)
    if order.status not in REFUNDABLE:
        return ComesBack(order.points if order.status == "payment_pending" else 0, nothing, nothing)
    try:
        give = preview(number=order.number, lines=None, strategy="proportional").give
        sent, already = count_sent(number=order.number, card=give.card)
    except PaymentDisputed as error:
        return ComesBack(0, nothing, nothing, refusal=error.message)
    except Conflict:  # every line has gone back before
        return ComesBack(0, nothing, nothing)
    currency = order.total.currency
    return ComesBack(give.points, Money(sent, currency), already=Money(already, currency))


@bp.post("/orders/<number>/cancel")
@login_required
def order_cancel(number: str) -> Response:
    try:
        status = json.loads(_cancelled(number).body)["status"]
    except Conflict as error:
        flash(error.message, "warning")
    else:
        flash(*_words(number, status))
    return redirect(url_for("account.order", number=number), 303)


def _cancel(number: str) -> flow.Answer:
    person = current_user.person
    key = request.form.get("idempotency_key", "")[:64] or secrets.token_urlsafe(24)
    return cancel(
        request=flow.Request(person.id, person.email, ROUTE, key, fingerprint(f"{ROUTE}:{number}:{key}")),
        number=number,
        customer_id=person.id,
        gateway=gateway(),
        present=_present,
        actor=actor_from_request(),
    )


_cancelled = limits.limited(_cancel, "checkout")


def _present(outcome: flow.Outcome) -> flow.Answer:
    body = {"number": outcome.order.number, "status": outcome.order.status}
    return flow.Answer(303, {}, json.dumps(body).encode())


def _words(number: str, status: str) -> tuple[str, str]:
    """(message, category)"""
    if status == "cancelled":
        return f"Order {number} was cancelled.", "success"
    if status == "payment_pending":
        message = (
            "We are cancelling your order. Your bank has not answered yet: we e-mail you when it is done."
        )
        return message, "info"
    return "We are checking your order, and give back everything that was taken.", "info"
