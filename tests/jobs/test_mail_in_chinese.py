"""A shopper who reads Chinese gets Chinese mails, from the shop to the mailbox."""

from __future__ import annotations

import uuid

import pytest
import requests
from flask import Flask
from sqlalchemy import select, update

from app.accounts import service as accounts
from app.accounts.models import Customer
from app.accounts.queries import get_customer
from app.gateways.sandbox import SandboxGateway
from app.kernel.database import session, transaction
from app.notifications.models import MailMessage
from app.orders.queries import get_order_view
from app.outbox.service import Job, add
from tests.checkout.conftest import Shopper
from tests.checkout.elsewhere import note, stuck
from tests.factories.people import actor_of, make_customer
from tests.jobs.test_mail import one, send
from tests.sandbox.peers import Process
from tests.web.test_mail_languages import visible

pytestmark = pytest.mark.usefixtures("app_context")


def speaks(customer_id: uuid.UUID, locale: str) -> None:
    with transaction():
        accounts.change_profile(actor=actor_of(customer_id), customer_id=customer_id, locale=locale)


def test_the_receipt(app: Flask, gateway: SandboxGateway, mailbox: Process) -> None:
    shopper = Shopper(gateway, points=5_000, price=10_000, quantity=2)
    speaks(shopper.id, "zh-Hant")
    number = shopper.place(shopper.quote(1_000))["number"]
    assert send(app, number) == ["mail.order_paid"]
    mail = one(mailbox, number)
    assert mail["subject"] == f"訂單 {number} 的收據"
    for part in (mail["text"], mail["html"]):
        for words in ("多謝惠顧", "1,000 里數", "HK$100.00", "HK$130.00", "信用卡付款", "Test mug"):
            assert words in part, words
        assert "miles" not in part.replace("Miles Plus Cash", "")
    assert '<html lang="zh-Hant">' in mail["html"]
    stored = session().scalars(select(MailMessage).filter_by(subject_ref=number)).one()
    assert (stored.subject, stored.text_body.split()) == (mail["subject"], mail["text"].split())


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", ("Refund for order", "so we paid it to you another way", "Reference of the transfer: FT 42")),
        ("zh-Hant", ("的退款", "我們已改用其他方式退款給您", "轉帳參考編號：FT 42")),
    ],
)
def test_a_refund_that_was_paid_another_way(
    app: Flask, gateway: SandboxGateway, mailbox: Process, locale: str, words: tuple[str, str, str]
) -> None:
    number, refund_id = stuck(gateway)
    speaks(get_order_view(number).customer_id, locale)
    note(number, refund_id, "FT 42")
    assert send(app, f"refund_elsewhere:{refund_id}") == ["mail.refund_elsewhere"]
    mail = one(mailbox, "FT 42")
    assert words[0] in mail["subject"]
    for part in (mail["text"], visible(mail["html"])):
        for said in (*words[1:], number, "HK$230.00"):
            assert said in part, said
    requests.delete(f"{mailbox.url}/api/messages", timeout=30)


def test_the_language_counts_that_is_chosen_when_the_mail_is_written(
    app: Flask, gateway: SandboxGateway, mailbox: Process
) -> None:
    """And the next shopper, served by the same process, is none the worse."""
    chinese, english = Shopper(gateway, points=5_000), Shopper(gateway)
    numbers = [
        shopper.place(shopper.quote(points), "pm_card_chargeDeclinedInsufficientFunds")["number"]
        for shopper, points in ((chinese, 500), (english, 0))
    ]
    speaks(chinese.id, "zh-Hant")
    for number in numbers:
        assert send(app, number) == ["mail.payment_failed"]
    failed = one(mailbox, numbers[0])
    for part in (failed["text"], failed["html"]):
        assert "信用卡的可用餘額不足。" in part
        assert "您的 500 里數已退回帳戶" in part
    assert "does not have enough funds." in one(mailbox, numbers[1])["text"]


def test_an_adjustment_and_a_welcome(app: Flask, mailbox: Process) -> None:
    customer_id = make_customer(name="陳美兒")
    speaks(customer_id, "zh-Hant")
    with transaction():
        add(Job("mail.welcome", f"hello:{customer_id}", {"customer_id": str(customer_id)}, queue="mail"))
    email = get_customer(customer_id).email
    assert send(app, f"hello:{customer_id}") == ["mail.welcome"]
    (mail,) = requests.get(f"{mailbox.url}/api/messages", params={"to": email}, timeout=30).json()["messages"]
    assert mail["subject"] == "歡迎來到 Miles Plus Cash"
    assert "陳美兒，您好：" in mail["text"]
    assert "陳美兒，歡迎您" in mail["html"]


def test_a_language_that_the_shop_no_longer_has_is_english(app: Flask, mailbox: Process) -> None:
    customer_id = make_customer()
    with transaction():
        session().execute(update(Customer).where(Customer.id == customer_id).values(locale="tlh"))
        add(Job("mail.welcome", f"lost:{customer_id}", {"customer_id": str(customer_id)}, queue="mail"))
    email = get_customer(customer_id).email
    assert send(app, f"lost:{customer_id}") == ["mail.welcome"]
    (mail,) = requests.get(f"{mailbox.url}/api/messages", params={"to": email}, timeout=30).json()["messages"]
    assert mail["subject"] == "Welcome to Miles Plus Cash"
    assert '<html lang="en">' in mail["html"]
