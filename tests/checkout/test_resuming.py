"""A request that died after its order was written is taken up by the same key, for as long as that is safe."""

from __future__ import annotations

from typing import Any

import pytest

from app.checkout import flow
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.errors import Conflict
from tests.checkout.conftest import TIMEOUTS, Shopper, truth_about
from tests.factories.shop import stock_of
from tests.sandbox.peers import KEY, SECRET, Gateway

DECLINED = "pm_card_chargeDeclined"


class Dying(SandboxGateway):
    """The process is gone before the charge leaves it."""

    def __init__(self) -> None:
        """No connection is ever made."""

    def charge(self, request: Any) -> Any:
        raise KeyboardInterrupt


class DyingLater(SandboxGateway):
    """The process is gone when the answer arrives."""

    def charge(self, request: Any) -> Any:
        super().charge(request)
        raise KeyboardInterrupt


@pytest.fixture
def shopper(gateway: SandboxGateway) -> Shopper:
    return Shopper(gateway, points=5_000)


def died(shopper: Shopper, key: str) -> Any:
    """The quote of a placement that died between its two transactions."""
    agreed = shopper.quote(500)
    with pytest.raises(KeyboardInterrupt):
        replaced(shopper, Dying()).place(agreed, key=key)
    return agreed


def replaced(shopper: Shopper, gateway: SandboxGateway) -> Shopper:
    other = object.__new__(Shopper)
    other.__dict__.update(shopper.__dict__, gateway=gateway)
    return other


def test_the_lease_over_it_charges_once(shopper: Shopper, peer: Gateway) -> None:
    agreed = died(shopper, "taken-up")
    with pytest.raises(Conflict) as running:
        shopper.place(agreed, key="taken-up")
    assert running.value.code == "IDEMPOTENCY_IN_FLIGHT"
    with clock.travel(seconds=61):
        assert shopper.place(agreed, key="taken-up")["status"] == "paid"
    assert [payment["status"] for payment in charges(peer)] == ["captured"]
    assert stock_of(shopper.variant_id) == (99, 0)


def test_a_day_later_nothing_is_sent_any_more(shopper: Shopper, peer: Gateway) -> None:
    """The gateway may have forgotten the key: the same charge could be a second one."""
    agreed = died(shopper, "too-late")
    with clock.travel(hours=24):
        answer = shopper.place(agreed, key="too-late")
    assert (answer["status"], answer["replayed"]) == ("payment_pending", False)
    assert charges(peer) == []
    assert stock_of(shopper.variant_id) == (100, 1)


class TestPayingAgain:
    @pytest.fixture
    def settled(self, shopper: Shopper, gateway: SandboxGateway, peer: Gateway) -> str:
        """The number of an order that was paid again in vain; that request died, reconciliation found out."""
        number = shopper.place(shopper.quote(500), DECLINED)["number"]
        later = DyingLater(url=peer.url, key=KEY, webhook_secrets=[SECRET], timeouts=TIMEOUTS)
        with pytest.raises(KeyboardInterrupt):
            replaced(shopper, later).pay_again(number, DECLINED, key="again")
        payment_id, truth = truth_about(gateway, number)
        flow.settle(payment_id=payment_id, truth=truth, actor=system("test"))
        return number

    def test_what_is_settled_is_told_and_never_charged_once_more(
        self, shopper: Shopper, peer: Gateway, settled: str
    ) -> None:
        answer = shopper.pay_again(settled, DECLINED, key="again")
        assert answer == {"number": settled, "status": "payment_failed", "next": None, "replayed": False}
        assert shopper.pay_again(settled, DECLINED, key="again") == answer | {"replayed": True}
        assert [payment["status"] for payment in charges(peer)] == ["declined", "declined"]
        assert stock_of(shopper.variant_id) == (100, 0)

    def test_anothers_open_payment_is_not_sent_with_this_ones_card(
        self, shopper: Shopper, peer: Gateway, settled: str
    ) -> None:
        with pytest.raises(KeyboardInterrupt):
            replaced(shopper, Dying()).pay_again(settled, "pm_card_visa", key="third")
        assert shopper.pay_again(settled, DECLINED, key="again")["status"] == "payment_pending"
        assert len(charges(peer)) == 2
        with clock.travel(seconds=61):
            assert shopper.pay_again(settled, "pm_card_visa", key="third")["status"] == "paid"
        assert sorted(payment["status"] for payment in charges(peer)) == ["captured", "declined", "declined"]


def charges(peer: Gateway) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = peer.call("GET", "/v1/payments").json()["data"]
    return found
