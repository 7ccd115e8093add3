"""An undo is another adjustment, linked to the first, that reverses it once."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from app.kernel import clock
from app.kernel.database import transaction
from app.kernel.errors import Conflict
from app.rewards import queries
from app.rewards.errors import BelowZero
from app.rewards.service import adjustments
from tests.factories.people import give_points, make_customer
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


def test_undo_of_a_debit_fills_the_same_lots_with_grace(owner: psycopg.Connection) -> None:
    customer_id, maker = make_customer(), staff()
    with transaction():
        give_points(customer_id, 300, expires_at=clock.now() + timedelta(days=2))
        give_points(customer_id, 300, expires_at=None)
    taken = ask(customer_id, -400, maker)
    with transaction():
        adjustments.undo(adjustment_id=taken.id, note="Wrong person", rules=RULES, actor=maker)
    rows = owner.execute(
        "SELECT available, expires_at > now() + interval '13 days' FROM points_lot WHERE customer_id = %s ORDER BY id",
        (customer_id,),
    ).fetchall()
    assert rows == [(300, True), (300, None)]


def test_undo_of_spent_points_is_refused(owner: psycopg.Connection) -> None:
    customer_id, maker = make_customer(), staff()
    given = ask(customer_id, 400, maker)
    ask(customer_id, -100, maker)
    before = footprint(owner, customer_id)
    with pytest.raises(BelowZero), transaction():
        adjustments.undo(adjustment_id=given.id, note="Wrong person", rules=RULES, actor=maker)
    assert footprint(owner, customer_id) == before
