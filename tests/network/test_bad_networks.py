"""Each link bad in each way, at each step of buying: a clear answer at once, and the right end after it is well again.

A part of the cells with every run of the tests, all of them with FULL_FAULTS=1.
"""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.accounts.queries import get_customer
from app.accounts.service.tokens import Lifetimes, issue_tokens
from app.gateways.reconcile import reconcile
from app.kernel.actor import system
from app.kernel.database import session, transaction
from jobs.execute import run
from jobs.process import queues_on, redis_from
from jobs.relay import relay_once
from tests.factories.shop import fill_cart
from tests.network.conftest import Wires
from tests.network.proxy import TOXICS
from tests.simulation import bank, checks, draining, people
from tests.simulation.history import History
from tests.simulation.world import World

FULL = bool(os.environ.get("FULL_FAULTS"))
LINKS = ("gateway", "postgres", "redis")
STEPS = ("quote", "place", "callback", "cancel", "jobs")
CELLS = [
    pytest.param(link, toxic, step, id=f"{link}-{toxic}-{step}")
    for number, (link, toxic, step) in enumerate(itertools.product(LINKS, TOXICS, STEPS))
    if FULL or number % 7 == 0 or (link, step) == ("gateway", "place")
]
GATEWAY_CUTS = range(0, 1_280, 64 if FULL else 320)
DATABASE_CUTS = range(0, 12_000, 400 if FULL else 4_000)
# What a charge comes to: a request that arrived is a payment, whatever became of its answer.
ENDS = dict.fromkeys(TOXICS, "paid") | {"down": "payment_failed", "timeout": "payment_failed"}
FINE = {200, 201, 202}


@dataclass
class Buyer:
    """Somebody with points who buys one thing over the API, in this process."""

    history: History
    token: str = field(init=False)
    number: str = ""
    quoted: dict[str, Any] = field(default_factory=dict)
    key: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        world, person = self.history.world, self.history.cast.shoppers[0]
        with world.app.app_context():
            fill_cart(person.id, {self.history.cast.variants[2]: 1})
            with transaction():
                week = 7 * 24 * 3600
                lifetimes = Lifetimes(week, week)
                issued = issue_tokens(person=get_customer(person.id), lifetimes=lifetimes, user_agent=None)
        self.token = issued.access_token

    def act(self, step: str) -> int:
        """The HTTP status of a step, or 0 for one that is none."""
        return int(getattr(self, step)())

    def quote(self) -> int:
        address = str(self.history.cast.shoppers[0].address_id)
        body = {"points": 0, "address_id": address, "shipping_method": "standard"}
        answer = self._post("/checkout/quotes", body)
        if answer.status_code == 201:
            self.quoted = answer.get_json()["data"]
        return answer.status_code

    def place(self) -> int:
        body = {"quote_id": self.quoted["id"], "payment": {"token": "pm_card_visa"}}
        return self._post("/checkout/orders", body, self.key).status_code

    def callback(self) -> int:
        bank.learn(self.history)
        return bank.send(self.history, self.history.events[-1]["raw"].encode())

    def cancel(self) -> int:
        self.number = self.history.world.rows("SELECT number FROM orders")[0]["number"]
        return self._post(f"/orders/{self.number}/cancel", None, uuid.uuid4().hex).status_code

    def jobs(self) -> int:
        """Relay, worker and reconciliation: each may fail, and is simply run again later."""
        world = self.history.world
        for work in (self._relay, self._run_all, self._reconcile):
            try:
                work(world)
            except (SQLAlchemyError, RedisError):
                continue
        return 0

    def _relay(self, world: World) -> None:
        with world.app.app_context():
            relay_once(queues_on(redis_from(world.app.config)))

    def _run_all(self, world: World) -> None:
        for row in world.rows("SELECT id FROM outbox WHERE done_at IS NULL ORDER BY id"):
            run(world.app, row["id"])

    def _reconcile(self, world: World) -> None:
        with world.app.app_context():
            reconcile(gateway=world.gateway, actor=system("test"))

    def _post(self, path: str, body: Any, key: str = "") -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} | ({"Idempotency-Key": key} if key else {})
        return self.history.world.app.test_client().post(f"/api/v1{path}", json=body, headers=headers)


@pytest.fixture
def buyer(world: World, wires: Wires) -> Iterator[Buyer]:
    history = History(world, 1)
    with world.history(history.rng):
        with world.app.app_context():
            history.cast = people.gather(history.rng)
        yield Buyer(history)


def until_well(world: World) -> None:
    """A pool may still hold connections that are dead: the first who meets one is refused, the next is served."""
    for _ in range(5):
        try:
            with world.app.app_context():
                session().execute(text("SELECT 1"))
            return
        except SQLAlchemyError:
            continue
    raise AssertionError("the database is back, and the shop does not notice")


def the_end(buyer: Buyer) -> str:
    """The order's status when everything has been worked off; "" without an order. The books are right by then."""
    history = buyer.history
    until_well(history.world)
    draining.drain(history)
    assert history.found + checks.everything(history) == []
    orders = history.world.rows("SELECT status FROM orders")
    assert len(orders) <= 1
    return orders[0]["status"] if orders else ""


def reach(buyer: Buyer, step: str) -> None:
    """Everything before `step`, on good wires."""
    for earlier in STEPS[: min(STEPS.index(step), 2)]:
        assert buyer.act(earlier) in FINE


@pytest.mark.parametrize(("link", "toxic", "step"), CELLS)
def test_a_bad_link(buyer: Buyer, wires: Wires, link: str, toxic: str, step: str) -> None:
    reach(buyer, step)
    wires.proxies[link].set(toxic, 200)
    try:
        status = buyer.act(step)
    finally:
        wires.proxies[link].set("")
    if link == "postgres":
        assert status in {*FINE, 0, 503}, status
    else:
        assert status in {*FINE, 0}, status
    end = the_end(buyer)
    if step == "place" and link == "gateway":
        assert end == ENDS[toxic]
    elif step == "place" and link == "redis":
        assert end == "paid"
    elif step == "cancel" and status in FINE:
        assert end == "cancelled"
    elif step == "cancel":  # the answer of a commit may be what got lost
        assert end in ({"paid", "cancelled"} if link == "postgres" else {"paid"})
    elif step in ("callback", "jobs"):
        assert end == "paid"


@pytest.mark.parametrize("size", GATEWAY_CUTS)
def test_an_answer_of_the_gateway_that_is_cut(buyer: Buyer, wires: Wires, size: int) -> None:
    """Wherever it is cut, it is no decline: the card was charged, and the order becomes paid."""
    reach(buyer, "place")
    wires.proxies["gateway"].set("limit_data", size)
    try:
        status = buyer.act("place")
    finally:
        wires.proxies["gateway"].set("")
    assert status in (201, 202)
    assert the_end(buyer) == "paid"


@pytest.mark.parametrize("size", DATABASE_CUTS)
def test_a_database_that_goes_in_the_middle_of_placing(buyer: Buyer, wires: Wires, size: int) -> None:
    """Before the order was written there is none, after it the gateway's truth decides; the same key says which."""
    reach(buyer, "place")
    wires.proxies["postgres"].set("limit_data", size)
    try:
        status = buyer.act("place")
    finally:
        wires.proxies["postgres"].set("")
    assert status in (201, 202, 503)
    charged = buyer.history.world.gateway_payments()
    assert the_end(buyer) == ("paid" if charged else "") or not charged
    if status == 503 and not charged:
        buyer.history.world.forward(minutes=2)
        assert buyer.act("place") in (201, 202, 402, 409)
        assert the_end(buyer) in ("paid", "payment_failed", "")
