"""The breaker counts, closes and opens as it says; the till refuses cards while it is open, and nothing else."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from flask import Flask
from prometheus_client import REGISTRY

from app.gateways.breaker import Breaker, BreakingGateway, guarded
from app.gateways.sandbox import SandboxGateway
from app.gateways.stripe import StripeGateway
from app.kernel import clock, ids
from app.payments.bookkeeping import Bookkeeper
from app.payments.gateway import Absent, Snapshot, Unknown
from tests.gateways.conftest import TIMEOUTS
from tests.gateways.houses import request_with
from tests.sandbox.peers import Gateway


@dataclass
class Watch:
    seconds: float = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def breaker(watch: Watch) -> Breaker:
    return Breaker("testing", failures=3, seconds=10, now=watch)


def is_open_in_metrics(name: str = "testing") -> float | None:
    return REGISTRY.get_sample_value("shop_gateway_breaker_open", {"gateway": name})


def silence(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.not_heard()


def test_opens_after_silences_in_a_row_only(breaker: Breaker) -> None:
    silence(breaker, 2)
    breaker.heard()
    silence(breaker, 2)
    assert (breaker.closed_for(), is_open_in_metrics()) == (0, 0)
    silence(breaker, 1)
    assert (breaker.closed_for(), is_open_in_metrics()) == (10, 1)


def test_says_how_long(breaker: Breaker, watch: Watch) -> None:
    silence(breaker, 3)
    watch.seconds += 9.5
    assert breaker.closed_for() == 1


def test_lets_one_try_and_waits_again_when_that_fails(breaker: Breaker, watch: Watch) -> None:
    silence(breaker, 3)
    watch.seconds += 10
    assert [breaker.closed_for() for _ in range(3)] == [0, 10, 10]
    watch.seconds += 4
    silence(breaker, 1)
    assert (breaker.closed_for(), is_open_in_metrics()) == (10, 1)
    watch.seconds += 10
    assert breaker.closed_for() == 0, "the next one may try, also when the one before never came back"


def test_one_answer_closes_it(breaker: Breaker) -> None:
    silence(breaker, 5)
    breaker.heard()
    assert (breaker.closed_for(), is_open_in_metrics()) == (0, 0)
    silence(breaker, 2)
    assert breaker.closed_for() == 0, "and the count begins again"


def test_of_many_at_once_one_may_try(breaker: Breaker, watch: Watch) -> None:
    silence(breaker, 3)
    watch.seconds += 10
    together = threading.Barrier(16)

    def ask(_: int) -> int:
        together.wait()
        return breaker.closed_for()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(16)))
    assert sorted(answers) == [0] + [10] * 15


@pytest.fixture
def breaking(gateway: SandboxGateway) -> BreakingGateway:
    return guarded(gateway, failures=2, seconds=60)


def test_every_verb_is_listened_to(app: Flask, breaking: BreakingGateway, peer: Gateway) -> None:
    peer.control("dead", {"dead": "503"})
    assert isinstance(breaking.charge(request_with("pm_card_visa")), Unknown)
    assert breaking.closed_for() == 0
    assert isinstance(breaking.fetch_refund(ids.uuid7(), None), Unknown)
    assert breaking.closed_for() > 0
    peer.control("dead", {"dead": False})
    assert breaking.fetch(ids.uuid7(), None) == Absent(), "questions go on while it is open, and close it"
    assert breaking.closed_for() == 0


def test_an_answer_about_other_money_is_no_silence(breaking: BreakingGateway) -> None:
    for _ in range(3):
        answer = breaking.charge(request_with("pm_sandbox_wrong_amount"))
        assert isinstance(answer, Unknown)
        assert answer.reason.startswith("mismatch")
    assert breaking.closed_for() == 0


def test_a_decline_is_no_silence(breaking: BreakingGateway) -> None:
    for _ in range(3):
        answer = breaking.charge(request_with("pm_card_chargeDeclined"))
        assert isinstance(answer, Snapshot)
    assert breaking.closed_for() == 0


def test_what_a_gateway_can_do_besides_is_still_there(
    breaking: BreakingGateway, gateway: SandboxGateway, peer: Gateway
) -> None:
    assert isinstance(gateway, Bookkeeper)
    plain = StripeGateway(url=peer.url, key="k", webhook_secrets=[], timeouts=TIMEOUTS, currency="HKD")
    assert isinstance(guarded(plain, failures=1, seconds=1), Bookkeeper) == isinstance(plain, Bookkeeper)
    assert isinstance(breaking, Bookkeeper)
    peer.control("dead", {"dead": "503"})
    assert isinstance(breaking.fetch_dispute("dp_1"), Unknown)
    assert isinstance(breaking.list_disputes(clock.now()), Unknown)
    peer.control("dead", {"dead": False})
    assert breaking.closed_for() > 0, "its silences count"
    assert breaking.fetch_dispute("dp_1") == Absent()
    assert breaking.closed_for() == 0
