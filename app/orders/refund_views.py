"""Refunds of orders as shoppers, staff and mails see them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.orm import aliased

from app.kernel.database import session
from app.kernel.money import Money
from app.orders.models import Order, OrderRefund
from app.orders.service.refunding import ANEW, UNWANTED
from app.payments.models import CardRefund, Payment

RefundRow = tuple[OrderRefund, CardRefund | None, int | None]
"""And what staff have accepted as the order's payment although less was captured than was due."""


@dataclass(frozen=True, slots=True)
class RefundView:
    """`sent`: how much of `card` the shop sends itself; the rest had gone back already. `elsewhere`: what staff sent to
    the shopper in place of the card refund; `elsewhere_ref`: the bank's reference of that transfer. `never_came`: how
    much of `card` was never charged, because staff have accepted less."""

    points: int
    card: Money
    sent: Money
    state: str
    reason: str
    created_at: datetime
    id: uuid.UUID
    never_came: Money
    elsewhere: Money | None = None
    elsewhere_ref: str | None = None

    @property
    def back(self) -> Money:
        """What of `card` goes back to the shopper, or has gone back."""
        return self.card - self.never_came

    @property
    def already(self) -> Money:
        """What a bank, or somebody at the gateway, had given back to the card before."""
        return self.back - self.sent


def list_rows(order_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[RefundRow]]:
    """By order, oldest first; one statement."""
    grouped: dict[uuid.UUID, list[RefundRow]] = {order_id: [] for order_id in order_ids}
    if order_ids:
        by_card = CardRefund.id == OrderRefund.card_refund_id
        statement = select(OrderRefund, CardRefund, _accepted()).outerjoin(CardRefund, by_card)
        ordered = statement.where(OrderRefund.order_id.in_(order_ids))
        ordered = ordered.order_by(OrderRefund.created_at, OrderRefund.id)
        for row in session().execute(ordered.execution_options(populate_existing=True)):
            grouped[row[0].order_id].append((row[0], row[1], row[2]))
    return grouped


def _accepted() -> ScalarSelect[int | None]:
    """For the order of a refund, what staff took for the whole of its payment: less than was due."""
    unwanted = aliased(OrderRefund)
    is_unwanted = select(unwanted.id).where(
        unwanted.order_id == Order.id, unwanted.idem_key == func.concat(UNWANTED, Payment.id)
    )
    statement = select(func.min(Payment.accepted)).join(Order, Order.number == Payment.reference)
    found = statement.where(
        Order.id == OrderRefund.order_id,
        Payment.state == "captured",
        Payment.accepted < Payment.amount,
        ~is_unwanted.exists(),
    )
    return found.correlate(OrderRefund).scalar_subquery()


def views_of(rows: Sequence[RefundRow], currency: str) -> list[RefundView]:
    """Oldest first. What never came is what the last of them cannot send."""
    claims = [row[0].card for row in rows if not row[0].idem_key.startswith((UNWANTED, ANEW))]
    accepted = rows[0][2] if rows else None
    never_came = 0 if accepted is None else max(0, sum(claims) - accepted)
    views: list[RefundView] = []
    for refund, by_card, _ in reversed(rows):
        view = _refund(refund, by_card, currency)
        part = Money(min(never_came, view.already.amount), currency)
        if not refund.idem_key.startswith((UNWANTED, ANEW)):
            view, never_came = replace(view, never_came=part), never_came - part.amount
        views.append(view)
    return views[::-1]


def _refund(refund: OrderRefund, by_card: CardRefund | None, currency: str) -> RefundView:
    elsewhere, elsewhere_ref = (by_card.elsewhere, by_card.elsewhere_ref) if by_card else (None, None)
    is_covered = by_card is not None and (refund.state, by_card.state) == ("done", "failed")
    sent = by_card.amount if by_card and (elsewhere or not is_covered) else 0
    return RefundView(
        refund.points,
        Money(refund.card, currency),
        Money(sent, currency),
        refund.state,
        refund.reason,
        refund.created_at,
        refund.id,
        Money(0, currency),
        elsewhere=Money(elsewhere, currency) if elsewhere else None,
        elsewhere_ref=elsewhere_ref,
    )
