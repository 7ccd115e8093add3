"""What shopper and staff read of a refund after a bank has taken a part of the payment back: each sum once."""

from __future__ import annotations

import pytest

from app.checkout import by_hand
from app.checkout import refund as refunds
from app.gateways.sandbox import SandboxGateway
from app.kernel.database import run_atomically, session
from app.kernel.money import Money
from app.orders.queries import get_order_view
from app.orders.service import moving
from app.payments import issues
from jobs.letters import DRAFTS, order_cancelled, order_refunded
from tests.checkout.elsewhere import jobs_of
from tests.checkout.refunding import STAFF, bought, give_back, send, sku_of
from tests.checkout.test_disputed_refunds import told
from tests.factories.shop import fill_cart

pytestmark = pytest.mark.usefixtures("app_context")
CARD, BANK = 23_000, 9_000
"""What the card paid, and what of it the bank took."""
ON_THE_WAY = {
    "paid": (),
    "packed": ("packed",),
    "shipped": ("shipped",),
    "delivered": ("shipped", "delivered"),
}


def hkd(amount: int) -> Money:
    return Money(amount, "HKD")


def texts_of(number: str, event: str) -> list[str]:
    found = [one.text for one in get_order_view(number).timeline if one.event == event]
    session().rollback()
    return found


@pytest.mark.parametrize(
    ("bank", "said"),
    [
        (
            BANK,
            "We are giving back HK$140.00 to your card. HK$90.00 has been given back to your card already.",
        ),
        (CARD, "HK$230.00 has been given back to your card already."),
    ],
)
def test_a_refund_names_what_is_sent_and_what_the_bank_gave(
    gateway: SandboxGateway, bank: int, said: str
) -> None:
    _, number = bought(gateway, points=0)
    told(number, "lost", amount=bank)
    made = give_back(number)
    event = "refund" if made.sent else "refunded"
    assert texts_of(number, event) == [said]
    assert (made.card, made.sent) == (hkd(CARD), hkd(CARD - bank))
    send(number, gateway)
    (shown,) = get_order_view(number).refunds
    assert (shown.card, shown.sent, shown.already) == (hkd(CARD), hkd(CARD - bank), hkd(bank))
    draft = order_refunded({"order_number": number, "refund_id": str(shown.id)})
    assert (draft.context["card"], draft.context["already"]) == (hkd(CARD - bank), hkd(bank))


def test_a_refund_that_the_bank_made_for_us_was_not_sent(gateway: SandboxGateway) -> None:
    """It waited for the bank, which took all of it: nothing left the shop."""
    _, number = bought(gateway, points=0)
    give_back(number)
    told(number, "open")
    send(number, gateway)
    told(number, "lost")
    (shown,) = get_order_view(number).refunds
    assert (shown.state, shown.sent, shown.already) == ("done", hkd(0), hkd(CARD))


def test_the_mail_about_a_cancelled_order_names_what_is_sent(gateway: SandboxGateway) -> None:
    _, number = bought(gateway, points=0)
    told(number, "lost", amount=CARD - 1)
    session().rollback()
    by_hand.cancel(number=number, reason="It was never packed", gateway=gateway, actor=STAFF)
    session().rollback()
    draft = order_cancelled({"order_number": number})
    assert (draft.context["card"], draft.context["already"]) == (hkd(1), hkd(CARD - 1))


def test_the_mail_about_a_cancelled_order_leaves_out_what_went_before(gateway: SandboxGateway) -> None:
    """An earlier refund had a mail of its own; points of a payment that failed went back then."""
    shopper, number = bought(gateway, points=1_000)
    first = give_back(number, lines=[(sku_of(number), 1)])
    session().rollback()
    by_hand.cancel(number=number, reason="It was never packed", gateway=gateway, actor=STAFF)
    draft = order_cancelled({"order_number": number})
    assert (draft.context["points"], draft.context["card"]) == (
        1_000 - first.points,
        get_order_view(number).card_due - first.card,
    )
    for token, points in (("pm_card_chargeDeclined", 0), ("pm_card_authenticationRequired", 500)):
        fill_cart(shopper.id, {shopper.variant_id: 1})
        held = shopper.place(shopper.quote(500), token)["number"]
        by_hand.cancel(number=held, reason="It was never packed", gateway=gateway, actor=STAFF)
        session().rollback()
        assert order_cancelled({"order_number": held}).context["points"] == points
        session().rollback()


