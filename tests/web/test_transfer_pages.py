"""Points to another member: asked for, confirmed by the link of the mail, cancelled; and no way to find out members."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
from flask import Flask

from app.blueprints.common.transfer_links import transfer_token
from app.kernel import clock
from app.kernel.database import session, transaction
from app.outbox.models import OutboxRow
from app.rewards.programme_models import PointsTransfer
from app.rewards.queries import Balance, get_balance
from jobs.letters import DRAFTS
from tests.factories.people import give_points
from tests.web.desk import audit_rows
from tests.web.people import sign_in, sign_up
from tests.web.statements import statements
from tests.web.visitor import Page, Visitor

PATH = "/account/miles/transfers"


class Member(Visitor):
    app: Flask
    id: uuid.UUID
    email: str

    def send(self, email: str, points: str = "1,500") -> Page:
        self.go(PATH)
        return self.press("Continue", email=email, points=points)

    def balance(self) -> Balance:
        with self.app.app_context():
            return get_balance(self.id)

    def transfers(self) -> list[PointsTransfer]:
        with self.app.app_context():
            rows = session().query(PointsTransfer).filter_by(sender_id=self.id)
            return list(rows.order_by(PointsTransfer.created_at))

    def mailed_link(self) -> str:
        """The path in the newest mail that asks to confirm."""
        with self.app.app_context():
            payload = {"transfer_id": str(self.transfers()[-1].id), "customer_id": str(self.id)}
            draft = DRAFTS["transfer_confirm"](payload)
        assert draft.recipient == self.email
        return re.sub(r"^https?://[^/]+", "", draft.context["confirm_url"])


Make = Callable[..., Member]


@pytest.fixture
def member(app: Flask) -> Make:
    def make(points: int = 0) -> Member:
        made = Member(app.test_client())
        person = sign_up(app.test_client())
        assert sign_in(made.client, person.email).status_code == 302
        made.app, made.id, made.email = app, person.id, person.email
        if points:
            with app.app_context(), transaction():
                give_points(made.id, points)
        return made

    return make


def everything(app: Flask, member: Member) -> tuple[object, ...]:
    with app.app_context():
        outbox = session().query(OutboxRow).count()
    return member.balance(), [(row.id, row.state) for row in member.transfers()], audit_rows(app), outbox


def test_asked_for_confirmed_by_the_mail_and_listed_on_both_sides(app: Flask, member: Make) -> None:
    mei, friend = member(5_000), member()
    page = mei.send(friend.email)
    assert "We have sent you a mail" in page.text
    assert f"1,500 miles to {friend.email}" in page.text
    assert mei.balance().available == 5_000
    link = mei.mailed_link()
    before = everything(app, mei)
    assert mei.go(link).heading == "Confirm the transfer"
    assert everything(app, mei) == before, "looking at the link moves nothing"
    rows = audit_rows(app)
    page = mei.press("Send 1,500 miles")
    assert f"1,500 miles are sent to {friend.email}" in page.text
    assert audit_rows(app) == rows + 1
    assert (mei.balance().available, friend.balance().available) == (3_500, 1_500)
    text = friend.go(PATH).text
    assert re.search(r"From another member Received, yours to spend from [^+]* UTC plus \+ 1,500 miles", text)
    assert mei.email not in text
    with app.app_context():
        draft = DRAFTS["transfer_received"](
            {"transfer_id": str(mei.transfers()[0].id), "customer_id": str(friend.id)}
        )
    assert (draft.recipient, draft.context["sender"]) == (friend.email, mei.email)
    assert mei.go(link).heading == "This transfer is done"
    assert mei.balance().available == 3_500


def test_the_answer_is_the_same_whoever_has_the_address(app: Flask, member: Make) -> None:
    friend = member()
    shown = []
    for email in (friend.email, f"{'f' * (friend.email.index('@'))}@example.test"):
        mei = member(5_000)
        page = mei.send(email)
        shown.append((page.status, re.sub(r"\S+@\S+|\d\d:\d\d", "#", page.text)))
    assert shown[0] == shown[1]
    before = everything(app, mei)
    mei.go(mei.mailed_link())
    page = mei.press("Send 1,500 miles")
    assert (page.status, "Nobody with this address can receive" in page.text) == (409, True)
    assert everything(app, mei) == before


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ("", "Enter how many to send."),
        ("many", "Enter how many as a whole number"),
        ("-5", "Enter how many as a whole number"),
        ("499", "Transfer at least 500 miles"),
        ("5,001", "You have 5,000 miles available"),
        ("20,001", "can be sent in 24 hours"),
    ],
)
def test_what_cannot_be_sent_is_said_and_kept(app: Flask, member: Make, points: str, words: str) -> None:
    mei, friend = member(5_000), member()
    before = everything(app, mei)
    page = mei.send(friend.email, points)
    assert (page.status, page.title[:7], words in page.text) == (422, "Error: ", True), page.text
    assert f'value="{friend.email}"' in page.html
    assert everything(app, mei) == before


def test_an_address_that_is_none_or_ones_own_is_refused(app: Flask, member: Make) -> None:
    mei = member(5_000)
    before = everything(app, mei)
    for email in ("", "nobody", mei.email):
        assert mei.send(email).status == 422
    assert everything(app, mei) == before


def test_cancelled_it_moves_no_more(app: Flask, member: Make) -> None:
    mei, friend = member(5_000), member()
    mei.send(friend.email)
    link = mei.mailed_link()
    older = mei.go(link)
    mei.go(PATH)
    rows = audit_rows(app)
    assert "The transfer is cancelled" in mei.press("Cancel it").text
    assert audit_rows(app) == rows + 1
    before = everything(app, mei)
    assert mei.press("Send 1,500 miles", page=older).status == 409
    assert mei.go(link).heading == "This transfer has ended"
    assert everything(app, mei) == before
    assert "Continue" in mei.go(PATH).html


def test_a_link_that_is_too_old_moves_nothing(app: Flask, member: Make) -> None:
    mei, friend = member(5_000), member()
    mei.send(friend.email)
    link = mei.mailed_link()
    older = mei.go(link)
    with clock.travel(minutes=61):
        assert mei.go(link).heading == "This transfer has ended"
        before = everything(app, mei)
        assert mei.press("Send 1,500 miles", page=older).status == 409
        assert everything(app, mei) == before
        assert mei.send(friend.email).status == 200, "the old one does not stand in the way"


def test_only_the_sender_with_the_mails_link_confirms(app: Flask, member: Make) -> None:
    mei, friend = member(5_000), member()
    mei.send(friend.email)
    link, transfer_id = mei.mailed_link(), mei.transfers()[0].id
    before = everything(app, mei)
    assert friend.go(link).status == 404
    assert app.test_client().get(link).location.startswith("/account/sign-in?next=")
    for wrong in (str(transfer_id), transfer_id.hex, link.rpartition("/")[2][:-1], "x"):
        assert mei.go(f"{PATH}/confirm/{wrong}").status == 404
    token = re.search(r'name="csrf_token" value="([^"]+)"', friend.go("/account/profile").html)
    assert token is not None
    for path in (link, f"{PATH}/{transfer_id}/cancel"):
        assert friend.client.post(path, data={"csrf_token": token[1]}).status_code == 404
    assert everything(app, mei) == before


def test_a_link_signed_with_an_older_key_still_counts(app: Flask, member: Make) -> None:
    mei, friend = member(5_000), member()
    mei.send(friend.email)
    with app.app_context():
        old = transfer_token(mei.transfers()[0].id)
    key, fallbacks = app.config["SECRET_KEY"], app.config["SECRET_KEY_FALLBACKS"]
    app.config.update(SECRET_KEY="k" * 40, SECRET_KEY_FALLBACKS=[key])
    try:
        assert mei.go(f"{PATH}/confirm/{old}").heading == "Confirm the transfer"
    finally:
        app.config.update(SECRET_KEY=key, SECRET_KEY_FALLBACKS=fallbacks)


def test_the_page_costs_the_same_for_any_history(app: Flask, member: Make) -> None:
    mei, friend = member(5_000), member()
    counts = []
    for _ in range(2):
        mei.send(friend.email, "500")
        mei.go(mei.mailed_link())
        mei.press("Send 500 miles")
        mei.go(PATH)
        with statements(app) as sent:
            mei.go(PATH)
        counts.append(len(sent))
    assert counts == [8, 8], sent
