"""Each mail says what happened, in HTML and in text, and goes once."""

from __future__ import annotations

import re
import smtplib
import uuid
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.accounts.queries import get_customer
from app.blueprints import ops
from app.checkout.cancelling import cancel_paid
from app.checkout.flow import settle
from app.checkout.refund import refund
from app.gateways.sandbox import SandboxGateway
from app.inventory.models import Stock
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.notifications.models import MailMessage
from app.notifications.rendering import MESSAGES, render
from app.orders.models import Order, OrderRefund
from app.orders.service.moving import lock_order, move_by_staff
from app.outbox.models import OutboxRow
from app.outbox.service import Job, add
from app.payments import issues, queries
from app.rewards.policies import AdjustmentRules, MakerLimit
from app.rewards.rules import Rules
from app.rewards.service import adjustments, transfers
from jobs.execute import run
from jobs.handlers import mail as mailing
from jobs.letters import DRAFTS, url
from jobs.registry import handlers
from tests.checkout.conftest import Shopper
from tests.conftest import ROOT
from tests.factories.people import actor_of, make_customer
from tests.sandbox.peers import Gateway, Process

pytestmark = pytest.mark.usefixtures("app_context")


def send(app: Flask, contains: str) -> list[str]:
    """Run the mail jobs whose key contains this; their topics."""
    session().rollback()
    rows = (
        session()
        .execute(
            select(OutboxRow.id, OutboxRow.topic)
            .where(OutboxRow.dedupe_key.contains(contains), OutboxRow.topic.like("mail.%"))
            .where(OutboxRow.done_at.is_(None))
            .order_by(OutboxRow.id)
        )
        .all()
    )
    session().rollback()
    for row in rows:
        run(app, row.id)
    return [row.topic for row in rows]


def received(mailbox: Process, contains: str) -> list[dict[str, Any]]:
    """Mails whose subject or text contains this, newest first."""
    found = requests.get(f"{mailbox.url}/api/messages", params={"limit": 200}, timeout=5).json()["messages"]
    return [mail for mail in found if contains in mail["subject"] + mail["text"]]


def one(mailbox: Process, contains: str) -> dict[str, Any]:
    (mail,) = received(mailbox, contains)
    return mail


def test_the_receipt(app: Flask, gateway: SandboxGateway, mailbox: Process) -> None:
    shopper = Shopper(gateway, points=5_000, price=10_000, quantity=2)
    number = shopper.place(shopper.quote(1_000))["number"]
    assert send(app, number) == ["mail.order_paid"]
    mail = one(mailbox, number)
    assert mail["subject"] == f"Your receipt for order {number}"
    assert mail["to"] == ["shopper@example.test"] or mail["to"] == "shopper@example.test"
    for part in (mail["text"], mail["html"]):
        for word in (
            "1,000 miles",
            "HK$100.00",
            "HK$130.00",
            "HK$230.00",
            url("account.order", number=number),
        ):
            assert word in part, word
    assert url("account.order", number=number).startswith("http://shop.test/")
    stored = session().scalars(select(MailMessage).filter_by(subject_ref=number)).one()
    assert (stored.customer_id, stored.subject, stored.sent_at is not None) == (
        shopper.id, mail["subject"], True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("pm_card_chargeDeclined", "The bank declined the card."),
        ("pm_card_chargeDeclinedInsufficientFunds", "does not have enough funds."),
    ],
)
def test_a_failed_payment_says_why_and_what_was_not_done(
    app: Flask, gateway: SandboxGateway, mailbox: Process, token: str, reason: str
) -> None:
    shopper = Shopper(gateway, points=5_000)
    number = shopper.place(shopper.quote(500), token)["number"]
    assert send(app, number) == ["mail.payment_failed"]
    mail = one(mailbox, number)
    for part in (mail["text"], mail["html"]):
        assert reason in part
        assert "500 miles are back" in part
    assert mail["text"].count("Nothing was charged.") == 1


def test_pending_then_paid_are_two_mails_and_no_more(
    app: Flask, gateway: SandboxGateway, mailbox: Process
) -> None:
    shopper = Shopper(gateway)
    number = shopper.place(shopper.quote(), "pm_sandbox_timeout_paid")["number"]
    assert send(app, number) == ["mail.order_pending"]
    payment_id = queries.list_payments_of(number)[0].id
    session().rollback()
    truth = gateway.fetch(payment_id, None)
    for _ in range(3):
        settle(payment_id=payment_id, truth=truth, actor=system("test"))
    assert send(app, number) == ["mail.order_paid"]
    assert [mail["subject"].split(" order")[0] for mail in received(mailbox, number)] == [
        "Your receipt for",
        "We have your",
    ]
    assert "do not pay again" in received(mailbox, "not yet your payment")[0]["text"]


def test_a_job_that_runs_twice_sends_once(app: Flask, mailbox: Process) -> None:
    with transaction():
        add(Job("mail.staff_alert", "twice", {"subject": "only once", "text": "x"}, queue="mail"))
    row_id = session().scalar(select(OutboxRow.id).where(OutboxRow.dedupe_key == "twice"))
    assert row_id is not None
    session().rollback()
    run(app, row_id)
    with transaction():
        session().get_one(OutboxRow, row_id).done_at = None
    run(app, row_id)
    assert len(received(mailbox, "Only once")) == 1


