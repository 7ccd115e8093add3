"""What becomes of an order after the pay button: once only, declined, unknown, at the bank's page."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from app.checkout import flow
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import end_reading
from app.payments import queries as payments
from app.payments.gateway import Snapshot
from tests.factories.shop import fill_cart
from tests.sandbox.peers import Gateway, wait_for
from tests.web.conftest import Buyer
from tests.web.visitor import Page, Visitor

Make = Callable[..., Buyer]
PAID = "Thank you, your order is paid"
PENDING = "We have your order, not yet your payment"
FAILED = "Your payment did not go through"


def settle(shopper: Buyer, number: str) -> None:
    """What the jobs do: ask the gateway, write down what it says."""
    with shopper.app.app_context():
        payment = payments.list_payments_of(number)[-1]
        payment_id, gateway_ref = payment.id, payment.gateway_ref
        end_reading()
        truth = shopper.app.extensions["gateway"].fetch(payment_id, gateway_ref)
        assert isinstance(truth, Snapshot), truth
        flow.settle(payment_id=payment_id, truth=truth, actor=system("test"))


def at_the_bank(page: Page, decision: str) -> str:
    """Decide on the gateway's page; the path it sends the shopper back to."""
    assert page.leaves_for is not None
    answer = requests.post(page.leaves_for, {"decision": decision}, allow_redirects=False, timeout=30)
    assert answer.status_code == 303, answer.text
    back = urlsplit(answer.headers["Location"])
    return f"{back.path}?{back.query}"


