"""The money of a refund has reached the shopper: what the order makes of it. Called with the order locked."""

from __future__ import annotations

from app.checkout import without_order
from app.kernel.actor import Actor
from app.orders.models import OrderRefund
from app.orders.service import moving, refunding, story
from app.orders.service.moving import LockedOrder
from app.orders.states import REFUNDABLE


def finish(order: LockedOrder, refund: OrderRefund, *, event: str, text: str, actor: Actor) -> None:
    """One of its refunds is done: the order ends if nothing else is owed."""
    without_order.close(refund, actor=actor)
    if _is_given_back(order):
        moving.move(order=order, to="refunded", event="refunded", text=text, actor=actor)
    else:
        story.tell(order_id=order.id, event=event, text=text, actor=actor)


def _is_given_back(order: LockedOrder) -> bool:
    """In review: whatever was paid is on no way any more, neither late money nor what an earlier cancel gave back."""
    if order.status == "needs_review":
        return refunding.is_all_done(order.id)
    return order.status in REFUNDABLE and refunding.is_settled(order.id)
