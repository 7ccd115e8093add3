"""Last step: what became of the order, told from the order alone; and another card when the first was declined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from app.blueprints.checkout import cards, outcome, placing
from app.blueprints.checkout.blueprint import bp
from app.blueprints.checkout.looking import look
from app.blueprints.checkout.pay import new_key, posted_key
from app.blueprints.checkout.quoting import PageError
from app.blueprints.common import limits
from app.blueprints.common.actors import actor_from_request
from app.blueprints.common.checkout import gateway, payable_for
from app.checkout import flow
from app.checkout.errors import CardsUnavailable
from app.kernel import clock
from app.kernel.errors import Conflict, RuleBroken
from app.kernel.ids import fingerprint
from app.orders.errors import OrderNotFound
from app.orders.queries import OrderView, find_number, get_order_view
from app.rewards.queries import find_earned, list_holds

ROUTE = "page:retry"
FOLLOWED_FOR = timedelta(minutes=2)
Answer = str | Response | tuple[str, int]


@dataclass(frozen=True, slots=True)
class NextAction:
    url: str


@bp.get("/result/<number>")
@login_required
def result(number: str) -> str:
    order = get_order_view(number, customer_id=current_user.person.id)
    action = _open_action(order)
    if action is not None and look(number):
        order = get_order_view(number, customer_id=current_user.person.id)
        action = _open_action(order)
    return render_template("pages/checkout/result.html", **_context(order, action))


@bp.get("/returned/<key>")
@login_required
def returned(key: str) -> Response:
    """Back from the gateway. What its address says about the payment is not believed, and not even read."""
    number = find_number(current_user.person.id, checkout_key=f"{placing.ROUTE}:{key}")
    if number is None:
        raise OrderNotFound("There is no such order.")
    return redirect(url_for("checkout.result", number=number), 303)


@bp.get("/status/<number>")
@login_required
def status(number: str) -> str | dict[str, Any]:
    """The heart of the result page, for a script to swap in; or its state alone for who accepts only JSON."""
    order = get_order_view(number, customer_id=current_user.person.id)
    if request.accept_mimetypes.best == "application/json":
        return {"number": order.number, "status": order.status, "payment_status": order.payment_status}
    return render_template("components/order_result.html", **_context(order, _open_action(order)))


@bp.post("/retry/<number>")
@login_required
def retry(number: str) -> Answer:
    try:
        return outcome.lead_on(_paid_again(number))
    except Conflict as error:
        if error.code == "IDEMPOTENCY_IN_FLIGHT":
            return redirect(url_for("checkout.result", number=number), 303)
        if error.code in {"ORDER_NOT_PAYABLE", "ORDER_TOO_OLD"}:
            flash(error.message)
            return redirect(url_for("checkout.result", number=number), 303)
        return _refused(number, PageError("card", f"{error.message} Nothing was charged."), 409)
    except RuleBroken as error:
        return _refused(number, PageError("card", error.message), 422)
    except CardsUnavailable as error:
        return _refused(number, PageError("card", f"{error.message} Please try again in a minute."), 503)


def _pay_again(number: str) -> flow.Answer:
    person, key = current_user.person, posted_key()
    back = url_for("checkout.result", number=number)
    return flow.pay_again(
        request=flow.Request(person.id, person.email, ROUTE, key, fingerprint(f"{ROUTE}:{number}:{key}")),
        number=number,
        method=cards.method_of(cards.posted(), return_path=back),
        gateway=gateway(),
        payable_for=payable_for(),
        present=outcome.present,
        actor=actor_from_request(),
    )


_paid_again = limits.limited(_pay_again, "checkout")


def _refused(number: str, error: PageError, code: int) -> tuple[str, int]:
    order = get_order_view(number, customer_id=current_user.person.id)
    context = _context(order, _open_action(order), errors=[error], key=posted_key())
    return render_template("pages/checkout/result.html", **context), code


def _open_action(order: OrderView) -> str | None:
    return outcome.open_action(order.number) if order.status == "payment_pending" else None


def _context(
    order: OrderView, action: str | None, *, errors: Sequence[PageError] = (), key: str | None = None
) -> dict[str, Any]:
    pending = order.status == "payment_pending"
    earned = find_earned(order.id) if order.points_earned else None
    has_date = earned and earned.left and not earned.is_held_back
    return {
        "order": order,
        "decline_code": order.failure_code,
        "next_action": NextAction(action) if action else None,
        "hold_expires_at": _hold_expiry(order) if pending and order.points else None,
        "poll": pending and clock.now() - order.updated_at < FOLLOWED_FOR,
        "earn_confirmed_on": earned.confirms_at if earned and has_date else None,
        "too_old": clock.now() - order.placed_at > payable_for(),
        "sandbox_cards": cards.demo_cards(),
        "card_choice": cards.offered(cards.posted()),
        "idempotency_key": key or new_key(),
        "errors": errors,
    }


def _hold_expiry(order: OrderView) -> Any:
    """By when most payments are settled; None after it: nothing ends the hold but the gateway's word."""
    ours = (hold for hold in list_holds(order.customer_id) if hold.order_number == order.number)
    return next((hold.expires_at for hold in ours if hold.expires_at > clock.now()), None)
