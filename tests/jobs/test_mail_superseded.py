"""A mail waits while the mail server is away: what is so no more by then is not sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select

from app.checkout import by_hand
from app.checkout.flow import settle
from app.gateways.sandbox import SandboxGateway
from app.kernel.actor import system
from app.kernel.database import session
from app.notifications.models import MailMessage
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.payments import queries
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import STAFF
from tests.jobs.test_mail import one, received, send
from tests.sandbox.peers import Process

pytestmark = pytest.mark.usefixtures("app_context")
Away = Callable[[str, str], None]
POOR = "pm_card_chargeDeclinedInsufficientFunds"


@pytest.fixture(params=["nothing written yet", "written"])
def away(
    request: pytest.FixtureRequest, app: Flask, mailbox: Process, monkeypatch: pytest.MonkeyPatch
) -> Away:
    """Call it with an order's number: its mails meet a mail server that is away, or not even that."""

    def stay(number: str, topic: str) -> None:
        if request.param == "written":
            with monkeypatch.context() as patch:
                patch.setattr(app.extensions["mailman"], "port", 9)
                assert send(app, number) == [topic]
            assert kept(number) == [(topic.removeprefix("mail."), False, False)]

    return stay


def kept(number: str) -> list[tuple[str, bool, bool]]:
    """(mail, was it sent, was it superseded), oldest first."""
    session().rollback()
    rows = session().scalars(
        select(MailMessage).filter_by(subject_ref=number).order_by(MailMessage.created_at)
    )
    return [(one.template, one.sent_at is not None, one.superseded_at is not None) for one in rows]


def open_jobs(number: str) -> list[str]:
    session().rollback()
    rows = select(OutboxRow.topic).where(
        OutboxRow.dedupe_key.contains(number), OutboxRow.topic.like("mail.%"), OutboxRow.done_at.is_(None)
    )
    return list(session().scalars(rows))


def test_who_has_paid_again_is_not_told_that_the_card_was_declined(
    app: Flask, gateway: SandboxGateway, mailbox: Process, away: Away
) -> None:
    shopper = Shopper(gateway)
    number = shopper.place(shopper.quote(), POOR)["number"]
    away(number, "mail.payment_failed")
    assert shopper.pay_again(number, "pm_card_visa")["status"] == "paid"
    assert sorted(send(app, number)) == ["mail.order_paid", "mail.payment_failed"]
    assert one(mailbox, number)["subject"] == f"Your receipt for order {number}"
    assert [row for row in kept(number) if row[0] == "payment_failed"] in (
        [],
        [("payment_failed", False, True)],
    )
    assert open_jobs(number) == []


def test_each_attempt_that_fails_is_told_with_its_own_reason(
    app: Flask, gateway: SandboxGateway, mailbox: Process, away: Away
) -> None:
    """The first mail is overtaken by the second, and never says the second one's reason."""
    shopper = Shopper(gateway)
    number = shopper.place(shopper.quote(), POOR)["number"]
    away(number, "mail.payment_failed")
    assert shopper.pay_again(number, "pm_card_chargeDeclined")["status"] == "payment_failed"
    assert send(app, number) == ["mail.payment_failed"] * 2
    assert "The bank declined the card." in one(mailbox, number)["text"]
    rows = session().scalars(
        select(OutboxRow.payload).where(OutboxRow.dedupe_key.contains(number)).order_by(OutboxRow.id)
    )
    told = [(row["attempt"], row["reason"]) for row in rows if "reason" in row]
    assert told == [(1, "CARD_INSUFFICIENT_FUNDS"), (2, "CARD_DECLINED")]


def test_what_is_still_so_is_told_late(
    app: Flask, gateway: SandboxGateway, mailbox: Process, away: Away
) -> None:
    shopper = Shopper(gateway)
    number = shopper.place(shopper.quote(), POOR)["number"]
    away(number, "mail.payment_failed")
    assert send(app, number) == ["mail.payment_failed"]
    assert "does not have enough funds." in one(mailbox, number)["text"]
    assert kept(number) == [("payment_failed", True, False)]


def test_who_has_cancelled_is_not_told_of_the_failure(
    app: Flask, gateway: SandboxGateway, mailbox: Process, away: Away
) -> None:
    shopper = Shopper(gateway)
    number = shopper.place(shopper.quote(), POOR)["number"]
    away(number, "mail.payment_failed")
    by_hand.cancel(number=number, reason="asked for it", gateway=gateway, actor=STAFF)
    assert send(app, number) == ["mail.payment_failed", "mail.order_cancelled"]
    assert "declined" not in one(mailbox, number)["text"]


def test_who_has_paid_meanwhile_is_not_told_to_wait(
    app: Flask, gateway: SandboxGateway, mailbox: Process, away: Away
) -> None:
    shopper = Shopper(gateway)
    number = shopper.place(shopper.quote(), "pm_sandbox_timeout_paid")["number"]
    away(number, "mail.order_pending")
    payment_id = queries.list_payments_of(number)[0].id
    session().rollback()
    settle(payment_id=payment_id, truth=gateway.fetch(payment_id, None), actor=system("test"))
    assert get_order_view(number).status == "paid"
    assert sorted(send(app, number)) == ["mail.order_paid", "mail.order_pending"]
    assert [mail["subject"] for mail in received(mailbox, number)] == [f"Your receipt for order {number}"]
    assert open_jobs(number) == []