def test_a_refund_of_staff_is_not_taken_for_the_one_of_the_cancel(gateway: SandboxGateway) -> None:
    """Staff may write any reason, the shop's own word as well."""
    _, number = bought(gateway, points=0)
    first = run_atomically(
        lambda: refunds.refund(
            number=number,
            lines=[(sku_of(number), 1)],
            strategy="proportional",
            reason="cancelled",
            idem_key="k1",
            actor=STAFF,
        )
    )
    session().rollback()
    by_hand.cancel(number=number, reason="It was never packed", gateway=gateway, actor=STAFF)
    session().rollback()
    draft = order_cancelled({"order_number": number})
    assert draft.context["card"] == hkd(CARD) - first.card == hkd(13_000)


Mails = list[tuple[str, int, Money, Money, int | None]]


def mails_of(number: str) -> Mails:
    """Message, points, what is sent, what had gone back, earned points that went: as each mail says it now."""
    session().rollback()
    drafts = [
        (name, DRAFTS[name](job.payload))
        for name in ("order_cancelled", "order_refunded")
        for job in jobs_of(number, f"mail.{name}")
    ]
    session().rollback()
    found = [(name, draft.context) for name, draft in drafts if draft is not None]
    return [(name, c["points"], c["card"], c["already"], c.get("taken_back")) for name, c in found]


@pytest.mark.parametrize("lost", [0, 5_000])
@pytest.mark.parametrize("way", ["refund", "cancel"])
def test_a_refund_that_waited_gives_its_points_in_one_mail(
    gateway: SandboxGateway, way: str, lost: int
) -> None:
    """When it goes out after the bank's decision, only another sum for the card is news."""
    _, number = bought(gateway, points=1_000)
    if way == "refund":
        give_back(number)
    else:
        by_hand.cancel(number=number, reason="It was never packed", gateway=gateway, actor=STAFF)
    (first,) = mails_of(number)
    name, points, card, already, taken_back = first
    assert (points, card, already) == (1_000, hkd(13_000), hkd(0))
    assert name == ("order_refunded" if way == "refund" else "order_cancelled")
    told(number, "open", amount=5_000)
    send(number, gateway)
    told(number, "lost" if lost else "won", amount=5_000)
    sums = (hkd(13_000 - lost), hkd(lost))
    again: Mails = [("order_refunded", 0, *sums, 0)] if lost else []
    assert mails_of(number) == [(name, points, *sums, taken_back), *again]


def test_the_story_names_what_the_bank_took(gateway: SandboxGateway) -> None:
    _, number = bought(gateway, points=0)
    told(number, "lost", amount=BANK)
    (told_it,) = texts_of(number, "dispute_lost")
    assert told_it == (
        "The dispute was decided: HK$90.00 went back to your card, and what the order had earned with it was taken "
        "back."
    )


def test_the_story_speaks_of_no_points_when_none_went(gateway: SandboxGateway) -> None:
    _, number = bought(gateway, points=0)
    told(number, "lost", amount=99)
    assert texts_of(number, "dispute_lost") == ["The dispute was decided: HK$0.99 went back to your card."]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("paid", "Cancel the order"),
        ("packed", "Cancel the order"),
        ("shipped", "nothing more is to be done"),
        ("delivered", "nothing more is to be done"),
        ("refunded", "compare its refunds"),
    ],
)
def test_staff_are_not_asked_to_cancel_what_has_left(gateway: SandboxGateway, status: str, said: str) -> None:
    _, number = bought(gateway, points=0)
    for to in ON_THE_WAY.get(status, ()):
        run_atomically(lambda to=to: moving.move_by_staff(number=number, to=to, actor=STAFF))
    if status == "refunded":
        give_back(number)
        send(number, gateway)
    assert get_order_view(number).status == status
    session().rollback()
    ref = told(number, "lost")
    issue = issues.find_issue("dispute", ref)
    assert issue is not None
    assert said in issue.suggestion