def test_without_a_mail_server_the_mail_waits(
    app: Flask, mailbox: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction():
        add(Job("mail.staff_alert", "waits", {"subject": "it waits", "text": "x"}, queue="mail"))
    monkeypatch.setattr(app.extensions["mailman"], "port", 9)
    assert send(app, "waits") == ["mail.staff_alert"]
    row = session().scalars(select(OutboxRow).where(OutboxRow.dedupe_key == "waits")).one()
    assert (row.done_at, row.attempts) == (None, 1)
    assert row.last_error is not None
    assert row.last_error.startswith("ConnectionRefusedError")
    monkeypatch.undo()
    assert send(app, "waits") == ["mail.staff_alert"]
    assert len(received(mailbox, "It waits")) == 1


def test_staff_are_told_of_a_difference(app: Flask, mailbox: Process) -> None:
    ref = str(uuid.uuid4())
    with transaction():
        issues.record_issue(
            kind="payment_mismatch", ref=ref, detail={"reference": "MPC-X"}, suggestion="Look it up."
        )
    assert send(app, ref) == ["mail.staff_alert"]
    mail = one(mailbox, ref)
    assert mail["subject"] == "[Miles Plus Cash] Payment mismatch"
    assert "Look it up." in mail["text"]
    assert "Reference: MPC-X" in mail["text"]


def test_a_name_cannot_break_out(app: Flask, gateway: SandboxGateway, mailbox: Process) -> None:
    """Neither into HTML nor into a header."""
    name = "<script>alert(1)</script>\r\nBcc: victim@example.test"
    customer_id = make_customer(name=name)
    with transaction():
        add(Job("mail.welcome", f"welcome:{customer_id}", {"customer_id": str(customer_id)}, queue="mail"))
        add(Job("mail.staff_alert", f"alert:{customer_id}", {"subject": name, "text": "x"}, queue="mail"))
    assert len(send(app, str(customer_id))) == 2
    email = get_customer(customer_id).email
    found = requests.get(f"{mailbox.url}/api/messages", params={"to": email}, timeout=5).json()["messages"]
    assert len(found) == 1
    assert "<script>" not in found[0]["html"]
    assert "&lt;script&gt;" in found[0]["html"]
    alert = received(mailbox, "Bcc: victim")
    assert all("Bcc" not in mail["headers"] for mail in alert)


def test_every_message_has_a_handler_and_templates(app: Flask) -> None:
    assert set(DRAFTS) == set(MESSAGES)
    assert set(mailing.HANDLERS) == {f"mail.{message}" for message in MESSAGES}
    with pytest.raises(LookupError):
        render("nonsense", {}, environment=app.jinja_env)


def test_a_refused_recipient_is_a_failure_that_is_kept(
    app: Flask, mailbox: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_letter: Any) -> None:
        raise smtplib.SMTPRecipientsRefused({"x": (550, b"no such user")})

    monkeypatch.setattr(mailing, "_deliver", refuse)
    with transaction():
        add(Job("mail.staff_alert", "refused", {"subject": "refused", "text": "x"}, queue="mail"))
    assert send(app, "refused") == ["mail.staff_alert"]
    stored = session().scalars(select(MailMessage).filter_by(dedupe_key="refused")).one()
    assert stored.sent_at is None


def test_a_refund_names_both_tenders_and_the_reason(
    app: Flask, gateway: SandboxGateway, mailbox: Process
) -> None:
    shopper = Shopper(gateway, points=5_000, price=10_000, quantity=2)
    number = shopper.place(shopper.quote(1_000))["number"]
    support = actor_of(make_customer(role="support"), role="support")
    with transaction():
        made = refund(
            number=number,
            lines=None,
            strategy="proportional",
            reason="The mug was broken.",
            idem_key="r1",
            actor=support,
        )
    assert "mail.order_refunded" in send(app, str(made.id))
    mail = one(mailbox, f"Refund for order {number}")
    for part in (mail["text"], mail["html"]):
        for word in ("1,000", "HK$130.00", "The mug was broken.", "130 miles that the order had earned"):
            assert word in part, word


def test_a_cancelled_order_says_what_comes_back(
    app: Flask, gateway: SandboxGateway, mailbox: Process
) -> None:
    shopper = Shopper(gateway, points=5_000)
    number = shopper.place(shopper.quote(500))["number"]
    send(app, number)
    with transaction():
        cancel_paid(lock_order(number=number), actor=actor_of(shopper.id))
    assert send(app, number) == ["mail.order_cancelled"]
    mail = one(mailbox, f"Order {number} is cancelled")
    assert "You get back 500 miles to your account and HK$80.00 to your card." in mail["text"]


def test_an_adjustment_gives_the_reason_and_not_the_note_for_staff(app: Flask, mailbox: Process) -> None:
    customer_id = make_customer(points=1_000)
    email = get_customer(customer_id).email
    session().rollback()
    support = actor_of(make_customer(role="support"), role="support")
    with transaction():
        adjustment = adjustments.request(
            customer_id=customer_id,
            points=-300,
            reason_code="correction",
            note="Counted twice by mistake",
            rules=Rules(adjustments=AdjustmentRules(limits={"support": MakerLimit(each=500, day=500)})),
            actor=support,
        )
    assert send(app, str(adjustment.id)) == ["mail.points_adjusted"]
    found = requests.get(f"{mailbox.url}/api/messages", params={"to": email}, timeout=5).json()["messages"]
    assert "took 300 miles from your account" in found[0]["text"]
    assert "New balance: 700 miles" in found[0]["text"]
    assert "Correction" in found[0]["text"]
    assert "Counted twice" not in found[0]["text"] + found[0]["html"]


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
        found = requests.get(f"{mailbox.url}/api/messages", params={"to": email}, timeout=5).json()[
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
