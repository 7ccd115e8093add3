"""An undo is another adjustment, linked to the first, that reverses it once."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from app.kernel import clock
from app.kernel.database import run_atomically, transaction
from app.kernel.errors import Conflict
from app.rewards import queries
from app.rewards.errors import AdjustmentDuplicate, BelowZero
from app.rewards.service import adjustments, expiry
from tests.factories.people import give_points, make_customer
from tests.services.debts import debtor, differences, standing
from tests.services.test_adjustments import RULES, ask, footprint, staff

pytestmark = pytest.mark.usefixtures("app_context")


def test_undo_reverses_once_linked(owner: psycopg.Connection) -> None:
    customer_id, maker = make_customer(), staff()
    with transaction():
        give_points(customer_id, 300, expires_at=clock.now() + timedelta(days=5))
    given = ask(customer_id, 400, maker)
    with transaction():
        back = adjustments.undo(adjustment_id=given.id, note="Wrong person", rules=RULES, actor=maker)
    assert (back.points, back.reversal_of, back.state) == (-400, given.id, "applied")
    assert queries.get_balance(customer_id).available == 300
    lots = owner.execute(
        "SELECT origin_id, available FROM points_lot WHERE customer_id = %s ORDER BY created_at",
        (customer_id,),
    ).fetchall()
    assert [row[1] for row in lots] == [300, 0], "the lot that it had made, not the soonest"
    before = footprint(owner, customer_id)
    for target in (given.id, back.id):
        with pytest.raises(Conflict), transaction():
            adjustments.undo(adjustment_id=target, note="Once more", rules=RULES, actor=maker)
    assert footprint(owner, customer_id) == before


def test_undo_of_a_debit_gives_what_has_too_little_time_its_grace_and_nothing_else(
    owner: psycopg.Connection,
) -> None:
    customer_id, maker = make_customer(), staff()
    soon = clock.now() + timedelta(days=2)
    with transaction():
        give_points(customer_id, 300, expires_at=soon)
        give_points(customer_id, 300, expires_at=None)
    few = ask(customer_id, -1, maker)
    most = ask(customer_id, -400, maker)
    for taken in (few, most):
        with transaction():
            adjustments.undo(adjustment_id=taken.id, note="Wrong person", rules=RULES, actor=maker)
    rows = owner.execute(
        "SELECT l.available, l.expires_at = %s, l.expires_at > now() + interval '13 days', p.expires_at = %s "
        "FROM points_lot l LEFT JOIN points_lot p ON p.id = l.parent_lot_id WHERE l.customer_id = %s ORDER BY l.id",
        (soon, soon, customer_id),
    ).fetchall()
    first, forever, *graces = rows
    assert (first, forever) == ((0, True, False, None), (300, None, None, None))
    assert graces == [(1, False, True, True), (299, False, True, True)]


def test_undo_of_spent_points_is_refused(owner: psycopg.Connection) -> None:
    customer_id, maker = make_customer(), staff()
    given = ask(customer_id, 400, maker)
    ask(customer_id, -100, maker)
    before = footprint(owner, customer_id)
    with pytest.raises(BelowZero), transaction():
        adjustments.undo(adjustment_id=given.id, note="Wrong person", rules=RULES, actor=maker)
    assert footprint(owner, customer_id) == before


@pytest.mark.parametrize("job_was_there", [True, False])
def test_undo_of_a_gift_does_not_take_what_has_expired_of_it(job_was_there: bool) -> None:
    customer_id, maker = make_customer(points=500), staff()
    gift = ask(customer_id, 500, maker, points_expire_at=clock.now() + timedelta(days=7))
    ask(customer_id, -100, maker)
    with clock.travel(days=8):
        if job_was_there:
            run_atomically(lambda: expiry.expire_batch(after=expiry.start(), actor=maker))
        with transaction():
            back = adjustments.undo(adjustment_id=gift.id, note="Wrong one", rules=RULES, actor=maker)
        assert (back.state, back.points) == ("applied", -500)
        assert standing(customer_id) == (400, 0), "100 of it were used, 400 had expired"
        assert differences() == {}


def test_undo_of_a_gift_that_had_paid_a_debt_takes_what_is_there_before_it_makes_one() -> None:
    customer_id, maker = make_customer(), staff()
    debtor(customer_id, owed=300)
    gift = ask(customer_id, 500, maker)
    assert standing(customer_id) == (200, 0)
    ask(customer_id, 60, maker)
    with transaction():
        adjustments.undo(adjustment_id=gift.id, note="Wrong person", rules=RULES, actor=maker)
    assert standing(customer_id) == (0, 240), "260 were there"
    assert differences() == {}


def test_two_equal_adjustments_can_both_be_undone() -> None:
    customer_id, maker, checker = make_customer(), staff("support"), staff("approver")
    waiting = []
    for _ in range(2):
        with transaction():
            asked = adjustments.request(
                customer_id=customer_id, points=6_000, reason_code="goodwill", note="A gift", rules=RULES, actor=maker
            )  # fmt: skip
        with transaction():
            adjustments.approve(adjustment_id=asked.id, note="Looks right", rules=RULES, actor=checker)
        waiting.append(asked.id)
    undos = []
    for adjustment_id in waiting:
        with transaction():
            undos.append(
                adjustments.undo(adjustment_id=adjustment_id, note="Wrong", rules=RULES, actor=maker)
            )
    assert [undo.state for undo in undos] == ["awaiting_approval"] * 2
    with pytest.raises(AdjustmentDuplicate), transaction():
        adjustments.undo(adjustment_id=waiting[0], note="Once more", rules=RULES, actor=maker)
    for undo in undos:
        with transaction():
            adjustments.approve(adjustment_id=undo.id, note="Looks right", rules=RULES, actor=checker)
    assert standing(customer_id) == (0, 0)
