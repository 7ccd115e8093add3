"""Refunds that a card will never take, and that staff pay another way: noted once, and seen by all."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from app.checkout import by_hand
from app.checkout.covering import list_owed
from app.checkout.refunds import send_again
from app.gateways.matching import match
from app.gateways.reconcile import reconcile
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import run_atomically, session, transaction
from app.kernel.errors import Conflict, NotFound, RuleBroken
from app.orders.queries import get_order_view
from app.payments.refunds import to_send
from jobs.letters import DRAFTS
from tests.checkout.conftest import Shopper
from tests.checkout.elsewhere import (
    NOTE,
    REFERENCE,
    REFUSES,
    audited,
    differences,
    everything,
    issues_of,
    jobs_of,
    money,
    note,
    payment_of,
    states,
    stuck,
)
from tests.checkout.refunding import STAFF, bought, give_back, send, sku_of
from tests.checkout.test_disputed_refunds import told
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")


def test_what_was_paid_another_way_is_done_and_told(gateway: SandboxGateway, peer: Gateway) -> None:
    number, refund_id = stuck(gateway)
    before = everything(number)
    assert before[0] == ("paid", ["stuck"], ["failed"])
    note(number, refund_id, f"  {REFERENCE} ")

    assert states(number) == ("refunded", ["done"], ["failed"])
    captured = payment_of(number).captured
    assert money(number) == (captured, 0, captured)
    assert issues_of(number) == [("refund_stuck", "resolved")]
    entries = audited(number)
    assert len(entries) == before[3] + 1
    assert (entries[-1].action, entries[-1].actor_id, entries[-1].reason) == (
        "order.refund_elsewhere",
        STAFF.id,
        NOTE,
    )
    assert (entries[-1].after["reference"], entries[-1].after["amount"]) == (REFERENCE, captured)
    view = get_order_view(number)
    assert (view.refunds[0].elsewhere_ref, view.refunds[0].elsewhere.amount) == (REFERENCE, captured)
    assert (view.timeline[-1].event, REFERENCE in view.timeline[-1].text) == ("refunded", True)
    (job,) = jobs_of(number, "mail.refund_elsewhere")
    draft = DRAFTS["refund_elsewhere"](job.payload)
    assert (draft.context["paid"].amount, draft.context["reference"]) == (captured, REFERENCE)
    assert differences() == []


def test_the_gateways_books_are_no_difference(gateway: SandboxGateway, peer: Gateway) -> None:
    """The gateway has never heard of the transfer: its list counts the money as ours, and so do we."""
    number, refund_id = stuck(gateway)
    note(number, refund_id)
    with clock.travel(minutes=5):
        reconcile(gateway=gateway, actor=system("test"))
        match(gateway=gateway, day=clock.now().date(), actor=system("test"))
    assert issues_of(number) == [("refund_stuck", "resolved")]
    assert (states(number), differences()) == (("refunded", ["done"], ["failed"]), [])


def test_only_the_part_that_was_paid_another_way_is(gateway: SandboxGateway, peer: Gateway) -> None:
    number, first = stuck(gateway, units=1)
    note(number, first)
    assert states(number) == ("paid", ["done"], ["failed"])
    assert [one.event for one in get_order_view(number).timeline][-1] == "refunded_elsewhere"
    session().rollback()
    give_back(number, key="rest")
    send(number, gateway)
    assert states(number) == ("paid", ["done", "stuck"], ["failed", "failed"])
    second = get_order_view(number).refunds[-1].id
    note(number, second, "FT-2026-0043")
    captured, by_card, elsewhere = money(number)
    assert (states(number)[0], by_card, elsewhere) == ("refunded", 0, captured)
    assert len(jobs_of(number, "mail.refund_elsewhere")) == 2
    assert differences() == []


def test_money_that_came_without_an_order_ends_its_review(gateway: SandboxGateway, peer: Gateway) -> None:
    """A cancelled order whose money the bank will not take back: it is with staff until they have paid it."""
    buyer = Shopper(gateway, price=10_000)
    number = buyer.place(buyer.quote(0), REFUSES)["number"]
    by_hand.cancel(number=number, reason=NOTE, gateway=gateway, actor=STAFF)
    send(number, gateway)
    assert states(number) == ("cancelled", ["stuck"], ["failed"])
    assert (issues_of(number)[-1], differences()) == (("refund_stuck", "open"), [])
    note(number, get_order_view(number).refunds[0].id)
    assert states(number) == ("cancelled", ["done"], ["failed"])
    assert differences() == []


def test_what_is_not_stuck_is_not_noted(gateway: SandboxGateway, peer: Gateway) -> None:
    _, number = bought(gateway, points=0)
    give_back(number)
    running = get_order_view(number).refunds[0].id
    other, stuck_id = stuck(gateway)
    cases: list[tuple[str, uuid.UUID, type[Exception], str]] = [
        (number, running, Conflict, "REFUND_NOT_STUCK"),
        (number, stuck_id, NotFound, "NOT_FOUND"),
        (number, uuid.uuid4(), NotFound, "NOT_FOUND"),
        ("MPC-NONE", stuck_id, NotFound, "NOT_FOUND"),
    ]
    before = everything(number), everything(other)
    for order, refund, kind, code in cases:
        with pytest.raises(kind) as refused:
            note(order, refund)
        assert refused.value.code == code
        assert (everything(number), everything(other)) == before
    send(number, gateway)
    before = everything(number), everything(other)
    with pytest.raises(Conflict):
        note(number, running)
    assert (everything(number), everything(other)) == before


def test_points_alone_are_never_paid_another_way(gateway: SandboxGateway) -> None:
    _, number = bought(gateway, points=1_000)
    give_back(number, lines=[(sku_of(number), 1)], strategy="points_first")
    before = everything(number)
    with pytest.raises(Conflict):
        note(number, get_order_view(number).refunds[0].id)
    assert everything(number) == before


def test_noted_once_it_is_not_noted_or_sent_again(gateway: SandboxGateway, peer: Gateway) -> None:
    number, refund_id = stuck(gateway)
    note(number, refund_id)
    before = everything(number)
    for again in (
        lambda: note(number, refund_id, "FT-2026-9999"),
        lambda: run_atomically(lambda: send_again(number=number, refund_id=refund_id, actor=STAFF)),
    ):
        with pytest.raises(Conflict) as refused:
            again()
        assert refused.value.code == "REFUND_NOT_STUCK"
        assert everything(number) == before


@pytest.mark.parametrize(
    ("reference", "why", "field"),
    [
        ("", NOTE, "reference"),
        ("  ab  ", NOTE, "reference"),
        ("x" * 101, NOTE, "reference"),
        ("FT\n2026", NOTE, "reference"),
        ("FT\u202e2026", NOTE, "reference"),
        (REFERENCE, "no", "note"),
        (REFERENCE, "x" * 1_001, "note"),
    ],
)
def test_a_bad_reference_or_note_names_its_field(
    gateway: SandboxGateway, peer: Gateway, reference: str, why: str, field: str
) -> None:
    number, refund_id = stuck(gateway)
    before = everything(number)
    with pytest.raises(RuleBroken) as refused:
        note(number, refund_id, reference, why)
    assert [one.field for one in refused.value.errors] == [field]
    assert everything(number) == before


@pytest.mark.parametrize("reference", ["abc", "x" * 100])
def test_references_as_short_and_long_as_they_may_be(
    gateway: SandboxGateway, peer: Gateway, reference: str
) -> None:
    number, refund_id = stuck(gateway)
    note(number, refund_id, reference)
    assert get_order_view(number).refunds[0].elsewhere_ref == reference


@pytest.mark.parametrize(("word", "code"), [("open", "PAYMENT_DISPUTED"), ("lost", "REFUND_NOT_STUCK")])
def test_while_a_bank_decides_or_has_given_it_back_nothing_is_noted(
    gateway: SandboxGateway, peer: Gateway, word: str, code: str
) -> None:
    number, refund_id = stuck(gateway)
    told(number, "open")
    if word == "lost":
        told(number, word)
    before = everything(number)
    with pytest.raises(Conflict) as refused:
        note(number, refund_id)
    assert refused.value.code == code
    assert everything(number) == before


def test_a_dispute_that_was_won_hinders_nobody(gateway: SandboxGateway, peer: Gateway) -> None:
    number, refund_id = stuck(gateway)
    told(number, "open")
    told(number, "won")
    note(number, refund_id)
    assert states(number)[1] == ["done"]


def test_what_the_bank_has_given_back_is_not_paid_another_way(
    gateway: SandboxGateway, peer: Gateway, owner: Any
) -> None:
    """A dispute lost in part: only the rest is owed, and a later dispute sends none of it to the card."""
    number, refund_id = stuck(gateway)
    told(number, "open", amount=3_000, ref=f"dp_1_{number}")
    told(number, "lost", amount=3_000, ref=f"dp_1_{number}")
    captured = payment_of(number).captured
    assert list_owed(get_order_view(number).id) == {refund_id: captured - 3_000}
    note(number, refund_id)
    assert money(number) == (captured, 0, captured - 3_000)
    assert get_order_view(number).refunds[0].elsewhere.amount == captured - 3_000
    assert audited(number)[-1].after["amount"] == captured - 3_000
    told(number, "open", ref=f"dp_2_{number}")
    told(number, "won", ref=f"dp_2_{number}")
    assert states(number) == ("refunded", ["done"], ["failed"])
    assert list_owed(get_order_view(number).id) == {}
    assert differences() == []


def test_later_refunds_send_what_is_left(gateway: SandboxGateway, peer: Gateway) -> None:
    number, refund_id = stuck(gateway, units=1)
    note(number, refund_id)
    payment = payment_of(number)
    left = payment.captured - payment.returned_elsewhere
    payment_id, captured = payment.id, payment.captured
    session().rollback()
    with transaction():
        assert to_send(payment_id=payment_id, amount=captured) == left


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE payment SET returned_elsewhere = captured + 1 WHERE reference = %s", "ck_payment_elsewhere"),
        ("UPDATE payment SET returned_elsewhere = -1 WHERE reference = %s", "ck_payment_elsewhere"),
        (
            "UPDATE card_refund SET state = 'queued' WHERE payment_id = (SELECT id FROM payment WHERE reference = %s)",
            "ck_card_refund_elsewhere",
        ),
    ],
)
def test_the_database_refuses_it_twice(
    gateway: SandboxGateway, peer: Gateway, owner: Any, statement: str, constraint: str
) -> None:
    number, refund_id = stuck(gateway)
    note(number, refund_id)
    with pytest.raises(Exception, match=constraint):
        owner.execute(statement, (number,))
    assert differences() == []


def test_verification_misses_what_was_not_noted(gateway: SandboxGateway, peer: Gateway, owner: Any) -> None:
    number, refund_id = stuck(gateway)
    note(number, refund_id)

    def change(by: str) -> None:
        sql = f"UPDATE payment SET returned_elsewhere = returned_elsewhere {by} 1 WHERE reference = %s"
        owner.execute(sql, (number,))

    change("-")
    found = differences()
    change("+")
    assert ("card_refunds", [number]) in [(name, list(samples)) for name, samples in found]
    assert differences() == []
