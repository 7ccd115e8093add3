"""Orders that were bought, and giving them back: what the tests of refunds start from."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select

from app.checkout import refund as refunds
from app.gateways.asking import ask_refund
from app.gateways.sandbox import SandboxGateway
from app.kernel.actor import Actor, system
from app.kernel.database import run_atomically, session
from app.orders.models import Order, OrderRefund
from app.orders.queries import get_order_view
from app.payments import queries as payment_queries
from app.payments.models import CardRefund
from app.rewards.models import PointsEarning, PointsLot
from app.rewards.queries import get_balance, rules_in_force
from app.rewards.service import earning
from tests.checkout.conftest import Shopper

STAFF = Actor(kind="staff", id=uuid.uuid4(), name="staff:test", role="support")


def bought(
    gateway: SandboxGateway, *, points: int = 1_000, quantity: int = 2, **shopper: Any
) -> tuple[Shopper, str]:
    """Two things at HK$100, or `quantity`, and delivery, paid with `points` and the card."""
    buyer = Shopper(gateway, points=5_000, price=10_000, quantity=quantity, **shopper)
    agreed = buyer.quote(points)
    placed = buyer.place(agreed, "pm_card_visa" if agreed.card_due else None)
    assert placed["status"] == "paid"
    return buyer, placed["number"]


def give_back(number: str, *, lines: Any = None, strategy: Any = "proportional", key: str = "k1") -> Any:
    return run_atomically(
        lambda: refunds.refund(
            number=number, lines=lines, strategy=strategy, reason="Came broken", idem_key=key, actor=STAFF
        )
    )


def sku_of(number: str) -> str:
    return get_order_view(number).lines[0].sku


def card_refunds_of(number: str) -> list[CardRefund]:
    (payment,) = payment_queries.list_payments_of(number)
    return list(payment_queries.list_refunds_of(payment.id))


def send(number: str, gateway: SandboxGateway) -> None:
    """What the job does."""
    for queued in [row.id for row in card_refunds_of(number)]:
        ask_refund(refund_id=queued, gateway=gateway, actor=system("test"))


def lots_of(customer_id: uuid.UUID) -> list[PointsLot]:
    session().expire_all()
    return list(
        session().scalars(select(PointsLot).filter_by(customer_id=customer_id).order_by(PointsLot.id))
    )


def books_of(shopper: Shopper, number: str) -> Any:
    """All that a refused refund must not have touched."""
    session().rollback()
    session().expire_all()
    order = session().scalars(select(Order).where(Order.number == number)).one()
    (payment,) = payment_queries.list_payments_of(number)
    refunds_made = session().scalars(select(OrderRefund.id).where(OrderRefund.order_id == order.id)).all()
    return (get_balance(shopper.id), order.status, payment.refunded, len(refunds_made), order.refunded_card)


def confirm_earning(number: str) -> None:
    earning_id = session().scalar(select(PointsEarning.id).where(PointsEarning.order_number == number))
    assert earning_id is not None
    run_atomically(
        lambda: earning.confirm(earning_id=earning_id, rules=rules_in_force(), actor=system("test"))
    )
