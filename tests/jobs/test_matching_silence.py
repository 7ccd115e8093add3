"""Nobody is accused without having been heard: what the gateway did not answer is asked again, until it has."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date

import psycopg
import pytest

from app.gateways.asking import ask_payment, ask_refund
from app.gateways.matching import BROKEN, Match, match
from app.gateways.reconcile import reconcile
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import session, transaction
from app.orders.queries import get_order_view
from app.payments import queries
from app.payments.bookkeeping import DayReport
from app.payments.gateway import Unknown
from app.payments.issues import record_issue
from app.payments.rules import MISMATCH, REFUND_DIFFERS
from tests.checkout.conftest import TIMEOUTS
from tests.checkout.refunding import give_back
from tests.jobs.mismatches import Paid
from tests.jobs.test_matching import ACTOR, alone, issues, mails_about, run, today
from tests.jobs.test_reconcile_troubles import broken, refund_there
from tests.sandbox.peers import KEY, SECRET, Gateway

__all__ = ["alone", "broken"]
OPEN_PAGE, DECLINED = "pm_card_authenticationRequired", "pm_card_chargeDeclined"
pytestmark = pytest.mark.usefixtures("app_context")


def match_later(gateway: SandboxGateway, day: date, **later: float) -> Match:
    with clock.travel(**later):
        done = match(gateway=gateway, day=day, actor=ACTOR)
    session().rollback()
    assert done is not None
    return done


def reconcile_later(gateway: SandboxGateway, **later: float) -> None:
    with clock.travel(**later):
        reconcile(gateway=gateway, actor=ACTOR)
    session().rollback()


def silence(patch: pytest.MonkeyPatch, gateway: SandboxGateway, *verbs: str) -> None:
    for verb in verbs:
        patch.setattr(type(gateway), verb, lambda *_: Unknown("away"))


def paid_unheard(gateway: SandboxGateway, peer: Gateway) -> Paid:
    """The shopper has paid on the bank's page, and nobody has told us."""
    paid = Paid(gateway, OPEN_PAGE)
    peer.control(f"payments/{paid.ref}/paid")
    return paid


def refund_unheard(gateway: SandboxGateway, peer: Gateway) -> tuple[Paid, uuid.UUID]:
    """The gateway has a refund of ours whose sending we did not live to write down."""
    paid = Paid(gateway)
    give_back(paid.number)
    (refund,) = queries.list_refunds_of(uuid.UUID(paid.payment))
    refund_id, amount = refund.id, refund.amount
    session().rollback()
    assert peer.refund(paid.ref, amount, str(refund_id)).status_code == 201
    return paid, refund_id