def test_the_same_form_sent_twice_is_one_order(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    form = shopper.to_pay()
    first = shopper.press("Pay HK$130.00", page=form)
    before = shopper.everything()
    again = shopper.press("Pay HK$130.00", page=form)
    assert (again.heading, again.path) == (PAID, first.path)
    assert shopper.everything() == before
    assert len(shopper.orders()) == 1


def test_back_and_another_card_finds_the_first_order(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    form = shopper.to_pay()
    declined = shopper.press("Pay HK$130.00", page=form, card="pm_card_chargeDeclined")
    assert declined.heading == FAILED
    before = shopper.everything()
    again = shopper.press("Pay HK$130.00", page=form, card="pm_card_visa")
    assert (again.heading, again.path) == (FAILED, declined.path)
    assert shopper.everything() == before


def test_a_second_tab_cannot_order_the_same_cart_again(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    one, two = shopper.to_pay(), shopper.go("/checkout/pay")
    assert shopper.press("Pay HK$130.00", page=one).heading == PAID
    before = shopper.everything()
    page = shopper.press("Pay HK$130.00", page=two)
    assert page.path == "/cart"
    assert "Your cart is empty, so nothing was ordered or charged." in page.text
    assert '<a href="/account/orders">see your orders</a>' in page.html
    assert shopper.everything() == before
    assert shopper.go("/checkout/pay").path == "/cart"


def test_the_next_order_starts_without_miles_again(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    shopper.press("Update total", miles="1,000")
    shopper.press("Pay 1,000 miles")
    refill(shopper)
    assert "Pay HK$130.00" in shopper.to_pay().text


def refill(shopper: Buyer) -> None:
    with shopper.app.app_context():
        fill_cart(shopper.id, {shopper.variant_id: 1})


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ("pm_card_chargeDeclined", "Your bank declined the card."),
        (
            "pm_card_chargeDeclinedInsufficientFunds",
            "Your bank says that there is not enough money on the card.",
        ),
        ("pm_card_chargeDeclinedExpiredCard", "The card has expired."),
    ],
)
def test_a_declined_card_gives_everything_back_and_another_card_pays(
    buyer: Make, card: str, reason: str
) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    shopper.press("Update total", miles="1,000")
    page = shopper.press("Pay 1,000 miles", card=card)
    assert page.heading == FAILED
    assert f"{reason} Nothing was charged, and your 1,000 miles are back in your account." in page.text
    assert shopper.balance().available == 5_000
    page = shopper.press("Pay 1,000 miles + HK$30.00", page=page, card="pm_card_chargeDeclined")
    assert page.heading == FAILED
    assert shopper.balance().available == 5_000
    form = page
    page = shopper.press("Pay 1,000 miles + HK$30.00", page=form, card="pm_card_visa")
    assert page.heading == PAID
    assert shopper.balance().available == 4_000
    before = shopper.everything()
    page = shopper.press("Pay 1,000 miles + HK$30.00", page=form, card="pm_card_visa")
    assert page.heading == PAID
    page = shopper.press(
        "Pay 1,000 miles", page=form, card="pm_card_visa", idempotency_key="another-key-000000"
    )
    assert page.heading == PAID
    assert "This order is paid; it cannot be paid now." in page.text
    assert shopper.everything() == before


def test_an_old_order_goes_back_into_the_cart_at_todays_prices(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    form = shopper.press("Pay HK$130.00", card="pm_card_chargeDeclined")
    with clock.travel(days=8):
        before = shopper.everything()
        page = shopper.press("Pay HK$130.00", page=form, card="pm_card_visa")
        assert page.heading == FAILED
        assert "This order is more than 7 days old. Please order its items anew." in page.text
        assert "Try another card" not in page.text
        assert shopper.everything() == before
        for _ in range(2):
            assert shopper.press("Put the items into the cart again", page=page).path == "/cart"
    assert shopper.everything() == before | {"cart": 1}


def test_a_retry_without_a_card_is_refused_on_the_same_page(buyer: Make) -> None:
    shopper = buyer()
    shopper.to_pay()
    page = shopper.press("Pay HK$130.00", card="pm_card_chargeDeclined")
    before = shopper.everything()
    page = shopper.press("Pay HK$130.00", card="nonsense")
    assert (page.status, page.heading) == (422, FAILED)
    assert "Choose a card." in page.text
    assert shopper.everything() == before


@pytest.mark.parametrize(("truth", "ending"), [("paid", PAID), ("declined", FAILED)])
def test_no_answer_is_pending_until_the_truth_is_known(buyer: Make, truth: str, ending: str) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    shopper.press("Update total", miles="500")
    page = shopper.press("Pay 500 miles", card=f"pm_sandbox_timeout_{truth}")
    number = shopper.number
    assert page.heading == PENDING
    assert "Please do not pay again." in page.text
    assert "500 miles are held for this order; the answer usually comes by" in page.text
    with clock.travel(minutes=16):
        late = shopper.go(f"/checkout/result/{number}")
        assert (
            "500 miles are held for this order. If the payment fails, you get them back at once." in late.text
        )
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page.html
    assert f'data-status-url="/checkout/status/{number}"' in page.html
    status = f"/checkout/status/{number}"
    told = shopper.client.get(status, headers={"Accept": "application/json"})
    assert told.json == {"number": number, "status": "payment_pending", "payment_status": "pending"}
    assert PENDING in shopper.client.get(status).text
    settle(shopper, number)
    fragment = shopper.client.get(status).text
    assert ending in fragment
    assert "<html" not in fragment
    assert "data-status-url" not in fragment
    assert shopper.go(page.path).heading == ending
    assert shopper.balance().held == 0


def test_three_d_secure_leads_to_the_bank_and_back(buyer: Make) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    shopper.press("Update total", miles="500")
    page = shopper.press("Pay 500 miles", card="pm_card_authenticationRequired")
    number = shopper.orders()[0].number
    waiting = shopper.go(f"/checkout/result/{number}?status=paid&payment=pay_lie")
    assert waiting.heading == PENDING  # what an address says is not believed
    assert "Continue to the check" in waiting.text
    assert str(page.leaves_for) in waiting.html
    assert 'http-equiv="refresh"' not in waiting.html
    assert shopper.balance().held == 500
    back = at_the_bank(page, "pay")
    paid = shopper.go(back)
    assert (paid.heading, paid.path) == (PAID, f"/checkout/result/{number}")
    assert shopper.balance().available == 4_500


@pytest.mark.parametrize(("decision", "words"), [("decline", "declined"), ("cancel", "was cancelled")])
def test_a_check_that_fails_at_the_bank_is_a_failed_payment(buyer: Make, decision: str, words: str) -> None:
    shopper = buyer(points=5_000)
    shopper.to_pay()
    shopper.press("Update total", miles="500")
    page = shopper.press("Pay 500 miles", card="pm_card_authenticationRequired")
    failed = shopper.go(at_the_bank(page, decision))
    assert failed.heading == FAILED
    assert words in failed.text
    assert shopper.balance().available == 5_000


def test_a_form_sent_again_while_the_bank_waits_leads_to_the_bank_again(buyer: Make) -> None:
    shopper = buyer()
    form = shopper.to_pay()
    first = shopper.press("Pay HK$130.00", page=form, card="pm_card_authenticationRequired")
    again = shopper.press("Pay HK$130.00", page=form, card="pm_card_authenticationRequired")
    assert again.leaves_for == first.leaves_for
    at_the_bank(first, "pay")
    settle(shopper, shopper.orders()[0].number)
    assert shopper.press("Pay HK$130.00", page=form, card="pm_card_authenticationRequired").heading == PAID
    assert len(shopper.orders()) == 1


def test_the_gateways_own_page_takes_the_card(buyer: Make) -> None:
    shopper = buyer()
    shopper.to_pay()
    page = shopper.press("Pay HK$130.00", card="hosted")
    assert page.leaves_for is not None
    form = {"decision": "pay", "number": "4242 4242 4242 4242"}
    answer = requests.post(page.leaves_for, form, allow_redirects=False, timeout=30)
    back = urlsplit(answer.headers["Location"])
    assert shopper.go(f"{back.path}?{back.query}").heading == PAID


def test_a_double_click_while_the_bank_is_slow_shows_the_one_order(buyer: Make, peer: Gateway) -> None:
    peer.control("tuning", {"timeout_seconds": 2})
    shopper = buyer(points=5_000)
    form = shopper.to_pay()
    second = Visitor(shopper.app.test_client())
    cookie = shopper.client.get_cookie("shop_session")
    assert cookie is not None
    second.client.set_cookie("shop_session", cookie.value)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(shopper.press, "Pay HK$130.00", page=form, card="pm_sandbox_timeout_paid")
        wait_for(lambda: shopper.orders())
        page = second.press("Pay HK$130.00", page=form, card="pm_sandbox_timeout_paid")
        assert not slow.done()
        assert page.heading == PENDING
        assert slow.result().path == page.path
    assert len(shopper.orders()) == 1


def test_somebody_elses_order_is_not_there(buyer: Make) -> None:
    owner, stranger = buyer(points=1_000), buyer(points=1_000)
    form = owner.to_pay()
    owner.press("Pay HK$130.00", card="pm_card_chargeDeclined")
    number = owner.number
    key = form.form("Pay")[0].values["idempotency_key"]
    token = stranger.to_pay().form("Pay")[0].values["csrf_token"]
    before = (owner.everything(), stranger.everything())
    for path in (
        f"/checkout/result/{number}",
        f"/checkout/status/{number}",
        f"/checkout/returned/{key}",
        f"/account/orders/{number}",
        "/checkout/result/MPC-NONE0-NONE0",
        "/checkout/returned/nothing",
    ):
        assert stranger.go(path).status == 404, path
    for path in (f"/checkout/retry/{number}", f"/account/orders/{number}/cancel"):
        form_data = {"csrf_token": token, "card": "pm_card_visa", "idempotency_key": uuid.uuid4().hex}
        assert stranger.client.post(path, data=form_data).status_code == 404
    assert (owner.everything(), stranger.everything()) == before
