"""Statements by month as page, CSV and PDF, balances as of a day, and the way back from a spent point."""

from __future__ import annotations

import csv
import io
import re
import uuid
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.accounts.models import Customer
from app.accounts.queries import get_customer
from app.kernel import clock, ids
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.rewards.queries.earnings import list_pending
from app.rewards.rules import Rules
from app.rewards.service import earning, grants, holds, transfers
from tests.factories.people import actor_of, give_points
from tests.web.people import sign_in, sign_up
from tests.web.statements import statements
from tests.web.visitor import Visitor

ACTOR, RULES = system("test"), Rules()
MARCH = datetime(2031, 3, 10, 12, tzinfo=UTC)
NOW = MARCH + timedelta(days=40)


class Member(Visitor):
    app: Flask
    id: uuid.UUID

    def earn(self, points: int, at: datetime, *, confirmed: bool = True) -> str:
        """By an order of theirs; its number."""
        order_id, number = ids.uuid7(), f"MPC-{uuid.uuid4().hex[:8].upper()}"
        parts = [
            {"rule": "base", "label": "", "points": points - 100, "dry_run": False},
            {"rule": "tea", "label": "Double miles on tea", "points": 100, "dry_run": False},
            {"rule": "trial", "label": "Not given", "points": 77, "dry_run": True},
        ]
        with self.app.app_context(), clock.frozen(at), transaction():
            earning.earn_pending(
                customer_id=self.id, order_id=order_id, order_number=number, points=points,
                confirms_at=at + timedelta(days=30), rules_version=1, breakdown={"parts": parts}, actor=ACTOR,
            )  # fmt: skip
        if confirmed:
            with self.app.app_context(), clock.frozen(at + timedelta(days=31)), transaction():
                for earning_id, _ in earning.list_due_earnings():
                    earning.confirm(earning_id=earning_id, rules=RULES, actor=ACTOR)
        return number

    def give(self, points: int, at: datetime) -> None:
        with self.app.app_context(), clock.frozen(at), transaction():
            give_points(self.id, points, expires_at=at + timedelta(days=400))

    def spend(self, points: int, at: datetime, number: str = "MPC-SPENT") -> None:
        order_id = ids.uuid7()
        with self.app.app_context(), clock.frozen(at), transaction():
            holds.hold(
                customer_id=self.id, order_id=order_id, order_number=number, points=points, rules=RULES,
                actor=ACTOR,
            )  # fmt: skip
            holds.capture(order_id=order_id, actor=ACTOR)


Make = Callable[..., Member]


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    """Members sign in and look on one day; what they did is set back from it."""
    with clock.frozen(NOW):
        yield


@pytest.fixture
def member(app: Flask) -> Make:
    def make(name: str = "Mei Chan") -> Member:
        shopper = Member(app.test_client())
        person = sign_up(app.test_client(), name=name)
        assert sign_in(shopper.client, person.email).status_code == 302
        shopper.app, shopper.id = app, person.id
        return shopper

    return make


def words(pdf: bytes) -> str:
    """The texts that a PDF shows, in order: letters of core fonts, or glyphs with a map (ISO 32000-1, 9.10.3)."""
    streams = re.findall(rb"stream\n(.*?)\nendstream", pdf, re.S)
    content = b"".join(zlib.decompress(stream) if stream[:1] == b"x" else stream for stream in streams)
    letters = dict(re.findall(rb"<([0-9A-F]{4})> <([0-9A-F]+)>", content))
    shown = re.findall(rb"\(((?:\\.|[^\\)])*)\) Tj", content, re.S)
    return " ".join(_decoded(re.sub(rb"\\(.)", _unescaped, text, flags=re.S), letters) for text in shown)


def _unescaped(found: re.Match[bytes]) -> bytes:
    return {b"r": b"\r", b"n": b"\n", b"t": b"\t"}.get(found[1], found[1])


def _decoded(text: bytes, letters: dict[bytes, bytes]) -> str:
    if b"\x00" not in text:
        return text.decode("latin-1")
    codes = [text[place : place + 2].hex().upper().encode() for place in range(0, len(text), 2)]
    return "".join(bytes.fromhex(letters[code].decode()).decode("utf-16-be") for code in codes)


