"""What went wrong with cards, at the desks: payments that failed, and payments that are disputed."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.blueprints.backoffice.failures import REASONS
from app.kernel import clock
from app.kernel.database import session
from app.payments.failures import FAILED, reason_of
from app.payments.models import Payment
from app.rewards.models import PointsEarning
from tests.checkout.conftest import Shopper
from tests.sandbox.peers import Gateway
from tests.web.desk import Desk, paid_order, text_of
from tests.web.desk_things import bank_says

TOKENS = {
    "CARD_DECLINED": "pm_card_chargeDeclined",
    "CARD_INSUFFICIENT_FUNDS": "pm_card_chargeDeclinedInsufficientFunds",
    "CARD_EXPIRED": "pm_card_chargeDeclinedExpiredCard",
    "PAYMENT_UNCLEAR": "pm_sandbox_processing",
}
LIST, DISPUTES = "/admin/failed-payments/", "/admin/disputes/"


@pytest.fixture(scope="module")
def desk(app: Flask) -> Desk:
    return Desk(app, "support")


def failed(app: Flask, token: str) -> tuple[Shopper, str, uuid.UUID]:
    """Somebody whose card did not pay: (shopper, order, payment)."""
    with app.app_context():
        shopper = Shopper(app.extensions["gateway"])
        number = shopper.place(shopper.quote(), token)["number"]
        payment_id = session().scalars(select(Payment.id).where(Payment.reference == number)).one()
        return shopper, number, payment_id


def row_of(desk: Desk, path: str, number: str) -> str:
    """The row about an order, with its markup; empty when it is not in the list."""
    rows = re.findall(r"<tr>.*?</tr>", desk.get(path).text, re.DOTALL)
    return next((row for row in rows if number in row), "")


def waiting(desk: Desk) -> int:
    """What the first page says about disputes."""
    tile = r'href="/admin/disputes/\?status=open"><strong>(\d+)</strong> Disputes to answer'
    found = re.search(tile, desk.get("/admin/").text)
    assert found is not None
    return int(found[1])


class TestFailures:
    def test_nothing_failed_yet(self, desk: Desk) -> None:
        assert "No payment has failed." in text_of(desk.get(f"{LIST}?to=2020-01-01"))

    @pytest.mark.parametrize("reason", ["CARD_DECLINED", "CARD_INSUFFICIENT_FUNDS", "CARD_EXPIRED"])
    def test_whose_and_why(self, app: Flask, peer: Gateway, desk: Desk, reason: str) -> None:
        shopper, number, payment_id = failed(app, TOKENS[reason])
        row = row_of(desk, LIST, number)
        for link in (f"orders/{number}", f"customers/{shopper.id}", f"payments/{payment_id}"):
            assert f'href="/admin/{link}"' in row, link
        assert REASONS[reason] in row
        assert reason.removeprefix("CARD_").lower() in row, "the gateway's own code"
        assert "<time datetime=" in row
        for other in REASONS:
            assert bool(row_of(desk, f"{LIST}?reason={other}", number)) == (other == reason), other

    def test_what_nobody_knows_is_listed_until_somebody_knows(
        self, app: Flask, peer: Gateway, desk: Desk
    ) -> None:
        _, number, payment_id = failed(app, TOKENS["PAYMENT_UNCLEAR"])
        with app.app_context():
            state = session().get_one(Payment, payment_id).state
        is_listed = bool(row_of(desk, LIST, number))
        assert is_listed == (state in FAILED)
        _, paid = paid_order(app)
        assert row_of(desk, LIST, paid) == ""

    def test_found_and_narrowed(self, app: Flask, peer: Gateway, desk: Desk) -> None:
        _, number, _ = failed(app, TOKENS["CARD_EXPIRED"])
        _, other, _ = failed(app, TOKENS["CARD_EXPIRED"])
        found = desk.get(f"{LIST}?search={number.lower()}").text
        assert (number in found, other in found) == (True, False)
        tomorrow = (clock.now() + timedelta(days=1)).date()
        assert row_of(desk, f"{LIST}?from={tomorrow}", number) == ""
        assert desk.get(f"{LIST}?reason=BECAUSE").status_code == 422

    def test_every_reason_has_words(self) -> None:
        codes = ("insufficient_funds", "expired_card", "anything", None)
        assert {reason_of(state, code) for state in FAILED for code in codes} == set(REASONS)


class TestDisputes:
    def test_nothing_is_disputed_yet(self, desk: Desk) -> None:
        assert "No card holder disputes a payment." in text_of(desk.get(f"{DISPUTES}?to=2020-01-01"))

    def test_from_the_first_page_to_the_dispute(self, app: Flask, peer: Gateway, desk: Desk) -> None:
        before = waiting(desk)
        _, number = paid_order(app)
        with app.app_context():
            ref = bank_says(number, "open", due_in=timedelta(days=5))
            earned = session().scalars(select(PointsEarning.points).filter_by(order_number=number)).one()
        assert earned > 0
        assert waiting(desk) == before + 1
        row = row_of(desk, f"{DISPUTES}?status=open", number)
        due = clock.now() + timedelta(days=5)
        for part in (
            f">{earned}<",
            "Product not received",
            "HK$",
            "Open",
            f"{due.day} {due:%b %Y}",
            f"/admin/orders/{number}",
        ):
            assert part in row, part
        text = text_of(desk.get(f"{DISPUTES}sandbox/{ref}"))
        for part in (
            "Nothing of this payment can be refunded",
            "Answer it at the gateway by",
            "Product not received",
            f"Miles held back {earned}",
            "Miles taken back 0",
        ):
            assert part in text, (part, text)
        for link in (f"orders/{number}", "payments/", "customers/", f"reconciliation/dispute/{ref}"):
            assert f'href="/admin/{link}' in desk.get(f"{DISPUTES}sandbox/{ref}").text, link
        with app.app_context():
            payment_id = session().scalars(select(Payment.id).where(Payment.reference == number)).one()
        for page in (f"payments/{payment_id}", f"orders/{number}"):
            assert f'href="{DISPUTES}sandbox/{ref}"' in desk.get(f"/admin/{page}").text, page

    def test_a_deadline_that_is_over(self, app: Flask, peer: Gateway, desk: Desk) -> None:
        _, number = paid_order(app)
        with app.app_context():
            ref = bank_says(number, "open", due_in=timedelta(days=-1))
        assert "The time to answer is over" in text_of(desk.get(f"{DISPUTES}sandbox/{ref}"))

    @pytest.mark.parametrize(
        ("outcome", "says"), [("won", "The payment stands."), ("lost", "gave the money back")]
    )
    def test_decided(self, app: Flask, peer: Gateway, desk: Desk, outcome: str, says: str) -> None:
        _, number = paid_order(app)
        with app.app_context():
            bank_says(number, "open")
            ref = bank_says(number, outcome)
        assert row_of(desk, f"{DISPUTES}?status=open", number) == ""
        assert row_of(desk, f"{DISPUTES}?status={outcome}&search={number}", number)
        text = text_of(desk.get(f"{DISPUTES}sandbox/{ref}"))
        assert says in text
        assert ("Miles held back 0" in text, "Miles taken back 0" in text) == (True, outcome == "won")

    def test_one_that_is_not_there(self, desk: Desk) -> None:
        assert desk.get(f"{DISPUTES}sandbox/dp_none").status_code == 404
