"""What each mail says: from a job's payload to the recipient and the context of the templates."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import current_app

from app.accounts.queries import Person, get_customer
from app.blueprints.common.pages import in_unit
from app.blueprints.common.transfer_links import transfer_token
from app.kernel.money import Money
from app.kernel.words import for_translation
from app.orders.queries import OrderView, get_order_view, get_refund, newest_refund
from app.orders.service import refunding
from app.payments.errors import DECLINE_REASONS
from app.payments.shown import spell
from app.rewards.queries import get_purse, rules_in_force, rules_of_version
from app.rewards.queries.adjustments import get_adjustment
from app.rewards.queries.transfers import get_transfer

REASONS = {
    "late_capture": for_translation("Your bank confirmed the payment only after the order had ended."),
    "paid_twice": for_translation("The order had been paid already; this is what came a second time."),
    "stock_insufficient": for_translation("Something in the order was gone when your payment arrived."),
    "cancelled": for_translation("The order was cancelled."),
}
"""Reasons that the shop writes down as a word; what staff write is a sentence already."""
HOLDING = {"placed": True, "payment_retried": True, "payment_failed": False, "paid": False}
"""After these turns of an order, whether it holds points."""
OTHER_REASON = for_translation("Adjustment")


@dataclass(frozen=True, slots=True)
class Draft:
    """A mail before it is rendered. `locale`: the recipient's, one of `accounts.rules.LOCALES`."""

    recipient: str
    context: Mapping[str, Any]
    customer_id: uuid.UUID | None = None
    subject_ref: str | None = None
    locale: str = "en"


def welcome(payload: Mapping[str, Any]) -> Draft:
    """Payload: customer_id."""
    person = get_customer(uuid.UUID(payload["customer_id"]))
    return _to(person, {})


def order_paid(payload: Mapping[str, Any]) -> Draft:
    """Payload: order_number; so for every mail about an order."""
    order = get_order_view(payload["order_number"])
    return _about(order, earn_confirmed_on=_earned_on(order))


def order_pending(payload: Mapping[str, Any]) -> Draft | None:
    """Payload: also the attempt to pay that it is about; superseded as soon as that has its end."""
    order = get_order_view(payload["order_number"])
    return _about(order) if _is_still(order, "payment_pending", payload) else None


def order_received(payload: Mapping[str, Any]) -> Draft | None:
    """Sent a little later: who has confirmed the payment by then gets a receipt, and not this as well."""
    order = get_order_view(payload["order_number"])
    return _about(order) if order.status == "payment_pending" else None


def order_revived(payload: Mapping[str, Any]) -> Draft:
    return _about(get_order_view(payload["order_number"]))


def order_shipped(payload: Mapping[str, Any]) -> Draft:
    return _about(get_order_view(payload["order_number"]))


def payment_failed(payload: Mapping[str, Any]) -> Draft | None:
    """Payload: also the attempt to pay and the reason; superseded as soon as the order moves on."""
    order = get_order_view(payload["order_number"])
    if not _is_still(order, "payment_failed", payload):
        return None
    code = str(payload.get("reason") or order.failure_code)
    return _about(order, reason=DECLINE_REASONS.get(code, DECLINE_REASONS["CARD_DECLINED"]))


def order_cancelled(payload: Mapping[str, Any]) -> Draft:
    """Paid: what the cancel itself gave back; earlier refunds had mails of their own. Not paid yet: the points that
    were held until then."""
    order = get_order_view(payload["order_number"])
    made = refunding.find_by_key(order.id, refunding.CANCEL)
    if made is not None:
        given = next(refund for refund in order.refunds if refund.id == made.id)
        return _about(order, points=given.points, card=given.sent, already=given.already)
    nothing = Money(0, order.total.currency)
    before = [event.event for event in order.timeline if event.event in HOLDING]
    held = order.points if before and HOLDING[before[-1]] else 0
    return _about(order, points=held, card=nothing, already=nothing)


def order_refunded(payload: Mapping[str, Any]) -> Draft:
    """Payload: order_number, and the refund_id; without it the newest refund is meant. `again`: a mail has told its
    points before; this one is about the card alone."""
    order = get_order_view(payload["order_number"])
    given = payload.get("refund_id")
    refund = get_refund(uuid.UUID(given)) if given else newest_refund(order.id)
    shown = next(one for one in order.refunds if one.id == refund.id)
    reason = REASONS.get(refund.reason, refund.reason if " " in refund.reason else None)
    is_first = not payload.get("again")
    return _about(
        order,
        points=shown.points if is_first else 0,
        card=shown.sent,
        already=shown.already,
        reason=reason,
        taken_back=refund.clawback if is_first else 0,
    )


def refund_elsewhere(payload: Mapping[str, Any]) -> Draft | None:
    """Payload: order_number, refund_id, reference. Nothing to say when that transfer does not stand any more."""
    order = get_order_view(payload["order_number"])
    refund = next(one for one in order.refunds if str(one.id) == payload["refund_id"])
    if refund.elsewhere_ref is None or refund.elsewhere_ref != payload.get("reference", refund.elsewhere_ref):
        return None
    return _about(order, paid=refund.elsewhere, reference=refund.elsewhere_ref)


