"""A gateway's report of a day against our payments and card refunds: computed here, asked and written elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.payments import rules
from app.payments.bookkeeping import DayReport, ReportRow
from app.payments.rules import TAKE_NOTE, TAKE_OR_GIVE_BACK

ORPHAN, AMOUNT, MISSING, REFUND, NET, DISPUTE = (
    "orphan_payment",
    rules.MISMATCH,
    rules.MISSING,
    rules.REFUND_DIFFERS,
    "settled_net_differs",
    "dispute",
)
SUGGESTIONS = {
    ORPHAN: "Find out whose it is; if it is ours, refund it at the gateway.",
    AMOUNT: TAKE_OR_GIVE_BACK,
    MISSING: "Ask the gateway: its books do not have a payment that we took for captured. Do not ship.",
    REFUND: TAKE_NOTE,
    NET: "Ask the gateway for the sum of that day: it is not what its rows add up to.",
    DISPUTE: "Find out whose payment this is.",
}


@dataclass(frozen=True, slots=True)
class OurPayment:
    """`amount` in minor units: captured, or 0 while it is not. `outside`: what staff know went back by another hand;
    `is_given_back`: it was captured otherwise than asked for, and nothing is left of it."""

    id: str
    reference: str
    state: str
    amount: int
    currency: str
    gateway_ref: str | None
    outside: int = 0
    is_given_back: bool = False


@dataclass(frozen=True, slots=True)
class OurRefund:
    """A card refund; `payment_id` is the payment that it belongs to."""

    id: str
    payment_id: str
    state: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference. `about`: what to ask the gateway about before staff are asked, as `payment:<id>`."""

    kind: str
    ref: str
    detail: dict[str, Any]
    about: str | None = None


@dataclass(frozen=True, slots=True)
class Ours:
    """Our side, by our ids, payments also by the gateway's; `disputes`: the gateway's ids of lost ones."""

    payments: Mapping[str, OurPayment]
    by_gateway_ref: Mapping[str, OurPayment]
    refunds: Mapping[str, OurRefund]
    disputes: frozenset[str]


def compare(report: DayReport, ours: Ours) -> list[Finding]:
    """What the report has and we have not, or have otherwise, in the report's order; then the sums."""
    found: list[Finding] = []
    for row in report.rows:
        finding = _ROWS[row.kind](row, ours)
        if finding is not None:
            found.append(finding)
    return found + _sums(report)


def _payment(row: ReportRow, ours: Ours) -> Finding | None:
    payment = ours.payments.get(row.key or "")
    if payment is None:
        return Finding(ORPHAN, row.gateway_ref, {})
    told = ("captured", row.amount, row.currency)
    if (payment.state, payment.amount, payment.currency) == told or payment.is_given_back:
        return None
    detail = {
        "payment": payment.id,
        "reference": payment.reference,
        "gateway": [row.amount, row.currency],
        "shop": [payment.amount, payment.currency],
    }
    return Finding(AMOUNT, payment.id, detail, f"payment:{payment.id}")


def _refund(row: ReportRow, ours: Ours) -> Finding | None:
    refund = ours.refunds.get(row.key or "")
    if refund is not None:
        told = ("succeeded", -row.amount, row.currency)
        if (refund.state, refund.amount, refund.currency) == told:
            return None
        detail = {"payment": refund.payment_id, "refund": refund.id, "gateway": -row.amount}
        return Finding(REFUND, refund.payment_id, detail | {"shop": refund.amount}, f"refund:{refund.id}")
    payment = ours.by_gateway_ref.get(row.payment_ref)
    if payment is not None and (payment.is_given_back or -row.amount <= payment.outside):
        return None
    detail = {"gateway_refund": row.gateway_ref, "gateway": -row.amount, "shop": 0}
    if payment is None:
        return Finding(REFUND, row.payment_ref, detail)
    return Finding(REFUND, payment.id, detail | {"payment": payment.id}, f"payment:{payment.id}")


def _dispute(row: ReportRow, ours: Ours) -> Finding | None:
    if row.gateway_ref in ours.disputes:
        return None
    detail = {"payment_ref": row.payment_ref, "amount": row.amount}
    return Finding(DISPUTE, row.gateway_ref, detail, f"dispute:{row.gateway_ref}")


_ROWS = {"payment": _payment, "refund": _refund, "dispute": _dispute}


def _sums(report: DayReport) -> list[Finding]:
    """By currency: what is paid out is what was captured, less what went back, less the fees."""
    sums: dict[str, int] = dict.fromkeys(report.net, 0)
    for row in report.rows:
        sums[row.currency] = sums.get(row.currency, 0) + row.amount - row.fee
    day = report.day.isoformat()
    return [
        Finding(
            NET, f"{day}:{currency}", {"day": day, "gateway": report.net.get(currency, 0), "rows": expected}
        )
        for currency, expected in sorted(sums.items())
        if report.net.get(currency, 0) != expected
    ]
