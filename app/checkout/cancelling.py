"""What ending an order before it ships gives back. Called inside one transaction, on a locked order."""

from __future__ import annotations

from app.checkout import disputes, put_off
from app.checkout.notices import mail
from app.checkout.refund import give_back
from app.inventory.service import reservations
from app.kernel.actor import Actor
from app.kernel.errors import Conflict
from app.orders.rules import plan_refund
from app.orders.service import moving, refunding
from app.orders.service.moving import LockedOrder
from app.outbox.service import add
from app.rewards.queries import rules_of_version
from app.rewards.service import holds


def cancel_paid(order: LockedOrder, *, actor: Actor, is_audited: bool = True) -> str:
    """A paid or packed order: everything left goes back as it was paid, the goods to the shelf; the new status."""
    try:
        plan = plan_refund(refunding.list_lines_paid(order.id), None, "proportional")
    except Conflict:
        plan = None  # every line has been refunded before
    if plan is not None and plan.give.value:
        give_back(
            order, plan, reason="cancelled", idem_key=refunding.CANCEL, actor=actor, is_audited=is_audited
        )
    return _end(order, "Your order was cancelled. We are giving back what you paid.", actor)


def cancel_unpaid(order: LockedOrder, *, actor: Actor) -> str:
    """An order whose payment failed: points and stock went back then; the new status."""
    return _end(order, "Your order was cancelled.", actor)


def cancel_stranded(order: LockedOrder, *, actor: Actor) -> str:
    """A pending order that has no payment any more: what it holds goes back; the new status."""
    if order.points:
        holds.release(order_id=order.id, rules=rules_of_version(order.rules_version), actor=actor)
    reservations.release(order_id=order.id)
    return _end(order, "Your order was cancelled.", actor)


def _end(order: LockedOrder, text: str, actor: Actor) -> str:
    moving.move(order=order, to="cancelled", event="cancelled", text=text, actor=actor)
    reservations.restock(order_id=order.id)
    put_off.close_cancel(order, actor=actor)
    disputes.close_cancelled(order, actor=actor)
    add(mail("order_cancelled", order), request_id=actor.request_id)
    return "cancelled"
