"""Each mail says what happened, in HTML and in text, and goes once."""

from __future__ import annotations

import smtplib
import uuid
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import select

from app.accounts.queries import get_customer
from app.checkout.cancelling import cancel_paid
from app.checkout.flow import settle
from app.checkout.refund import refund
from app.gateways.sandbox import SandboxGateway
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.notifications.models import MailMessage
from app.notifications.rendering import MESSAGES, render
from app.orders.service.moving import lock_order
from app.outbox.models import OutboxRow
from app.outbox.service import Job, add
from app.payments import issues, queries
from app.rewards.policies import AdjustmentRules, MakerLimit
from app.rewards.rules import Rules
from app.rewards.service import adjustments
from jobs.execute import run
from jobs.handlers import mail as mailing
from jobs.letters import DRAFTS, url
from tests.checkout.conftest import Shopper
from tests.factories.people import actor_of, make_customer
from tests.sandbox.peers import Process

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
    found = requests.get(f"{mailbox.url}/api/messages", params={"limit": 200}, timeout=30).json()["messages"]
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
    found = requests.get(f"{mailbox.url}/api/messages", params={"to": email}, timeout=30).json()["messages"]
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
            reason_code="fraud",
            note="Counted twice by mistake",
            rules=Rules(adjustments=AdjustmentRules(limits={"support": MakerLimit(each=500, day=500)})),
            actor=support,
        )
    assert send(app, str(adjustment.id)) == ["mail.points_adjusted"]
    found = requests.get(f"{mailbox.url}/api/messages", params={"to": email}, timeout=30).json()["messages"]
    assert "took 300 miles from your account" in found[0]["text"]
    assert "New balance: 700 miles" in found[0]["text"]
    assert "Reason: Misuse" in found[0]["text"]
    assert "Counted twice" not in found[0]["text"] + found[0]["html"]
