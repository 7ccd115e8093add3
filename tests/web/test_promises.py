"""What is said about giving back, before and when it fails, about miles that wait, and where a shopper stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import update

from app.checkout import refund
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.orders.queries import get_order_view
from app.rewards.models import PointsAccount
from tests.checkout.elsewhere import REFUSES, note
from tests.checkout.refunding import give_back, send
from tests.checkout.test_disputed_refunds import told
from tests.factories.people import give_points
from tests.factories.shop import fill_cart
from tests.web.conftest import Buyer
from tests.web.test_order_pages import place

Make = Callable[..., Buyer]


def test_the_pay_page_promises_what_a_refund_then_gives(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    with shopper.app.app_context():
        fill_cart(shopper.id, {shopper.variant_id: 2})
    shopper.to_pay()
    page = shopper.press("Update total", miles="1,000")
    assert "Return one and get 435 miles + HK$56.50 back; 65 miles less to earn" in page.text
    shopper.press("Pay ", card="pm_card_visa")
    with shopper.app.app_context(), transaction():
        plan = refund.preview(number=shopper.number, lines=None, strategy="proportional")
        sku = plan.lines[0].sku
        made = refund.refund(
            number=shopper.number,
            lines=[(sku, 1)],
            strategy="proportional",
            reason="Returned",
            idem_key="k",
            actor=system("test"),
        )
    assert (made.points, made.card.display) == (435, "HK$56.50")


def test_the_miles_page_says_which_tier_and_what_is_missing(buyer: Make) -> None:
    shopper = buyer(points=100)
    assert "Tier Member 20,000 to earn for Silver" in shopper.go("/account/miles").text
    with shopper.app.app_context(), transaction() as session:
        give_points(shopper.id, 1)
        falls = {"tier": "gold", "tier_until": clock.now() + timedelta(days=30)}
        session.execute(update(PointsAccount).where(PointsAccount.customer_id == shopper.id).values(**falls))
    assert "Tier Gold 60,000 to earn until" in shopper.go("/account/miles").text


def test_what_a_bank_decides_about_has_no_date(buyer: Make) -> None:
    shopper = buyer()
    with shopper.app.app_context():
        number = place(shopper, units=2)
        told(number, "open", amount=10_000)
    text = shopper.go(f"/account/orders/{number}").text
    assert "Earns 230 miles, which wait until your bank has decided." in text
    assert "yours to spend from" not in text
    text = shopper.go(f"/checkout/result/{number}").text
    assert "This order earns 230 miles." in text
    assert "yours to spend from" not in text
    with shopper.app.app_context():
        told(number, "lost", amount=10_000)
    assert "Earns 130 miles, yours to spend from" in shopper.go(f"/account/orders/{number}").text


def test_a_refund_that_the_bank_refuses_is_not_said_to_be_on_the_card(buyer: Make) -> None:
    """Until staff have acted; while a bank decides about a dispute, they cannot."""
    shopper = buyer()

    def refunds() -> str:
        return shopper.go(f"/account/orders/{number}").text.split("Refunds")[1].split("What happened")[0]

    with shopper.app.app_context():
        number = place(shopper, REFUSES, units=2)
        give_back(number)
    assert "HK$230.00 back to your card." in refunds()
    with shopper.app.app_context():
        send(number, shopper.app.extensions["gateway"])
    said = refunds()
    assert "HK$230.00 for your card has not arrived there." in said
    assert "looking for another way to get it to you. You need not do anything." in said
    assert "back to your card" not in said
    with shopper.app.app_context():
        told(number, "open", amount=3_000)
    said = refunds()
    assert "HK$230.00 for your card waits until your bank has decided about the dispute." in said
    assert "looking for another way" not in said
    with shopper.app.app_context():
        told(number, "lost", amount=3_000)
    assert "HK$200.00 for your card has not arrived there." in refunds()
    with shopper.app.app_context():
        refund_id = get_order_view(number).refunds[0].id
        session().rollback()
        note(number, refund_id)
    said = refunds()
    assert "back to you another way, reference FT-2026-0042" in said
    assert "not arrived" not in said
