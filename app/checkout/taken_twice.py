"""Earned points that a dispute and a refund have taken for the same money: staff hear how many.

A dispute costs the points of money that no refund accounts for. When a refund that had arrived by then comes back after
all, what the bank gave counts in its place (docs/jobs.md), and has cost its points twice. They do not return by
themselves (docs/adr/0017). Called inside one transaction, with the order and the payment locked.
"""

from __future__ import annotations

from functools import partial

from app.checkout.clawback import earned_by
from app.checkout.rules import first_order_bonus, unearned
from app.checkout.unearned import count_missing
from app.kernel.money import divide_half_up
from app.orders.service import refunding
from app.orders.service.moving import LockedOrder
from app.payments import disputes, issues
from app.payments.models import Payment
from app.rewards.queries.earnings import count_taken

KIND = "points_taken_twice"
"""Kind of the issue, one an order."""
GIVE_BACK = (
    "Disputes took more of the points that the order had earned than go with the money that did not stay: what the "
    "bank gave counts in place of a refund that had taken its own, or is less than it was. Give the customer these "
    "points by an adjustment, less what was given for it before, and resolve this with a note."
)


def tell(order: LockedOrder, payment: Payment) -> None:
    """Open the issue, or close it when it is so no more."""
    if not disputes.has_lost(payment.id) or payment.id in refunding.list_unwanted_payments(order.id):
        return
    points = _count(order, payment)
    if points:
        detail = {"order_number": order.number, "customer": str(order.customer_id), "points": points}
        issues.record_issue(kind=KIND, ref=order.number, detail=detail, suggestion=GIVE_BACK)
    else:
        issues.close_issue(
            kind=KIND,
            ref=order.number,
            state="auto_fixed",
            by="the gateway's word",
            resolution="It is so no more.",
        )


def _count(order: LockedOrder, payment: Payment) -> int:
    """What is taken of each earning, less what went with the goods, with money that banks keep, and with money that
    never came. Where all of the money, or all of the goods, are gone, all points are."""
    missing = count_missing(order, payment)
    lines = refunding.list_lines_paid(order.id)
    if missing is None or not any(line.left for line in lines):
        return 0
    earned = earned_by(order)
    kept = sum(line.unit_price * line.left for line in lines)
    deserved = first_order_bonus(kept, rules=earned.rules, tier=earned.tier, at=earned.at)
    returned = sum(divide_half_up(line.earn_points * line.back_quantity, line.quantity) for line in lines)
    too_many = 0
    for source_type, left in (("order", earned.order.points), ("first_order", earned.bonus.points)):
        taken = partial(
            count_taken,
            customer_id=order.customer_id,
            order_number=order.number,
            source_type=source_type,
        )
        by_bank, never_came = taken(cause="dispute:"), taken(cause="accepted:")
        with_goods = returned if source_type == "order" else max(0, by_bank.points - deserved)
        gone = with_goods + unearned(by_bank.points, missing=missing, of=payment.amount) + never_came.taken
        if by_bank.taken:
            too_many += max(0, by_bank.points - left - gone)
    return too_many
