"""A disputed payment: recorded once, told in the order's story, what it earned waits, staff are told."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.checkout.disputes import settle_dispute
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.payments import disputes, queries
from app.payments.bookkeeping import DisputeSnapshot
from app.payments.models import Dispute
from app.rewards.models import PointsEarning
from app.rewards.queries import get_balance
from app.rewards.service import earning
from jobs.handlers.earnings import confirm_due
from jobs.letters import staff_alert
from tests.checkout.conftest import Shopper, truth_about
from tests.jobs.test_webhooks import deliver, run_due
from tests.sandbox.peers import Gateway
from tests.web.statements import statements

ACTOR = system("test")
pytestmark = pytest.mark.usefixtures("app_context")


class Disputed:
    """A paid order whose card holder has called the bank; `truth` is the gateway's word on it."""

    def __init__(self, gateway: SandboxGateway, peer: Gateway) -> None:
        self.gateway, self.peer = gateway, peer
        self.shopper = Shopper(gateway, points=5_000, price=10_000)
        self.number = self.shopper.place(self.shopper.quote(500))["number"]
        self.payment = queries.list_payments_of(self.number)[0].id
        self.payment_ref = str(queries.list_payments_of(self.number)[0].gateway_ref)
        session().rollback()
        self.ref = peer.control(f"payments/{self.payment_ref}/dispute")["id"]

    def decide(self, outcome: str) -> None:
        self.peer.control(f"disputes/{self.ref}/{outcome}")

    def settle(self) -> bool:
        truth = self.gateway.fetch_dispute(self.ref)
        assert isinstance(truth, DisputeSnapshot)
        done = settle_dispute(gateway="sandbox", truth=truth, actor=ACTOR)
        session().rollback()
        return done

    def events(self) -> list[str]:
        session().rollback()
        return [event.event for event in get_order_view(self.number).timeline if "disput" in event.event]

    def earned(self) -> tuple[str, bool]:
        """State of the order's earning, and whether it is held back."""
        session().rollback()
        row = session().scalars(select(PointsEarning).filter_by(order_number=self.number)).one()
        return row.state, row.held_back_at is not None

    def issue_state(self) -> str:
        session().rollback()
        return queries.get_issue("dispute", self.ref).state


@pytest.fixture
def disputed(gateway: SandboxGateway, peer: Gateway) -> Disputed:
    return Disputed(gateway, peer)


def test_open_it_is_recorded_once_and_nothing_earned_is_confirmed(disputed: Disputed) -> None:
    assert [disputed.settle() for _ in range(3)] == [True, False, False]
    assert disputed.events() == ["disputed"]
    assert disputed.earned() == ("pending", True)
    row = session().get_one(Dispute, ("sandbox", disputed.ref))
    assert (row.payment_id, row.state, row.amount, row.currency) == (disputed.payment, "open", 8_000, "HKD")
    key = f"mail:staff_alert:dispute:{disputed.ref}"
    alert = session().scalars(select(OutboxRow).filter_by(dedupe_key=key)).one()
    assert alert.payload["order_number"] == disputed.number
    mail = staff_alert(alert.payload).context
    assert (
        staff_alert({"subject": "x", "text": "80 points were taken back."})
        .context["text"]
        .startswith("80 miles")
    )
    facts = dict(mail["facts"])
    assert (facts["Amount"], "Currency" in facts) == ("HK$80.00", False)
    assert mail["url"].endswith(f"/admin/reconciliation/dispute/{disputed.ref}")
    before = get_balance(disputed.shopper.id)
    session().rollback()
    with clock.travel(days=60):
        confirm_due()
        with transaction():
            held = session().scalars(select(PointsEarning.id).filter_by(order_number=disputed.number)).one()
            assert earning.confirm_one(earning_id=held, actor=ACTOR) == 0
    assert disputed.earned() == ("pending", True)
    assert get_balance(disputed.shopper.id) == before
    assert get_order_view(disputed.number).status == "paid"


def test_the_deadline_is_kept_and_may_move(disputed: Disputed) -> None:
    disputed.settle()
    row = session().get_one(Dispute, ("sandbox", disputed.ref))
    assert row.due_at is not None
    first = row.due_at
    session().rollback()
    truth = disputed.gateway.fetch_dispute(disputed.ref)
    assert isinstance(truth, DisputeSnapshot)
    assert timedelta(days=6) < first - clock.now() < timedelta(days=7)
    session().rollback()
    later = replace(truth, due_at=first + timedelta(days=3))
    assert not settle_dispute(gateway="sandbox", truth=later, actor=ACTOR), "no news for the order"
    session().rollback()
    assert session().get_one(Dispute, ("sandbox", disputed.ref)).due_at == later.due_at
    assert disputed.events() == ["disputed"]


def test_won_the_earning_goes_on_and_the_issue_is_closed(disputed: Disputed) -> None:
    disputed.settle()
    disputed.decide("won")
    assert [disputed.settle() for _ in range(2)] == [True, False]
    assert disputed.events() == ["disputed", "dispute_won"]
    assert (disputed.earned(), disputed.issue_state()) == (("pending", False), "auto_fixed")
    with clock.travel(days=60):
        confirm_due()
    assert disputed.earned() == ("confirmed", False)


