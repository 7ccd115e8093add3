"""While the gateway does not answer: a card is refused before anything is held, all else goes on."""

from __future__ import annotations

import pytest

from app.checkout.errors import CardsUnavailable
from app.gateways.breaker import BreakingGateway
from app.gateways.sandbox import SandboxGateway
from app.kernel import ids
from app.kernel.database import end_reading
from tests.checkout.conftest import Shopper
from tests.checkout.test_placing import everything_of
from tests.factories.shop import fill_cart
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")


def guarded(gateway: SandboxGateway) -> BreakingGateway:
    return BreakingGateway(gateway, failures=1, seconds=60)


def ask(breaking: BreakingGateway) -> None:
    """Any question: its answer, or none, is what the breaker goes by."""
    end_reading()
    breaking.fetch(ids.uuid7(), None)


def shopper_at(gateway: BreakingGateway, points: int, price: int) -> Shopper:
    return Shopper(gateway, points=points, price=price)  # type: ignore[arg-type]


def test_refused_at_once_with_nothing_held(gateway: SandboxGateway, peer: Gateway) -> None:
    breaking = guarded(gateway)
    shopper = shopper_at(breaking, 5_000, 10_000)
    agreed = shopper.quote(1_000)
    before = everything_of(shopper)
    peer.control("dead", {"dead": "503"})
    ask(breaking)
    with pytest.raises(CardsUnavailable) as refused:
        shopper.place(agreed, key="a-key-that-stays-free")
    assert (refused.value.code, refused.value.retry_after) == ("CARDS_UNAVAILABLE", 60)
    assert everything_of(shopper) == before
    peer.control("dead", {"dead": False})
    ask(breaking)
    assert shopper.place(agreed, key="a-key-that-stays-free")["status"] == "paid"


def test_points_alone_go_on(gateway: SandboxGateway, peer: Gateway) -> None:
    breaking = guarded(gateway)
    shopper = shopper_at(breaking, 5_000, 10_000)
    peer.control("dead", {"dead": "503"})
    ask(breaking)
    agreed = shopper.quote("max")
    assert agreed.card_due == 0
    assert shopper.place(agreed, None)["status"] == "paid"


def test_who_has_an_answer_gets_it_again(gateway: SandboxGateway, peer: Gateway) -> None:
    breaking = guarded(gateway)
    shopper = shopper_at(breaking, 5_000, 10_000)
    agreed = shopper.quote(1_000)
    first = shopper.place(agreed, key="an-answered-key-0001")
    peer.control("dead", {"dead": "503"})
    ask(breaking)
    again = shopper.place(agreed, key="an-answered-key-0001")
    assert again == first | {"replayed": True}


def test_another_card_is_refused_and_the_order_stays_payable(gateway: SandboxGateway, peer: Gateway) -> None:
    breaking = guarded(gateway)
    shopper = shopper_at(breaking, 5_000, 10_000)
    number = shopper.place(shopper.quote(1_000), "pm_card_chargeDeclined")["number"]
    before = everything_of(shopper)
    peer.control("dead", {"dead": "503"})
    ask(breaking)
    with pytest.raises(CardsUnavailable):
        shopper.pay_again(number, "pm_card_visa")
    assert everything_of(shopper) == before
    peer.control("dead", {"dead": False})
    ask(breaking)
    assert shopper.pay_again(number, "pm_card_visa")["status"] == "paid"


def test_the_first_orders_are_pending_the_next_are_refused(gateway: SandboxGateway, peer: Gateway) -> None:
    breaking = BreakingGateway(gateway, failures=2, seconds=60)
    shopper = shopper_at(breaking, 0, 10_000)
    peer.control("dead", {"dead": "503"})
    for _ in range(2):
        assert shopper.place(shopper.quote(0))["status"] == "payment_pending"
        fill_cart(shopper.id, {shopper.variant_id: 1})
    with pytest.raises(CardsUnavailable):
        shopper.place(shopper.quote(0))
