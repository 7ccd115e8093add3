"""People who owe points, and what the ledger's books say afterwards."""

from __future__ import annotations

import uuid

from app.audit import verification
from app.kernel import clock, ids
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.rewards.queries import get_balance
from app.rewards.rules import Rules
from app.rewards.service import earning, refunds
from app.rewards.service.verify import LEDGER
from tests.factories.people import give_points

ACTOR = system("test")
RULES = Rules()


def earned(customer_id: uuid.UUID, points: int) -> tuple[str, str]:
    """Confirmed `points` of an order; (its id, its number)."""
    order_id, number = ids.uuid7(), ids.order_number()
    with transaction():
        earning.earn_pending(
            customer_id=customer_id, order_id=order_id, order_number=number, points=points,
            confirms_at=clock.now(), rules_version=1, breakdown={}, actor=ACTOR,
        )  # fmt: skip
        ((due, _),) = earning.list_due_earnings()
        earning.confirm(earning_id=due, rules=RULES, actor=ACTOR)
    return str(order_id), number


def taken_back(
    customer_id: uuid.UUID, order: tuple[str, str], points: int | None = None
) -> refunds.TakenBack:
    with transaction():
        return refunds.take_back(
            customer_id=customer_id, source_id=order[0], order_number=order[1], points=points,
            idem_key=f"test:{uuid.uuid4()}", actor=ACTOR,
        )  # fmt: skip


def debtor(customer_id: uuid.UUID, *, owed: int) -> None:
    """Earned `owed` points, used them, and gave the order back."""
    order = earned(customer_id, owed)
    spend(customer_id, owed)
    taken_back(customer_id, order)
    assert standing(customer_id) == (0, owed)


def spend(customer_id: uuid.UUID, points: int) -> None:
    with transaction():
        give_points(customer_id, -points)


def standing(customer_id: uuid.UUID) -> tuple[int, int]:
    """(available, owed)"""
    session().rollback()
    balance = get_balance(customer_id)
    session().rollback()
    return balance.available, balance.owed


def differences() -> dict[str, int]:
    """What the ledger's own probes find."""
    session().rollback()
    with transaction():
        report = verification.run(LEDGER)
    return {check.name: check.found for check in report.differences}