def test_a_month_as_page_csv_and_pdf_says_the_same(member: Make) -> None:
    mei = member()
    mei.give(5_000, MARCH - timedelta(days=20))
    mei.give(300, MARCH)
    mei.spend(1_200, MARCH + timedelta(days=1), "MPC-AAAA")
    page = mei.go("/account/miles/statement?month=2031-03")
    table = mei.client.get("/account/miles/statement.csv?month=2031-03")
    pdf = mei.client.get("/account/miles/statement.pdf?month=2031-03")
    for part in (
        "Statement of March 2031",
        "Opening balance 5,000 miles",
        "Used for orders minus − 1,200 miles",
        "Adjusted and transferred plus + 300 miles",
        "Closing balance 4,100 miles",
    ):
        assert part in page.text, part
    assert 'href="/account/orders/MPC-AAAA"' in page.html
    rows = list(csv.reader(io.StringIO(table.get_data().decode("utf-8"))))
    assert [row[1] for row in rows] == ["kind", "opening", "adjust", "redeem", "closing"]
    assert [row[4:6] for row in rows[1:]] == [
        ["", "5000"], ["300", "5300"], ["-1200", "4100"], ["", "4100"],
    ]  # fmt: skip
    assert [row[2] for row in rows] == ["reason", "", "Given for a test", "Spent on order MPC-AAAA", ""]
    given, spent = (row[6] for row in rows[2:4])
    base = mei.app.config["BASE_URL"]
    assert spent == f"{base}/account/orders/MPC-AAAA"
    assert "300 miles" in mei.go(given.removeprefix(base)).text
    for link in (given, spent):
        assert f"/URI ({link})".encode() in pdf.data
    assert table.headers["Content-Disposition"] == 'attachment; filename="statement-2031-03.csv"'
    assert (pdf.content_type, pdf.headers["Cache-Control"]) == ("application/pdf", "no-store")
    text = words(pdf.data)
    for part in (
        "Miles statement, March 2031",
        "Mei Chan",
        "Opening balance 5,000",
        "-1,200",
        "Closing balance 4,100",
    ):
        assert part in text, text
    movements = text.partition("Every movement")[2]
    assert 0 < movements.index("+300 5,300") < movements.index("-1,200 4,100")


