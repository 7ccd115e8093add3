"""Card refunds whose job comes a day too late: owed is owed, and what cannot be sent any more is not waited for."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import select

from app.checkout import refund as refunds
from app.checkout.disputes import settle_dispute
from app.gateways.asking import ask_refund
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import Actor, system
from app.kernel.database import run_atomically, session
from app.orders.models import OrderRefund
from app.payments import queries
from app.payments.bookkeeping import DisputeSnapshot
from app.payments.models import CardRefund
from app.payments.refunds import retry_refund
from tests.checkout.conftest import Shopper
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")
STAFF = Actor(kind="staff", id=uuid.uuid4(), name="staff:test", role="support")


def refunded(gateway: SandboxGateway) -> tuple[uuid.UUID, str]:
    """(card refund id, payment id) of an order that is to be given back whole."""
    shopper = Shopper(gateway)
    number = shopper.place(shopper.quote())["number"]
    run_atomically(
        lambda: refunds.refund(
            number=number,
            lines=None,
            strategy="proportional",
            reason="Came broken",
            idem_key="k",
            actor=STAFF,
        )
    )
    payment = queries.list_payments_of(number)[0].id
    found = session().scalars(select(CardRefund.id).where(CardRefund.payment_id == payment)).one()
    session().rollback()
    return found, str(payment)


def ask(refund_id: uuid.UUID, gateway: SandboxGateway, **later: float) -> tuple[str, str]:
    """What became of the card refund and of the order's refund."""
    with clock.travel(**later):
        ask_refund(refund_id=refund_id, gateway=gateway, actor=system("test"))
    session().rollback()
    card = session().get(CardRefund, refund_id)
    order = session().scalars(select(OrderRefund).where(OrderRefund.card_refund_id == refund_id)).one()
    states = card.state, order.state
    session().rollback()
    return states


def test_a_refund_that_was_never_sent_is_sent_however_late(gateway: SandboxGateway, peer: Gateway) -> None:
    refund_id, payment = refunded(gateway)
    assert ask(refund_id, gateway, days=16) == ("succeeded", "done")
    truth = peer.truth(payment)
    assert truth["amount_refunded"] == truth["amount"]


def test_a_refund_that_was_lost_on_its_way_is_sent_again_by_staff(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    refund_id, payment = refunded(gateway)
    peer.control("faults", {"fault": "error_500", "next": 1})
    assert ask(refund_id, gateway) == ("unknown", "running")
    assert ask(refund_id, gateway, hours=24) == ("failed", "stuck")
    assert peer.truth(payment)["amount_refunded"] == 0
    run_atomically(lambda: retry_refund(refund_id=refund_id))
    assert ask(refund_id, gateway, hours=25) == ("succeeded", "done")
    assert peer.truth(payment)["amount_refunded"] == peer.truth(payment)["amount"]


def given_back_whole(peer: Gateway, payment: str) -> bool:
    truth = peer.truth(payment)
    return bool(truth["amount_refunded"] == truth["amount"] > 0)


def test_a_day_is_counted_from_the_first_time_that_it_was_sent(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    """The queue stood still for a day, and the first try after that failed once."""
    refund_id, payment = refunded(gateway)
    peer.control("faults", {"fault": "error_500", "next": 1, "on": "writes"})
    assert ask(refund_id, gateway, hours=24) == ("unknown", "running")
    assert ask(refund_id, gateway, hours=46) == ("succeeded", "done")
    assert given_back_whole(peer, payment)


def test_what_could_only_be_asked_about_was_not_sent(gateway: SandboxGateway, peer: Gateway) -> None:
    refund_id, payment = refunded(gateway)
    peer.control("faults", {"fault": "error_500", "next": 1, "on": "reads"})
    assert ask(refund_id, gateway) == ("unknown", "running")
    assert ask(refund_id, gateway, hours=30) == ("succeeded", "done")
    assert given_back_whole(peer, payment)


def test_one_that_had_waited_for_the_bank_is_tried_again_as_well(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    refund_id, payment = refunded(gateway)
    about(payment, "open")
    assert ask(refund_id, gateway) == ("failed", "stuck")
    with clock.travel(days=40):
        about(payment, "won")
    peer.control("faults", {"fault": "error_500", "next": 1, "on": "writes"})
    assert ask(refund_id, gateway, days=40) == ("unknown", "running")
    assert ask(refund_id, gateway, days=40, minutes=2) == ("succeeded", "done")
    assert given_back_whole(peer, payment)


def test_a_key_that_the_gateway_has_forgotten_is_sent_for_the_first_time_again(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    """Sent again by staff a day later; within the day the key counts from when it was sent first."""
    refund_id, payment = refunded(gateway)
    peer.control("faults", {"fault": "error_500", "next": 4, "on": "writes"})
    assert ask(refund_id, gateway) == ("unknown", "running")
    assert ask(refund_id, gateway, hours=22) == ("unknown", "running")
    assert ask(refund_id, gateway, hours=23.5) == ("failed", "stuck")
    run_atomically(lambda: retry_refund(refund_id=refund_id))
    assert ask(refund_id, gateway, hours=25)[0] == "unknown"
    assert ask(refund_id, gateway, hours=46)[0] == "unknown"
    assert ask(refund_id, gateway, hours=47) == ("succeeded", "done")
    assert given_back_whole(peer, payment)


def about(payment: str, status: Any) -> None:
    """The bank's word on all of the payment."""
    row = queries.get_payment(uuid.UUID(payment))
    ref, amount = str(row.gateway_ref), row.amount
    session().rollback()
    truth = DisputeSnapshot(
        gateway_ref=f"dp_{payment}",
        payment_ref=ref,
        status=status,
        amount=amount,
        currency="HKD",
        reason="fraudulent",
    )
    settle_dispute(gateway="sandbox", truth=truth, actor=system("test"))
