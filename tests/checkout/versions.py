"""Versions of the rules, and orders under them: what the tests of rules start from."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.orders.history import PricedOrder, iterate_paid
from app.rewards.models import PointsEarning
from app.rewards.queries import (
    get_rules_version,
)
from app.rewards.rules import Rules
from app.rewards.service import rules_versions
from tests.checkout.conftest import Shopper

SYSTEM = system("test")


def publish(body: dict[str, Any], **more: Any) -> Rules:
    """A version in force from now; the rules as they are read back."""
    with transaction():
        version = rules_versions.publish(
            body=body, effective_from=more.get("effective_from"), reason="For a test", actor=SYSTEM
        )
    return get_rules_version(version).rules


def campaign(**rule: Any) -> dict[str, Any]:
    return {"earn": {"rules": [{"name": "double", "kind": "multiplier", "percent": 200, **rule}]}}


def bought(shopper: Shopper, points: int = 0) -> str:
    placed = shopper.place(shopper.quote(points))
    assert placed["status"] == "paid"
    return str(placed["number"])


def earning_of(number: str) -> PointsEarning:
    session().expire_all()
    return session().scalars(select(PointsEarning).filter_by(order_number=number, source_type="order")).one()


def priced(number: str) -> PricedOrder:
    """A paid order of the last 30 days as it is priced again."""
    since = clock.now() - timedelta(days=30)
    return next(order for order in iterate_paid(since=since) if order.number == number)


BONUSES = {
    "earn": {
        "bonuses": [
            {"name": "hello", "action": "sign_up", "points": 300},
            {"name": "hello-more", "action": "sign_up", "points": 50, "dry_run": True},
            {"name": "first", "action": "first_order", "points": 1_000, "min_basket": 8_000},
        ]
    }
}