def test_a_payment_that_could_not_be_asked_about_is_not_accused(
    gateway: SandboxGateway, peer: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid = [paid_unheard(gateway, peer) for _ in range(5)]  # the last two are not even asked about
    with monkeypatch.context() as patch:
        silence(patch, gateway, "fetch")
        done = run(gateway)
    assert (done.rows, done.differ, done.complete, issues()) == (5, 0, False, [])
    assert run(gateway).complete
    assert {get_order_view(one.number).status for one in paid} == {"paid"}
    assert issues() == []


def test_a_refund_that_could_not_be_asked_about_is_not_accused(
    gateway: SandboxGateway, peer: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid, _ = refund_unheard(gateway, peer)
    with monkeypatch.context() as patch:
        silence(patch, gateway, "fetch_refund")
        assert not run(gateway).complete
    assert issues() == []
    assert run(gateway).complete
    assert (get_order_view(paid.number).status, issues()) == ("refunded", [])


@pytest.mark.parametrize("silent", [["fetch"], ["fetch_report"], ["list_disputes"]], ids=lambda one: one[0])
def test_a_day_that_was_not_answered_is_not_left_behind(
    gateway: SandboxGateway, peer: Gateway, monkeypatch: pytest.MonkeyPatch, silent: list[str]
) -> None:
    """While it is matched each day nobody is told; then it is an issue, and asked about until it was answered."""
    paid, day = paid_unheard(gateway, peer), today()
    ref = f"report:{day}"
    with monkeypatch.context() as patch:
        silence(patch, gateway, *silent)
        match_later(gateway, day, days=1)
        assert BROKEN not in {kind for kind, _ in issues()}
        match_later(gateway, day, days=2)
        assert (BROKEN, ref) in issues()
        assert MISMATCH not in {kind for kind, _ in issues()}
        match_later(gateway, date.fromordinal(day.toordinal() + 9), days=9)
        assert BROKEN in {kind for kind, _ in issues()}
    assert mails_about(BROKEN, ref) == 1
    match_later(gateway, date.fromordinal(day.toordinal() + 10), days=10)
    assert get_order_view(paid.number).status == "paid"
    assert queries.get_issue(BROKEN, ref).state == "auto_fixed"


def test_days_that_cannot_be_read_keep_nothing_else_from_being_asked(
    gateway: SandboxGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid = Paid(gateway)
    remember_days(3)
    with transaction():
        record_issue(kind=REFUND_DIFFERS, ref=paid.payment, detail={"refunded": 1}, suggestion="Look at it.")
    asked = read_days(monkeypatch, gateway, unreadable=range(1, 4))
    run(gateway)
    assert len(asked) == 4
    assert queries.get_issue(REFUND_DIFFERS, paid.payment).state == "auto_fixed"


def test_a_day_that_could_be_read_is_an_answer(
    gateway: SandboxGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway lists no disputes, and two days cannot be read: it is not silent, because one could."""
    remember_days(3)
    silence(monkeypatch, gateway, "list_disputes")
    asked = read_days(monkeypatch, gateway, unreadable=range(1, 3))
    run(gateway)
    assert len(asked) == 4


def remember_days(count: int) -> None:
    """Days long ago that were not matched whole."""
    with transaction():
        for back in range(10, 10 + count):
            ref = f"report:{date.fromordinal(today().toordinal() - back)}"
            record_issue(kind=BROKEN, ref=ref, detail={}, suggestion="Asked again.")


def read_days(patch: pytest.MonkeyPatch, gateway: SandboxGateway, *, unreadable: range) -> list[date]:
    """The days whose report is asked for; those in `unreadable`, counted from 0, cannot be read."""
    asked: list[date] = []
    fetch = gateway.fetch_report

    def report(day: date) -> DayReport | Unknown:
        asked.append(day)
        return Unknown("a row that cannot be read") if len(asked) - 1 in unreadable else fetch(day)

    patch.setattr(gateway, "fetch_report", report)
    return asked


@pytest.mark.parametrize("subject", ["payment", "refund"])
def test_what_could_not_be_settled_closes_however_it_was_settled(
    gateway: SandboxGateway,
    peer: Gateway,
    owner: psycopg.Connection,
    broken: list[uuid.UUID],
    subject: str,
) -> None:
    """It is in no later report: reconciliation, or a callback, was faster."""
    if subject == "payment":
        paid = paid_unheard(gateway, peer)
        ref = f"payment:{paid.payment}"
    else:
        paid, refund_id = refund_unheard(gateway, peer)
        ref = f"refund:{refund_id}"
    owner.execute("INSERT INTO broken_payment VALUES (%s)", (paid.payment,))
    if subject == "refund":  # its own row is refused as well: nothing of the payment is written with it
        owner.execute("CREATE TRIGGER refuse_refund BEFORE UPDATE ON card_refund FOR EACH ROW"
                      " EXECUTE FUNCTION refuse_broken()")  # fmt: skip
        owner.execute("INSERT INTO broken_payment VALUES (%s)", (ref.removeprefix("refund:"),))
    try:
        assert run(gateway).broken == [ref]
        assert issues() == [(BROKEN, ref)], "what could not be settled is not called a difference"
    finally:
        owner.execute("DROP TRIGGER IF EXISTS refuse_refund ON card_refund")
    owner.execute("DELETE FROM broken_payment")
    reconcile_later(gateway, minutes=2)
    assert run(gateway).broken == []
    assert issues() == []
    assert queries.get_issue(BROKEN, ref).state == "auto_fixed"


def test_late_money_that_was_given_back_is_no_difference(gateway: SandboxGateway, peer: Gateway) -> None:
    paid = Paid(gateway, DECLINED)
    peer.control(f"payments/{paid.ref}/late-authorize")
    refund_there(peer, queries.get_payment(uuid.UUID(paid.payment)))
    for minutes in (2, 3):
        assert run(gateway).differ == 0
        reconcile_later(gateway, minutes=minutes)
        assert issues() == []
    assert mails_about(MISMATCH, paid.payment) == mails_about(REFUND_DIFFERS, paid.payment) == 0
    assert get_order_view(paid.number).status == "payment_failed"


@pytest.mark.parametrize("by", ["walk", "match"])
def test_an_early_word_about_a_refund_is_taken_back(gateway: SandboxGateway, peer: Gateway, by: str) -> None:
    """The payment is asked about before the refund that the bank has sent back."""
    paid = Paid(gateway)
    give_back(paid.number)
    (refund,) = queries.list_refunds_of(uuid.UUID(paid.payment))
    refund_id = refund.id
    ask_refund(refund_id=refund_id, gateway=gateway, actor=ACTOR)
    peer.control(f"refunds/{queries.get_refund(refund_id).gateway_ref}/failed")
    with clock.travel(minutes=5):
        ask_payment(payment_id=uuid.UUID(paid.payment), gateway=gateway, actor=ACTOR)
        assert (REFUND_DIFFERS, paid.payment) in issues()
        ask_refund(refund_id=refund_id, gateway=gateway, actor=ACTOR)
    if by == "walk":
        reconcile_later(gateway, minutes=6)
    else:
        match_later(gateway, date.fromordinal(today().toordinal() + 4), days=4)
    assert queries.get_issue(REFUND_DIFFERS, paid.payment).state == "auto_fixed"
    run(gateway)
    assert issues() == [("refund_stuck", str(refund_id))]


class OtherBooks(SandboxGateway):
    """Its report has a cent more than it says when it is asked."""

    def fetch_report(self, day: date) -> DayReport | Unknown:
        report = super().fetch_report(day)
        assert isinstance(report, DayReport)
        return replace(report, rows=tuple(replace(row, amount=row.amount + 1) for row in report.rows), net={})


def test_a_report_that_the_gateway_itself_contradicts_is_told_once(peer: Gateway) -> None:
    other = OtherBooks(url=peer.url, key=KEY, webhook_secrets=[SECRET], timeouts=TIMEOUTS)
    paid = Paid(other)
    run(other)
    assert queries.get_issue(MISMATCH, paid.payment).state == "open"
    for _ in range(2):
        run(other)
        assert queries.get_issue(MISMATCH, paid.payment).state == "auto_fixed", "it has been heard"
    assert mails_about(MISMATCH, paid.payment) == 1