def test_chinese_names_shops_and_reasons_are_written_in_chinese(
    member: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    mei = member("陳美")
    monkeypatch.setitem(mei.app.config, "SHOP_NAME", "里數商店")
    with mei.app.app_context(), transaction():
        grants.credit(
            customer_id=mei.id, points=5, idem_key="x", ref_type="adjustment", ref_id="x", description="抱歉補償",
            expires_at=None, actor=ACTOR,
        )  # fmt: skip
    pdf = mei.client.get("/account/miles/statement.pdf").data
    assert "里數商店, for 陳美, " in words(pdf)
    assert "抱歉補償" in words(pdf)
    assert b"NotoSansTC" in pdf


def test_a_latin_statement_carries_no_font(member: Make) -> None:
    mei = member("Élodie")
    mei.give(100, clock.now())
    assert b"FontFile" not in mei.client.get("/account/miles/statement.pdf").data


@pytest.mark.parametrize(
    "name", ["陳美", "Élodie Ångström", "Мария Иванова", "مريم", "O'Hara (Ltd) \\ <b>", "👩‍🚀 Ada"]
)
def test_any_name_can_have_a_pdf(member: Make, name: str) -> None:
    mei = member(name)
    mei.give(100, clock.now())
    answer = mei.client.get("/account/miles/statement.pdf")
    assert (answer.status_code, answer.data[:5]) == (200, b"%PDF-")
    with mei.app.app_context():
        email = session().get(Customer, mei.id).email
    assert email in words(answer.data)
    assert ("?" in words(answer.data)) is False
    assert ("Ångström" in words(answer.data)) is ("Ångström" in name)


def test_a_long_month_goes_on_over_pages(member: Make) -> None:
    mei = member()
    mei.give(5_000, MARCH)
    for number in range(40):
        mei.spend(100, MARCH + timedelta(minutes=number), f"MPC-{'LONG' * 20}{number}")
    answer = mei.client.get("/account/miles/statement.pdf?month=2031-03")
    assert answer.data.count(b"/Type /Page\n") == 2
    text = words(answer.data)
    assert text.count("Date Reason Miles Balance") == 2
    assert "-100 1,000" in text


def test_what_a_spreadsheet_would_run_is_text(member: Make) -> None:
    mei = member()
    mei.give(500, MARCH)
    mei.spend(100, MARCH, "=cmd|' /C calc'!A0")
    answer = mei.client.get("/account/miles/statement.csv?month=2031-03")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[3][3] == "'=cmd|' /C calc'!A0"


def test_the_balance_on_any_day(member: Make) -> None:
    mei = member()
    mei.give(500, MARCH)
    mei.spend(200, MARCH + timedelta(days=1))
    for day, available in (("2031-03-09", 0), ("2031-03-10", 500), ("2031-03-11", 300), ("2031-04-01", 300)):
        text = mei.go(f"/account/miles/statement?day={day}").text
        assert f"Available {available:,} miles Held 0 miles Pending 0 miles" in text, day


@pytest.mark.parametrize(
    "query",
    ["month=2031-13", "month=x", "month=0001-01", "month=%00", "day=2031-02-30", "day=9999-12-31", "day=1"],
)
def test_what_is_no_month_or_day_is_said(member: Make, query: str) -> None:
    mei = member()
    page = mei.go(f"/account/miles/statement?{query}")
    assert (page.status, page.title[:7]) == (422, "Error: ")
    if query.startswith("month"):
        assert mei.client.get(f"/account/miles/statement.csv?{query}").status_code == 422
        assert mei.client.get(f"/account/miles/statement.pdf?{query}").status_code == 422


def test_spent_miles_lead_back_to_order_rule_and_rate(member: Make) -> None:
    mei = member()
    number = mei.earn(600, MARCH)
    mei.spend(500, MARCH + timedelta(days=35), "MPC-BBBB")
    page = mei.go("/account/miles")
    link = re.search(r'href="(/account/miles/movements/[^"]+)"', page.html)
    assert link is not None
    text = mei.go(link[1]).text
    assert f"500 miles Earned with an order {number}, given on 10 April 2031" in text
    assert "Rules, version 1: 1 for each HK$1.00 paid by card." in text
    assert "Base rate plus + 500 miles Double miles on tea plus + 100 miles" in text
    assert "Not given" not in text


def test_how_another_member_earned_what_they_sent_is_not_told(member: Make) -> None:
    mei, friend = member(), member()
    number = mei.earn(600, MARCH)
    with mei.app.app_context():
        email = get_customer(friend.id).email
        sender = actor_of(mei.id)
        session().rollback()
        with clock.frozen(MARCH + timedelta(days=32)), transaction():
            asked = transfers.request(
                sender_id=mei.id, recipient_email=email, points=500, rules=RULES, actor=sender
            )
            transfers.confirm(transfer_id=asked.id, rules=RULES, actor=sender)
    friend.spend(500, MARCH + timedelta(days=35))
    path = re.findall(r"/account/miles/movements/[0-9a-f-]+", friend.go("/account/miles").html)[0]
    page = friend.go(path)
    assert "500 miles Received from another member, given on 11 April 2031" in page.text
    assert number not in page.html
    assert "Rules, version" not in page.text
    path = re.findall(r"/account/miles/movements/[0-9a-f-]+", mei.go("/account/miles").html)[0]
    assert f"500 miles Earned with an order {number}" in mei.go(path).text


def test_movements_of_others_are_not_there(member: Make) -> None:
    mei, other = member(), member()
    mei.give(500, MARCH)
    mei.spend(100, MARCH)
    path = re.findall(r"/account/miles/movements/[0-9a-f-]+", mei.go("/account/miles").html)[0]
    assert other.go(path).status == 404
    assert mei.go(path).status == 200
    assert other.app.test_client().get(path).status_code == 302


def test_pending_miles_say_when_they_are_yours(member: Make) -> None:
    mei = member()
    number = mei.earn(600, MARCH, confirmed=False)
    with clock.frozen(MARCH + timedelta(days=1)):
        text = mei.go("/account/miles").text
        with mei.app.app_context():
            assert [row.points for row in list_pending(mei.id)] == [600]
    assert f"600 miles for order {number}, yours to spend from 9 April 2031" in text


def test_all_dates_of_expiry_are_listed(member: Make) -> None:
    mei = member()
    mei.give(100, MARCH)
    mei.give(200, MARCH + timedelta(days=30))
    text = mei.go("/account/miles").text
    assert "13 April 2032 100 miles 13 May 2032 200 miles" in text


def test_the_pages_cost_the_same_for_any_history(app: Flask, member: Make) -> None:
    mei = member()
    for number in range(30):
        mei.give(100, MARCH + timedelta(hours=number))
    for path, most in (("/account/miles", 10), ("/account/miles/statement?month=2031-03&day=2031-03-11", 9)):
        mei.go(path)
        with statements(app) as sent:
            mei.go(path)
        assert len(sent) == most, (path, len(sent), sent)


def test_strangers_sign_in_first(client: FlaskClient) -> None:
    for path in ("statement", "statement.csv", "statement.pdf", f"movements/{uuid.uuid4()}"):
        assert client.get(f"/account/miles/{path}").location.startswith("/account/sign-in")
