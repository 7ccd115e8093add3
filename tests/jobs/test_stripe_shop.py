"""The whole shop on Stripe (recorded shapes): callbacks of disputes, and the daily match with Stripe's books."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.checkout.refund import refund
from app.gateways.asking import ask_refund
from app.gateways.matching import Match, match
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.payments import queries
from app.payments.models import CardRefund, Dispute, Payment, ReconciliationIssue
from embedded import services
from jobs.execute import run
from tests.checkout.conftest import Shopper
from tests.conftest import ENVIRONMENT
from tests.factories.people import actor_of, make_customer
from tests.gateways.houses import hmac_of
from tests.gateways.recorded import RecordedStripe

ACTOR = system("test")
SECRET = "whsec_shop"
pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture(scope="module")
def stripe() -> Iterator[RecordedStripe]:
    recorded = RecordedStripe()
    yield recorded
    recorded.end()


@pytest.fixture(scope="module")
def surroundings(database: services.Endpoints, stripe: RecordedStripe) -> dict[str, str]:
    return {
        **ENVIRONMENT,
        **database.environment(),
        "PAYMENT_GATEWAY": "stripe",
        "STRIPE_API_BASE": stripe.url,
        "STRIPE_SECRET_KEY": "sk_test_shop",
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "BASE_URL": "http://shop.test",
    }


@pytest.fixture(autouse=True)
def another_day(app_context: None, stripe: RecordedStripe) -> None:
    """What earlier tests did was booked a month ago."""
    for entry in stripe.books.booked:
        entry["created"] -= 30 * 86_400
    with transaction():
        for model in (Payment, CardRefund):
            session().execute(update(model).values(created_at=model.created_at - timedelta(days=30)))


class Paid:
    """A paid order, and its payment as Stripe has it."""

    def __init__(self, app: Flask, stripe: RecordedStripe) -> None:
        self.gateway = app.extensions["gateway"]
        self.shopper = Shopper(self.gateway, points=5_000)
        self.number = self.shopper.place(self.shopper.quote(500))["number"]
        self.payment = queries.list_payments_of(self.number)[0].id
        session().rollback()
        self.intent = stripe.intents[0]
        assert self.intent["metadata"]["payment_id"] == str(self.payment)

    def events(self) -> list[str]:
        session().rollback()
        return [event.event for event in get_order_view(self.number).timeline if "disput" in event.event]

    def refund(self) -> Any:
        """All of it, by staff; the card refund's id."""
        support = actor_of(make_customer(role="support"), role="support")
        with transaction():
            refund(
                number=self.number,
                lines=None,
                strategy="proportional",
                reason="It was broken.",
                idem_key="r",
                actor=support,
            )
        (made,) = queries.list_refunds_of(self.payment)
        found = made.id
        session().rollback()
        ask_refund(refund_id=found, gateway=self.gateway, actor=ACTOR)
        return found


def matched(app: Flask) -> Match:
    session().rollback()
    done = match(gateway=app.extensions["gateway"], day=clock.now().date(), actor=ACTOR)
    assert done is not None
    session().rollback()
    return done


def issues() -> list[tuple[str, str]]:
    rows = session().scalars(select(ReconciliationIssue).filter_by(state="open"))
    found = sorted((row.kind, row.ref) for row in rows)
    session().rollback()
    return found


def called_back(app: Flask, client: FlaskClient, stripe: RecordedStripe, number: int) -> None:
    """Stripe's event number so many, newest first, as Stripe signs it, and the job that follows."""
    event = stripe.events[number]
    body, now = json.dumps(event).encode(), int(clock.now().timestamp())
    headers = {"Stripe-Signature": f"t={now},v1={hmac_of(SECRET, now, body)}"}
    answer = client.post("/api/v1/webhooks/payments/stripe", data=body, headers=headers)
    assert answer.status_code == 200, answer.get_json()
    session().rollback()
    key = f"webhook:stripe:{event['id']}"
    row_id = session().scalars(select(OutboxRow.id).filter_by(dedupe_key=key)).one()
    session().rollback()
    run(app, row_id)


def test_clean_books_are_clean(app: Flask, stripe: RecordedStripe) -> None:
    Paid(app, stripe)
    Paid(app, stripe).refund()
    done = matched(app)
    assert (done.rows, done.asked, done.differ, done.complete) == (3, 0, 0, True)
    assert issues() == []


def test_a_dispute_comes_by_its_callbacks(app: Flask, client: FlaskClient, stripe: RecordedStripe) -> None:
    paid = Paid(app, stripe)
    dispute = stripe.books.dispute(paid.intent)
    for _ in range(2):
        called_back(app, client, stripe, 0)
    assert paid.events() == ["disputed"]
    row = session().get_one(Dispute, ("stripe", dispute["id"]))
    assert (row.payment_id, row.state, row.amount, row.reason) == (
        paid.payment, "open", paid.intent["amount"], "fraudulent",
    )  # fmt: skip
    assert ("dispute", dispute["id"]) in issues()
    stripe.books.decide(dispute, "won")
    called_back(app, client, stripe, 0)
    assert paid.events() == ["disputed", "dispute_won"]
    assert issues() == []


def test_disputes_without_a_callback_are_found_by_the_match(app: Flask, stripe: RecordedStripe) -> None:
    still_open, lost = Paid(app, stripe), Paid(app, stripe)
    first, second = stripe.books.dispute(still_open.intent), stripe.books.dispute(lost.intent)
    stripe.books.decide(second, "lost")
    done = matched(app)
    assert (done.differ, done.complete) == (0, True)
    assert (still_open.events(), lost.events()) == (["disputed"], ["disputed", "dispute_lost"])
    assert {("dispute", first["id"]), ("dispute", second["id"])} == set(issues())
    assert (done.asked, matched(app).asked) == (0, 0)


def test_what_differs_is_an_issue(app: Flask, stripe: RecordedStripe) -> None:
    by_hand, other = Paid(app, stripe), Paid(app, stripe)
    stripe._create_refund({"payment_intent": by_hand.intent["id"], "amount": "100"})
    stripe.books.booked[0]["source"] |= {"metadata": None}
    mine = next(e for e in stripe.books.booked if e["source"].get("payment_intent") == other.intent["id"])
    mine.update(amount=mine["amount"] - 5, net=mine["net"] - 5)
    stranger = stripe._new_intent(700, "hkd", {})
    stripe._succeed(stranger)
    before = set(issues())
    assert matched(app).differ == 3
    assert set(issues()) - before == {
        ("refund_differs", str(by_hand.payment)),
        ("payment_mismatch", str(other.payment)),
        ("orphan_payment", stranger["id"]),
    }
