"""Everything that support is asked about one person, read for one screen in a fixed number of statements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.accounts.queries import Person
from app.audit.reading import Entry
from app.blueprints.backoffice.history import history_of
from app.notifications.queries import list_mails_of
from app.orders.queries import OrderView, list_orders
from app.payments.queries import list_payments_by
from app.rewards import queries as rewards
from app.rewards.queries import Adjustment, Balance, StatementRow
from app.rewards.queries.lots import list_lots

LATEST = 10


@dataclass(frozen=True)
class About:
    """`may`: which rooms the reader's role opens; what it does not open is empty."""

    person: Person
    may: dict[str, bool]
    balance: Balance
    holds: Sequence[Any]
    lots: Sequence[Any]
    expiring: list[tuple[int, datetime]]
    statement: Sequence[StatementRow]
    adjustments: Sequence[Adjustment]
    orders: Sequence[OrderView]
    payments: Sequence[Any]
    mails: Sequence[Any]
    audit: Sequence[Entry] | None


def everything_about(person: Person, allowed: Callable[[str], bool]) -> About:
    """The latest ten of everything."""
    names = ("rewards.read", "rewards.adjust", "orders.read", "payments.read", "users.edit")
    may = {name.replace(".", "_"): allowed(name) for name in names}
    points, who = may["rewards_read"], person.id
    return About(
        person=person,
        may=may,
        balance=rewards.get_balance(who),
        holds=rewards.list_holds(who) if points else [],
        lots=list_lots(who, limit=LATEST) if points else [],
        expiring=rewards.list_expiring(who) if points else [],
        statement=rewards.list_transactions(who, limit=LATEST).items if points else [],
        adjustments=rewards.list_adjustments(customer_id=who, limit=LATEST).items if points else [],
        orders=list_orders(who, limit=LATEST).items if may["orders_read"] else [],
        payments=list_payments_by(who, limit=LATEST) if may["payments_read"] else [],
        mails=list_mails_of(who, limit=LATEST),
        audit=history_of("customer", str(who)),
    )
