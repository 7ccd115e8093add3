"""Points in a cool-off: closed to who received them, within reach of the shop that takes points back."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from app.accounts.queries import get_customer
from app.kernel import clock, ids
from app.kernel.actor import Actor, system
from app.kernel.database import transaction
from app.rewards import queries
from app.rewards.errors import BelowZero
from app.rewards.policies import TransferRules
from app.rewards.rules import Rules
from app.rewards.service import adjustments, batches, earning, holds, refunds, transfers
from tests.factories.people import actor_of, give_points, make_customer

RULES = Rules(transfers=TransferRules(min_points=1))
ACTOR = system("test")

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture
def staff() -> Actor:
    return actor_of(make_customer(role="admin"), role="admin")


def send(sender: uuid.UUID, recipient: uuid.UUID, points: int) -> None:
    email = get_customer(recipient).email
    with transaction():
        asked = transfers.request(
            sender_id=sender, recipient_email=email, points=points, rules=RULES, actor=actor_of(sender)
        )
    with transaction():
        transfers.confirm(transfer_id=asked.id, rules=RULES, actor=actor_of(sender))


def spend(customer_id: uuid.UUID, points: int) -> None:
    with transaction():
        holds.hold(
            customer_id=customer_id, order_id=ids.uuid7(), order_number=ids.order_number(), points=points,
            rules=RULES, actor=ACTOR,
        )  # fmt: skip


def books(customer_id: uuid.UUID) -> tuple[int, int, int]:
    balance = queries.get_balance(customer_id)
    return balance.available, balance.held, balance.owed


def test_what_an_order_earned_is_taken_from_points_that_cool_off_before_it_becomes_a_debt() -> None:
    customer_id, order_id, number = make_customer(), ids.uuid7(), ids.order_number()
    with transaction():
        earning.earn_pending(
            customer_id=customer_id, order_id=order_id, order_number=number, points=1_000,
            confirms_at=clock.now(), rules_version=1, breakdown={}, actor=ACTOR,
        )  # fmt: skip
        due = earning.list_due_earnings()
        assert sum(earning.confirm(earning_id=one.id, rules=RULES, actor=ACTOR) for one in due) == 1_000
    spend(customer_id, 1_000)
    send(make_customer(points=3_000), customer_id, 3_000)
    with transaction():
        taken = refunds.take_back(
            customer_id=customer_id, source_id=str(order_id), order_number=number, points=None,
            idem_key="back", actor=ACTOR,
        )  # fmt: skip
    assert (taken.available, taken.owed) == (1_000, 0)
    assert books(customer_id) == (2_000, 1_000, 0)


def test_staff_take_stolen_points_while_they_cool_off(staff: Actor) -> None:
    thief = make_customer()
    send(make_customer(points=5_000), thief, 5_000)
    with transaction():
        made = adjustments.request(
            customer_id=thief,
            points=-2_000,
            reason_code="fraud",
            note="Stolen points",
            rules=RULES,
            actor=staff,
        )
    assert (made.state, books(thief)) == ("applied", (3_000, 0, 0))
    content = f"customer,points,reason_code,note\n{thief},-3000,fraud,Stolen points\n".encode()
    with transaction():
        batches.submit(content=content, file_name="stolen.csv", rules=RULES, actor=staff)
    assert books(thief) == (0, 0, 0)
    with pytest.raises(BelowZero), transaction():
        adjustments.request(
            customer_id=thief, points=-1, reason_code="fraud", note="Stolen points", rules=RULES, actor=staff
        )
    assert books(thief) == (0, 0, 0)


def test_a_credit_is_undone_from_points_that_cool_off(staff: Actor) -> None:
    customer_id = make_customer()
    with transaction():
        made = adjustments.request(
            customer_id=customer_id,
            points=700,
            reason_code="goodwill",
            note="By mistake",
            rules=RULES,
            actor=staff,
        )
    spend(customer_id, 700)
    send(make_customer(points=900), customer_id, 900)
    with transaction():
        adjustments.undo(adjustment_id=made.id, note="By mistake", rules=RULES, actor=staff)
    assert books(customer_id) == (200, 700, 0)


def test_the_shop_takes_no_point_that_has_expired(staff: Actor) -> None:
    customer_id = make_customer(points=10)
    with transaction():
        give_points(customer_id, 500, expires_at=clock.now() + timedelta(hours=1))
    with clock.travel(hours=2), pytest.raises(BelowZero) as refused, transaction():
        adjustments.request(
            customer_id=customer_id,
            points=-11,
            reason_code="fraud",
            note="Too many",
            rules=RULES,
            actor=staff,
        )
    assert refused.value.details == {"available": 10}
    assert books(customer_id) == (510, 0, 0)
