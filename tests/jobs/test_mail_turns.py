"""Every turn of an order has its mail, every topic its handler, and the preview shows them all."""

from __future__ import annotations

import re
import uuid

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.accounts.queries import get_customer
from app.blueprints import ops
from app.checkout.flow import settle
from app.gateways.sandbox import SandboxGateway
from app.inventory.models import Stock
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.notifications.rendering import MESSAGES
from app.orders.models import Order, OrderRefund
from app.orders.service.moving import move_by_staff
from app.outbox.models import OutboxRow
from app.payments import queries
from app.rewards.rules import Rules
from app.rewards.service import transfers
from jobs.handlers import mail as mailing
from jobs.registry import handlers
from tests.checkout.conftest import Shopper
from tests.conftest import ROOT
from tests.factories.people import actor_of, make_customer
from tests.jobs.test_mail import one, received, send
from tests.sandbox.peers import Gateway, Process

pytestmark = pytest.mark.usefixtures("app_context")


def test_a_shipped_order_is_told(app: Flask, gateway: SandboxGateway, mailbox: Process) -> None:
    shopper = Shopper(gateway)
    number = shopper.place(shopper.quote())["number"]
    send(app, number)
    support = actor_of(make_customer(role="support"), role="support")
    for to, topics in (("packed", []), ("shipped", ["mail.order_shipped"]), ("delivered", [])):
        with transaction():
            move_by_staff(number=number, to=to, actor=support)
        assert send(app, number) == topics
    mail = one(mailbox, f"Order {number} is on its way")
    for part in (mail["text"], mail["html"]):
        assert "Test mug" in part
        assert "Hong Kong" in part


def test_who_waits_at_the_banks_page_gets_a_mail_and_who_has_paid_does_not(
    app: Flask, gateway: SandboxGateway, peer: Gateway, mailbox: Process
) -> None:
    waiting, quick = Shopper(gateway, points=5_000), Shopper(gateway)
    numbers = [
        waiting.place(waiting.quote(500), "pm_card_authenticationRequired")["number"],
        quick.place(quick.quote(), "pm_card_authenticationRequired")["number"],
    ]
    later = select(OutboxRow.run_at).where(OutboxRow.dedupe_key == f"mail:order_received:{numbers[0]}:1")
    assert (session().scalar(later) - clock.now()).total_seconds() > 60
    payment, ref = _payment_of(numbers[1])
    peer.control(f"payments/{ref}/paid")
    settle(payment_id=payment, truth=gateway.fetch(payment, None), actor=system("test"))
    assert send(app, numbers[0]) == ["mail.order_received"]
    assert send(app, numbers[1]) == ["mail.order_received", "mail.order_paid"]
    mail = one(mailbox, numbers[0])
    assert mail["subject"] == f"We have your order {numbers[0]}"
    assert "your miles are free again" in mail["text"]
    assert [mail["subject"] for mail in received(mailbox, numbers[1])] == [
        f"Your receipt for order {numbers[1]}"
    ]


def _payment_of(number: str) -> tuple[uuid.UUID, str]:
    payment = queries.list_payments_of(number)[0]
    found = payment.id, str(payment.gateway_ref)
    session().rollback()
    return found


@pytest.mark.parametrize(("stock", "topic"), [(100, "mail.order_revived"), (0, "mail.order_refunded")])
def test_late_success_is_told_as_what_became_of_it(
    app: Flask, gateway: SandboxGateway, peer: Gateway, mailbox: Process, stock: int, topic: str
) -> None:
    shopper = Shopper(gateway, points=5_000)
    number = shopper.place(shopper.quote(500), "pm_card_chargeDeclined")["number"]
    send(app, number)
    payment, ref = _payment_of(number)
    with transaction():
        session().execute(update(Stock).where(Stock.variant_id == shopper.variant_id).values(on_hand=stock))
    peer.control(f"payments/{ref}/late-authorize")
    truth = gateway.fetch(payment, None)
    for _ in range(2):
        settle(payment_id=payment, truth=truth, actor=system("test"))
    with transaction():
        refund_ids = [str(row) for row in session().scalars(
            select(OrderRefund.id).join(Order, Order.id == OrderRefund.order_id).where(Order.number == number)
        )]  # fmt: skip
    topics = send(app, number) + [one for ref in refund_ids for one in send(app, ref)]
    assert topic in topics
    if topic == "mail.order_revived":
        assert "mail.order_paid" in topics
        assert "goes ahead after all" in one(mailbox, f"Order {number} goes ahead")["subject"]
    else:
        mail = one(mailbox, f"Refund for order {number}")
        assert "only after the order had ended" in mail["text"]
        assert "HK$80.00" in mail["text"]


def test_a_transfer_is_confirmed_by_one_and_told_the_other(app: Flask, mailbox: Process) -> None:
    sender, recipient = make_customer(points=5_000), make_customer()
    emails = [get_customer(one).email for one in (sender, recipient)]
    session().rollback()
    actor = actor_of(sender)
    with transaction():
        transfer = transfers.request(
            sender_id=sender, recipient_email=emails[1], points=1_000, rules=Rules(), actor=actor
        )
    assert send(app, f"transfer_confirm:{transfer.id}") == ["mail.transfer_confirm"]
    with transaction():
        transfers.confirm(transfer_id=transfer.id, rules=Rules(), actor=actor)
    assert send(app, f"transfer_received:{transfer.id}") == ["mail.transfer_received"]
    texts = []
    for email in emails:
        found = requests.get(f"{mailbox.url}/api/messages", params={"to": email}, timeout=30).json()[
            "messages"
        ]
        texts.append(found[0]["text"])
    assert f"1,000 miles to {emails[1]}" in texts[0]
    assert f"{emails[0]} has sent you 1,000 miles" in texts[1]


def test_every_topic_that_is_written_has_a_handler() -> None:
    """Each literal topic in the code, and each message that `notices.mail` is called with."""
    source = "\n".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))
    topics = set(re.findall(r"\bJob\(\s*(?:topic=)?\"([a-z_.]+)\"", source))
    topics |= {f"mail.{message}" for message in re.findall(r"\bmail\(\"([a-z_]+)\"", source)}
    topics |= set(re.findall(r"_mail\(\"([a-z_.]+)\"", source))
    assert {"mail.welcome", "mail.order_paid", "mail.transfer_confirm", "payments.refund"} <= topics
    assert topics <= set(handlers())
    assert set(mailing.HANDLERS) <= topics, "a mail that nothing sends"


def test_the_preview_shows_every_mail_and_is_not_for_production(client: FlaskClient) -> None:
    listed = client.get("/dev/mails/").text
    for message in MESSAGES:
        assert f'href="{message}.html"' in listed
        page, text = client.get(f"/dev/mails/{message}.html"), client.get(f"/dev/mails/{message}.txt")
        assert (page.status_code, text.status_code) == (200, 200)
        assert "</html>" in page.text
        assert text.text.startswith("Subject: ")
        assert "script-src" not in page.headers["Content-Security-Policy"]
    assert client.get("/dev/mails/nonsense.html").status_code == 404
    for environment, is_there in (("production", False), ("development", True)):
        shop = Flask("shop")
        shop.config["SHOP_ENV"] = environment
        ops.register(shop)
        assert ("mails" in shop.blueprints) == is_there
