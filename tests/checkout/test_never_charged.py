"""Staff have accepted less than was due: what the card was never charged has not gone back to it either."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from app.blueprints.account.orders import ComesBack, _comes_back
from app.checkout import by_hand
from app.gateways.sandbox import SandboxGateway
from app.kernel.database import session
from app.kernel.money import Money
from app.orders.queries import get_order_view
from app.payments import queries
from app.payments.gateway import Snapshot
from jobs.letters import order_cancelled, order_refunded
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import STAFF, give_back, sku_of
from tests.checkout.test_disputed_refunds import told
from tests.checkout.test_refunds_after_disputes_said import hkd, texts_of

pytestmark = pytest.mark.usefixtures("app_context")
DUE, CAME = 23_000, 15_000


@pytest.fixture
def number(gateway: SandboxGateway, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two things at HK$100 with delivery, of which the card was charged HK$150.00."""
    buyer = Shopper(gateway, points=5_000, price=10_000, quantity=2)
    made = buyer.place(buyer.quote(0), "pm_sandbox_wrong_amount")["number"]
    payment = queries.list_payments_of(made)[0].id
    session().rollback()
    fetch = gateway.fetch

    def less(payment_id: uuid.UUID, gateway_ref: str | None) -> object:
        truth = fetch(payment_id, gateway_ref)
        assert isinstance(truth, Snapshot)
        return replace(truth, captured=CAME)

    monkeypatch.setattr(gateway, "fetch", less)
    accepted = by_hand.accept(payment_id=payment, note="They charged less", gateway=gateway, actor=STAFF)
    assert accepted == "paid"
    monkeypatch.undo()
    session().rollback()
    return str(made)


def shown(number: str) -> list[tuple[Money, Money, Money, Money]]:
    """What each refund's view says: its card part, what is sent, what had gone back, what never came."""
    session().rollback()
    found = [(one.card, one.sent, one.already, one.never_came) for one in get_order_view(number).refunds]
    session().rollback()
    return found


def test_what_never_came_has_not_gone_back(gateway: SandboxGateway, number: str) -> None:
    assert _comes_back(get_order_view(number)) == ComesBack(0, hkd(CAME), already=hkd(0))
    session().rollback()
    by_hand.cancel(number=number, reason="It was never packed", gateway=gateway, actor=STAFF)
    assert shown(number) == [(hkd(DUE), hkd(CAME), hkd(0), hkd(DUE - CAME))]
    draft = order_cancelled({"order_number": number})
    assert (draft.context["card"], draft.context["already"]) == (hkd(CAME), hkd(0))


def test_beside_what_a_bank_took(gateway: SandboxGateway, number: str) -> None:
    """HK$60.00 of the 150.00: ten of them in place of the first refund, fifty in place of the second."""
    told(number, "lost", amount=6_000)
    give_back(number, lines=[(sku_of(number), 1)], key="a")
    assert texts_of(number, "refund") == [
        "We are giving back HK$90.00 to your card. HK$10.00 has been given back to your card already."
    ]
    first = (hkd(10_000), hkd(9_000), hkd(1_000), hkd(0))
    assert shown(number) == [first]
    assert _comes_back(get_order_view(number)) == ComesBack(0, hkd(0), already=hkd(5_000))
    session().rollback()
    made = give_back(number, key="b")
    assert texts_of(number, "refund")[1:] == [
        "HK$50.00 has been given back to your card already. HK$80.00 had never been charged to your card."
    ]
    assert shown(number) == [first, (hkd(13_000), hkd(0), hkd(5_000), hkd(8_000))]
    draft = order_refunded({"order_number": number, "refund_id": str(made.id)})
    assert (draft.context["card"], draft.context["already"]) == (hkd(0), hkd(5_000))


def test_the_first_refund_has_all_that_it_asks_for(number: str) -> None:
    give_back(number, lines=[(sku_of(number), 1)], key="a")
    assert shown(number) == [(hkd(10_000), hkd(10_000), hkd(0), hkd(0))]
    give_back(number, key="b")
    assert texts_of(number, "refund") == [
        "We are giving back HK$100.00 to your card.",
        "We are giving back HK$50.00 to your card. HK$80.00 had never been charged to your card.",
    ]
    assert shown(number)[1] == (hkd(13_000), hkd(5_000), hkd(0), hkd(8_000))
