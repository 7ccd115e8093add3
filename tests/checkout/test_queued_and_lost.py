"""Refunds that were queued before a dispute came, and whose job comes only after it was lost: the money leaves once."""

from __future__ import annotations

import pytest

from app.gateways.sandbox import SandboxGateway
from app.kernel.database import session
from app.orders.queries import get_order_view
from app.payments import queries
from jobs.letters import DRAFTS
from tests.checkout.elsewhere import jobs_of
from tests.checkout.refunding import bought, card_refunds_of, give_back, send, sku_of
from tests.checkout.test_disputed_refunds import told
from tests.checkout.test_disputes_decided import CARD, differences, refunds_of, returned
from tests.checkout.test_stuck_refunds import issues_of
from tests.sandbox.peers import Gateway

pytestmark = pytest.mark.usefixtures("app_context")


def told_by_mail(number: str) -> list[int]:
    """What each mail about a refund says when it leaves now."""
    drafts = [DRAFTS["order_refunded"](job.payload) for job in jobs_of(number, "mail.order_refunded")]
    session().rollback()
    return [draft.context["card"].amount for draft in drafts if draft is not None]


def lose(number: str, amount: int) -> None:
    told(number, "open", amount=amount)
    told(number, "lost", amount=amount)


@pytest.mark.parametrize("silent", [False, True])
def test_what_the_bank_has_given_back_is_not_sent(
    gateway: SandboxGateway, peer: Gateway, silent: bool
) -> None:
    """`silent`: it had been sent, and did not arrive."""
    _, number = bought(gateway, points=0)
    give_back(number)
    if silent:
        peer.control("faults", {"fault": "error_500", "next": 1, "on": "writes"})
        send(number, gateway)
        assert card_refunds_of(number)[0].state == "unknown"
    lose(number, CARD)
    send(number, gateway)
    assert refunds_of(number) == [("done", CARD)]
    assert (get_order_view(number).status, returned(peer, number)) == ("refunded", 0)
    assert issues_of(number) == [("dispute", "open")]
    assert queries.list_payments_of(number)[0].refunded == 0
    send(number, gateway)
    assert returned(peer, number) == 0
    assert differences() == []


def test_of_what_the_bank_gave_back_in_part_the_rest_is_sent(gateway: SandboxGateway, peer: Gateway) -> None:
    _, number = bought(gateway, points=0)
    give_back(number)
    assert told_by_mail(number) == [CARD]
    lose(number, 5_000)
    send(number, gateway)
    assert told_by_mail(number) == [CARD - 5_000] * 2, "both say what is sent by then"
    sent = [(one.amount, one.state) for one in card_refunds_of(number)]
    assert sent == [(CARD, "failed"), (CARD - 5_000, "queued")]
    assert refunds_of(number) == [("running", CARD)]
    send(number, gateway)
    assert refunds_of(number) == [("done", CARD)]
    assert (get_order_view(number).status, returned(peer, number)) == ("refunded", CARD - 5_000)
    assert differences() == []


def test_of_two_the_one_that_the_bank_made_good_is_not_sent(gateway: SandboxGateway, peer: Gateway) -> None:
    """The other one keeps its key."""
    _, number = bought(gateway, points=0)
    give_back(number, lines=[(sku_of(number), 1)], key="a")
    give_back(number, key="b")
    lose(number, 10_000)
    send(number, gateway)
    assert refunds_of(number) == [("done", 10_000), ("done", 13_000)]
    assert [(one.amount, one.state) for one in card_refunds_of(number)] == [
        (10_000, "failed"),
        (13_000, "succeeded"),
    ]
    assert (get_order_view(number).status, returned(peer, number)) == ("refunded", 13_000)
    assert differences() == []


def test_a_refund_that_fits_beside_what_the_bank_took_is_sent_as_it_is(
    gateway: SandboxGateway, peer: Gateway
) -> None:
    _, number = bought(gateway, points=0)
    give_back(number, lines=[(sku_of(number), 1)])
    lose(number, CARD - 10_000)
    send(number, gateway)
    assert [(one.amount, one.state) for one in card_refunds_of(number)] == [(10_000, "succeeded")]
    assert returned(peer, number) == 10_000
    assert differences() == []