def points_adjusted(payload: Mapping[str, Any]) -> Draft:
    """Payload: adjustment_id, customer_id. The note is for staff; the shopper gets the statement's words."""
    person = get_customer(uuid.UUID(payload["customer_id"]))
    adjustment = get_adjustment(uuid.UUID(payload["adjustment_id"]))
    context = {
        "points": adjustment.points,
        "balance": get_purse(person.id).spendable,
        "reason": rules_in_force().adjustments.reasons.get(adjustment.reason_code, OTHER_REASON),
        "statement_url": url("account.miles"),
    }
    return _to(person, context)


def points_expiring(payload: Mapping[str, Any]) -> Draft:
    """Payload: customer_id, points, days, expires_on (ISO date)."""
    person = get_customer(uuid.UUID(payload["customer_id"]))
    purse = get_purse(person.id)
    context = {
        "points": payload["points"],
        "days": payload["days"],
        "expires_on": date.fromisoformat(payload["expires_on"]),
        "balance": purse.spendable + purse.cooling,  # what expires may be cooling off still
        "statement_url": url("account.miles"),
    }
    return _to(person, context)


def transfer_confirm(payload: Mapping[str, Any]) -> Draft:
    """Payload: transfer_id, customer_id (the sender's). The link is what proves that the sender reads this mail."""
    person = get_customer(uuid.UUID(payload["customer_id"]))
    transfer = get_transfer(uuid.UUID(payload["transfer_id"]))
    context = {
        "points": transfer.points,
        "recipient": transfer.recipient_email,
        "until": transfer.confirm_until,
        "confirm_url": url("account.transfer_confirm", token=transfer_token(transfer.id)),
    }
    return _to(person, context)


def transfer_received(payload: Mapping[str, Any]) -> Draft:
    """Payload: transfer_id, customer_id (the recipient's)."""
    person = get_customer(uuid.UUID(payload["customer_id"]))
    transfer = get_transfer(uuid.UUID(payload["transfer_id"]))
    context = {
        "points": transfer.points,
        "sender": get_customer(transfer.sender_id).email,
        "spendable_from": transfer.spendable_from,
        "statement_url": url("account.miles"),
    }
    return _to(person, context)


def staff_alert(payload: Mapping[str, Any]) -> Draft:
    """Payload: subject (a word or a title), text; whatever else is in it is listed, amounts as money."""
    shown = {name: value for name, value in payload.items() if name not in ("subject", "text")}
    shown = spell(shown, ref=str(payload.get("ref")))
    context = {
        "title": str(payload["subject"]).replace("_", " ").capitalize(),
        "text": in_unit(payload["text"]),
        "facts": [(name.replace("_", " ").capitalize(), value) for name, value in shown.items()],
        "url": _desk(payload),
    }
    return Draft(current_app.config["STAFF_MAIL"], context, subject_ref=payload.get("order_number"))


def _desk(payload: Mapping[str, Any]) -> str:
    """Where staff see what an alert is about: the issue, the order, or the back office."""
    if "ref" in payload:
        return url("admin_issues.show", kind=payload["subject"], ref=payload["ref"])
    if "order_number" in payload:
        return url("admin_orders.show", number=payload["order_number"])
    return f"{current_app.config['BASE_URL']}/admin/"


def url(endpoint: str, **values: Any) -> str:
    """Absolute, from BASE_URL: there is no request that could say where the shop is."""
    base = urlsplit(current_app.config["BASE_URL"])
    adapter = current_app.url_map.bind(base.netloc, url_scheme=base.scheme, script_name=base.path or "/")
    return adapter.build(endpoint, values, force_external=True)


def _to(person: Person, context: Mapping[str, Any]) -> Draft:
    return Draft(person.email, {"name": person.name, **context}, person.id, locale=person.locale)


def _about(order: OrderView, **more: Any) -> Draft:
    person = get_customer(order.customer_id)
    context = {
        "name": person.name,
        "order": order,
        "order_url": url("account.order", number=order.number),
        **more,
    }
    return Draft(order.email, context, order.customer_id, order.number, person.locale)


def _is_still(order: OrderView, status: str, payload: Mapping[str, Any]) -> bool:
    """The order has not moved on since the mail was wished for."""
    return order.status == status and order.attempt == payload.get("attempt", order.attempt)


def _earned_on(order: OrderView) -> date | None:
    """The day on which the points that the order earns can be spent."""
    paid = next((event.at for event in order.timeline if event.event == "paid"), None)
    if paid is None or not order.points_earned:
        return None
    window = rules_of_version(order.rules_version).earn.return_window_days
    return (paid + timedelta(days=window)).date()


DRAFTS: dict[str, Callable[[Mapping[str, Any]], Draft | None]] = {
    "welcome": welcome,
    "order_received": order_received,
    "order_paid": order_paid,
    "order_pending": order_pending,
    "payment_failed": payment_failed,
    "order_cancelled": order_cancelled,
    "order_refunded": order_refunded,
    "refund_elsewhere": refund_elsewhere,
    "order_revived": order_revived,
    "order_shipped": order_shipped,
    "points_adjusted": points_adjusted,
    "points_expiring": points_expiring,
    "transfer_confirm": transfer_confirm,
    "transfer_received": transfer_received,
    "staff_alert": staff_alert,
}
"""None: by now there is nothing to say any more; the mail is superseded."""
