"""Machines whose clock is ten minutes wrong buy, repeat and reconcile beside those that are right.

No lease, hold or payment is safe because a clock is right: what is taken up ten minutes early or late meets the same
keys, versions and states. The clock of the database decides nothing; every time in a row is the shop's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.audit import verification
from app.blueprints.ops.commands_rewards_proof import PROBES
from app.checkout.refund import refund
from app.gateways.reconcile import reconcile
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import run_atomically, session, transaction
from app.orders.queries import get_order_view
from app.rewards.queries import get_balance, list_transactions
from tests.checkout.conftest import TIMEOUTS, Shopper
from tests.checkout.refunding import STAFF, send
from tests.factories.shop import stock_of
from tests.sandbox.peers import KEY, SECRET, Gateway

pytestmark = pytest.mark.usefixtures("app_context")
WRONG = pytest.mark.parametrize("minutes", [-10, 10], ids=["behind", "ahead"])


class BesideAnother(SandboxGateway):
    """Before its own charge is sent, another machine has done something."""

    def __init__(self, peer: Gateway, other: Callable[[], object]) -> None:
        super().__init__(url=peer.url, key=KEY, webhook_secrets=[SECRET], timeouts=TIMEOUTS)
        self._other = other

    def charge(self, request: Any) -> Any:
        self._other()
        return super().charge(request)


def assert_bought_once(shopper: Shopper, peer: Gateway, number: str) -> None:
    session().rollback()
    assert get_order_view(number).status == "paid"
    charges = peer.call("GET", "/v1/payments").json()["data"]
    assert [(one["reference"], one["status"]) for one in charges] == [(number, "captured")]
    assert stock_of(shopper.variant_id) == (99, 0)
    balance = get_balance(shopper.id)
    assert (balance.available, balance.held) == (4_500, 0)
    assert_books_are_right()


def assert_books_are_right() -> None:
    session().rollback()
    with transaction():
        assert list(verification.run(PROBES).differences) == []


def test_a_machine_that_is_ahead_takes_over_a_request_that_still_runs(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    """To it the lease of a minute is over, while the first machine has the charge on its way."""
    elsewhere, answers = Shopper(gateway, points=5_000), []
    agreed = elsewhere.quote(500)

    def take_over() -> None:
        with clock.travel(minutes=10):
            answers.append(elsewhere.place(agreed, key="at-once"))

    here = object.__new__(Shopper)
    here.__dict__.update(elsewhere.__dict__, gateway=BesideAnother(peer, take_over))
    answers.append(here.place(agreed, key="at-once"))
    assert [one["status"] for one in answers] == ["paid", "paid"]
    assert len({one["number"] for one in answers}) == 1
    assert_bought_once(elsewhere, peer, answers[0]["number"])


@WRONG
def test_bought_on_a_wrong_clock_and_asked_again_on_a_right_one(
    gateway: SandboxGateway, peer: Gateway, minutes: int
) -> None:
    shopper = Shopper(gateway, points=5_000)
    with clock.travel(minutes=minutes):
        agreed = shopper.quote(500)
        first = shopper.place(agreed, key="there")
    again = shopper.place(agreed, key="there")
    assert (again["number"], again["status"], again["replayed"]) == (first["number"], "paid", True)
    assert_bought_once(shopper, peer, first["number"])


@WRONG
def test_what_is_unknown_is_found_by_a_machine_with_another_time(
    gateway: SandboxGateway, peer: Gateway, minutes: int
) -> None:
    """At most the error of its clock later than it would have been."""
    shopper = Shopper(gateway, points=5_000)
    with clock.travel(minutes=minutes):
        number = shopper.place(shopper.quote(500), "pm_sandbox_lost_webhook_paid")["number"]
    assert get_order_view(number).status == "payment_pending"
    session().rollback()
    with clock.travel(minutes=12):
        reconcile(gateway=gateway, actor=system("test"))
    assert_bought_once(shopper, peer, number)


@WRONG
def test_the_ledger_is_ordered_by_its_versions(gateway: SandboxGateway, peer: Gateway, minutes: int) -> None:
    """A refund by a machine that is behind is dated before the purchase, and stands after it."""
    shopper = Shopper(gateway, points=5_000)
    number = shopper.place(shopper.quote(500))["number"]
    with clock.travel(minutes=minutes):
        run_atomically(
            lambda: refund(
                number=number, lines=None, strategy="proportional", reason="Broken", idem_key="r", actor=STAFF
            )
        )
        send(number, gateway)
    session().rollback()
    assert get_order_view(number).status == "refunded"
    assert (get_balance(shopper.id).available, get_balance(shopper.id).held) == (5_000, 0)
    newest = list_transactions(shopper.id, limit=1).items[0]
    assert newest.balance_after == 5_000
    assert_books_are_right()