@pytest.mark.parametrize("confirmed", [False, True])
def test_lost_what_it_earned_is_taken_back_and_nothing_else(disputed: Disputed, confirmed: bool) -> None:
    if confirmed:
        with clock.travel(days=60):
            confirm_due()
        assert get_balance(disputed.shopper.id).available == 4_580
        session().rollback()
    disputed.settle()
    disputed.decide("lost")
    assert [disputed.settle() for _ in range(2)] == [True, False]
    assert disputed.events() == ["disputed", "dispute_lost"]
    assert disputed.earned()[0] == "cancelled"
    balance = get_balance(disputed.shopper.id)
    assert (balance.available, balance.pending) == (4_500, 0), "spent points stay spent"
    assert disputed.issue_state() == "open"
    subjects = session().scalars(
        select(OutboxRow.payload["subject"].astext).where(
            OutboxRow.topic == "mail.staff_alert", OutboxRow.payload["order_number"].astext == disputed.number
        )
    )
    assert set(subjects) == {"dispute", "dispute_lost"}


def test_first_heard_of_when_it_was_lost(disputed: Disputed) -> None:
    disputed.decide("lost")
    assert disputed.settle()
    assert disputed.events() == ["disputed", "dispute_lost"]
    assert disputed.earned()[0] == "cancelled"


def test_the_account_is_locked_before_what_was_earned(app: Flask, disputed: Disputed) -> None:
    """As whoever confirms it does: two that lock crosswise end each other."""
    disputed.decide("lost")
    with statements(app) as sent:
        assert disputed.settle()
    account = next(n for n, one in enumerate(sent) if "FROM points_account" in one and "FOR UPDATE" in one)
    assert account < next(n for n, one in enumerate(sent) if one.startswith("UPDATE points_earning"))


def test_a_stale_word_does_not_reopen_it(disputed: Disputed) -> None:
    stale = disputed.gateway.fetch_dispute(disputed.ref)
    assert isinstance(stale, DisputeSnapshot)
    disputed.decide("won")
    disputed.settle()
    for status in ("open", "lost"):
        assert not settle_dispute(gateway="sandbox", truth=replace(stale, status=status), actor=ACTOR)
    assert disputed.events() == ["disputed", "dispute_won"]
    assert disputed.earned() == ("pending", False)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_callbacks_in_any_order_end_the_same(
    app: Flask, client: FlaskClient, disputed: Disputed, order: tuple[int, ...]
) -> None:
    """captured, opened, lost; each twice."""
    disputed.decide("lost")
    deliver(client, disputed.peer, disputed.payment_ref, (*order, *order))
    assert run_due(app, str(disputed.payment)) == 3
    assert disputed.events() == ["disputed", "dispute_lost"]
    assert disputed.earned()[0] == "cancelled"
    assert get_balance(disputed.shopper.id).available == 4_500


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)], ids=str)
def test_callbacks_about_late_money_end_the_same(
    app: Flask, client: FlaskClient, gateway: SandboxGateway, peer: Gateway, order: tuple[int, ...]
) -> None:
    """Captured late, disputed, lost: the payment of a failed order is asked about before its dispute is written."""
    shopper = Shopper(gateway, points=5_000, price=10_000)
    number = shopper.place(shopper.quote(500), "pm_card_chargeDeclined")["number"]
    payment_id, truth = truth_about(gateway, number)
    before = len(peer.events(str(truth.gateway_ref)))
    peer.control(f"payments/{truth.gateway_ref}/late-authorize")
    ref = peer.control(f"payments/{truth.gateway_ref}/dispute")["id"]
    peer.control(f"disputes/{ref}/lost")
    for index in order:
        deliver(client, peer, str(truth.gateway_ref), (before + index,))
        run_due(app, str(payment_id))
    assert get_order_view(number).status == "paid"
    session().rollback()
    row = session().scalars(select(PointsEarning).filter_by(order_number=number)).one()
    assert (row.state, row.taken_back) == ("cancelled", row.points)


def test_a_dispute_of_a_payment_that_is_not_ours_waits_for_staff(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    stranger = peer.pay("pm_card_visa", f"stranger-{uuid.uuid4()}").json()
    ref = peer.control(f"payments/{stranger['id']}/dispute")["id"]
    truth = gateway.fetch_dispute(ref)
    assert isinstance(truth, DisputeSnapshot)
    settle_dispute(gateway="sandbox", truth=truth, actor=ACTOR)
    assert queries.get_issue("dispute", ref).detail["payment_ref"] == stranger["id"]
    assert session().get(Dispute, ("sandbox", ref)) is None


def test_the_list_for_staff(disputed: Disputed) -> None:
    disputed.settle()
    assert disputed.ref in [row.gateway_ref for row in disputes.list_disputes()]
    assert disputed.ref not in [row.gateway_ref for row in disputes.list_disputes(state="lost")]
