"""An occasion whose points were all taken back, and that earns anew: nothing of the first time sticks to it."""

from __future__ import annotations

import pytest

from app.kernel import clock, ids
from app.kernel.actor import system
from app.kernel.database import transaction
from app.rewards.queries import get_balance
from app.rewards.rules import Bonus, EarnRules, Rules
from app.rewards.service import bonuses, earning, refunds
from tests.factories.people import make_customer

ACTOR = system("test")
RULES = Rules(earn=EarnRules(bonuses=(Bonus(name="first", action="first_order", points=250),)))


@pytest.mark.usefixtures("app_context")
def test_a_bonus_that_was_held_back_for_a_disputed_order_comes_with_the_next_one() -> None:
    customer_id = make_customer()
    disputed, good = ids.order_number(), ids.order_number()

    def give(number: str) -> int:
        return bonuses.give(
            customer_id=customer_id, action="first_order", source_id=str(customer_id), order_number=number,
            confirms_at=clock.now(), rules=RULES, actor=ACTOR,
        )  # fmt: skip

    with transaction():
        assert give(disputed) == 250
        assert earning.hold_back(order_number=disputed) == 1
        refunds.take_back(
            customer_id=customer_id, source_type="first_order", source_id=str(customer_id), order_number=disputed,
            points=None, idem_key="dispute:1", actor=ACTOR,
        )  # fmt: skip
    assert get_balance(customer_id).pending == 0
    with transaction():
        assert give(good) == 250
    with transaction():
        ((earning_id, _),) = earning.list_due_earnings()
        assert earning.confirm(earning_id=earning_id, rules=RULES, actor=ACTOR) == 250
    assert get_balance(customer_id).available == 250
