"""Money that came without an order, and orders that end in more than one step: seen until all of it has gone back."""

from __future__ import annotations

import re
import uuid

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select
from structlog.testing import capture_logs

from app.checkout import by_hand
from app.gateways.asking import ask_payment, ask_refund
from app.gateways.sandbox import SandboxGateway
from app.kernel.actor import system
from app.kernel.database import run_atomically, session
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.payments import queries
from app.payments.models import Payment
from tests.checkout.conftest import Shopper, truth_about
from tests.checkout.refunding import STAFF
from tests.checkout.test_cancelling import cancel_order
from tests.checkout.test_disputed_refunds import told
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")
JOBS = system("payments.reconcile")
KIND = "payment_without_order"
# of the card, alone: ids have any four digits by chance
LAST_FOUR = re.compile(r"(?<![0-9A-Za-z.-])4242(?![0-9A-Za-z.-])")


class PaidTwice:
    """Its first card was declined, the second paid, the order is cancelled; then the first is charged after all."""

    def __init__(self, gateway: SandboxGateway, peer: Gateway) -> None:
        self.gateway = gateway
        self.shopper = Shopper(gateway, points=0, price=10_000)
        self.number = self.shopper.place(self.shopper.quote(), "pm_card_chargeDeclined")["number"]
        self.late, truth = truth_about(gateway, self.number)
        self.shopper.pay_again(self.number, "pm_card_visa")
        session().rollback()
        self.wanted = queries.list_payments_of(self.number)[-1].id
        session().rollback()
        cancel_order(self.shopper, self.number)
        session().rollback()
        peer.control(f"payments/{truth.gateway_ref}/late-authorize")
        with capture_logs() as self.logs:
            ask_payment(payment_id=self.late, gateway=gateway, actor=JOBS)
        session().rollback()

    def send(self, payment_id: uuid.UUID) -> str:
        """What the job of the payment's refund does; the order's status after it."""
        (refund_id,) = [one.id for one in queries.list_refunds_of(payment_id)]
        session().rollback()
        ask_refund(refund_id=refund_id, gateway=self.gateway, actor=JOBS)
        session().rollback()
        return get_order_view(self.number).status

    def issue_state(self) -> str:
        session().rollback()
        return queries.get_issue(KIND, str(self.late)).state


def counted() -> float:
    labels = {"gateway": "sandbox", "reason": "PAYMENT_WITHOUT_ORDER"}
    return REGISTRY.get_sample_value("shop_payment_failures_total", labels) or 0.0


def test_it_is_logged_counted_and_listed_until_it_has_gone_back(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    before = counted()
    paid = PaidTwice(gateway, peer)
    assert counted() == before + 1
    (entry,) = [one for one in paid.logs if one["event"] == "payment without order"]
    told_of = (entry["log_level"], entry["order"], entry["customer"], entry["reason"], entry["detail"])
    assert told_of == (
        "error",
        paid.number,
        str(paid.shopper.id),
        "PAYMENT_WITHOUT_ORDER",
        "late_capture",
    )
    assert not LAST_FOUR.search(str(paid.logs))
    issue = queries.get_issue(KIND, str(paid.late))
    assert (issue.state, issue.detail["order_number"], issue.detail["amount"]) == (
        "open",
        paid.number,
        13_000,
    )
    mails = select(OutboxRow.dedupe_key).where(
        OutboxRow.topic == "mail.staff_alert", OutboxRow.payload["order_number"].astext == paid.number
    )
    assert list(session().scalars(mails)) == [f"mail:staff_alert:{KIND}:{paid.late}"]
    paid.send(paid.wanted)
    assert paid.issue_state() == "open"
    paid.send(paid.late)
    assert paid.issue_state() == "auto_fixed"


@pytest.mark.parametrize("first", ["what the cancel gave back", "the late money"])
def test_an_order_in_review_ends_when_the_last_of_its_money_is_back(
    gateway: SandboxGateway, peer: Gateway, first: str
) -> None:
    paid = PaidTwice(gateway, peer)
    assert get_order_view(paid.number).status == "needs_review"
    order = [paid.wanted, paid.late] if first == "what the cancel gave back" else [paid.late, paid.wanted]
    assert [paid.send(one) for one in order] == ["needs_review", "refunded"]
    events = [one.event for one in get_order_view(paid.number).timeline]
    assert (events.count("card_refunded"), events.count("refunded")) == (1, 1)


def test_an_order_in_review_does_not_end_while_a_refund_is_stuck(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    paid = PaidTwice(gateway, peer)
    paid.send(paid.wanted)
    (refund,) = queries.list_refunds_of(paid.wanted)
    refund_id, ref = refund.id, refund.gateway_ref
    session().rollback()
    peer.control(f"refunds/{ref}/failed")
    ask_refund(refund_id=refund_id, gateway=gateway, actor=JOBS)
    assert paid.send(paid.late) == "needs_review"


@pytest.mark.parametrize("who", ["staff", "shopper"])
def test_the_cancel_that_was_waited_for_ends_the_waiting(
    gateway: SandboxGateway, peer: Gateway, who: str
) -> None:
    """The shopper wished to cancel while the bank was silent; it had charged, and was called."""
    shopper = Shopper(gateway, points=0, price=10_000)
    number = shopper.place(shopper.quote(), "pm_card_authenticationRequired")["number"]
    payment_id, truth = truth_about(gateway, number)
    session().rollback()
    peer.control(f"payments/{truth.gateway_ref}/paid")

    def wish() -> None:
        session().get_one(Payment, payment_id).cancel_requested_at = get_order_view(number).placed_at

    run_atomically(wish)
    told(number, "open")
    ask_payment(payment_id=payment_id, gateway=gateway, actor=JOBS)
    session().rollback()
    assert queries.get_issue("cancel_waits", number).state == "open"
    told(number, "won")
    assert queries.get_issue("cancel_waits", number).state == "open"
    session().rollback()
    if who == "staff":
        by_hand.cancel(number=number, reason="as they wished", gateway=gateway, actor=STAFF)
    else:
        cancel_order(shopper, number)
    session().rollback()
    assert get_order_view(number).status == "cancelled"
    issue = queries.get_issue("cancel_waits", number)
    assert (issue.state, issue.resolution) == (
        "resolved" if who == "staff" else "auto_fixed",
        "The order is cancelled.",
    )
