"""Adjustments that nobody decided in time, or whose points would be dead on arrival."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import transaction
from app.kernel.errors import Conflict
from app.rewards import queries
from app.rewards.service import adjustments
from tests.factories.people import make_customer
from tests.services.test_adjustments import RULES, ask, audit_rows, footprint, staff

pytestmark = pytest.mark.usefixtures("app_context")


def test_what_nobody_decides_in_seven_days_expires(owner: psycopg.Connection) -> None:
    customer_id, checker = make_customer(), staff("approver")
    waiting = ask(customer_id, 900, staff())
    with transaction():
        assert adjustments.expire_unapproved(actor=system("adjustments")) == 0
    with clock.travel(days=7, minutes=1):
        with pytest.raises(Conflict) as late, transaction():
            adjustments.approve(adjustment_id=waiting.id, note="At last", rules=RULES, actor=checker)
        assert late.value.code == "ADJUSTMENT_EXPIRED"
        with transaction():
            assert adjustments.expire_unapproved(actor=system("adjustments")) >= 1
    assert queries.get_adjustment(waiting.id).state == "expired"
    assert queries.get_balance(customer_id).available == 0
    assert audit_rows(owner, customer_id)[-1][0] == "points.adjustment_expired"


def test_points_that_would_be_dead_on_arrival_are_not_approved(owner: psycopg.Connection) -> None:
    customer_id, checker = make_customer(), staff("approver")
    waiting = ask(customer_id, 900, staff(), points_expire_at=clock.now() + timedelta(days=2))
    before = footprint(owner, customer_id)
    with clock.travel(days=2, minutes=1), pytest.raises(Conflict) as late, transaction():
        adjustments.approve(adjustment_id=waiting.id, note="At last", rules=RULES, actor=checker)
    assert (late.value.code, "Ask again with a later date" in late.value.message) == (
        "ADJUSTMENT_EXPIRED",
        True,
    )
    assert footprint(owner, customer_id) == before
    with clock.travel(days=1), transaction():
        adjustments.approve(adjustment_id=waiting.id, note="In time", rules=RULES, actor=checker)
    assert queries.get_balance(customer_id).available == 900
