"""Keep a customer's tier in step with what they earned."""

from __future__ import annotations

import uuid

from sqlalchemy import select, update

from app.kernel import clock
from app.kernel.database import session
from app.rewards.models import PointsAccount
from app.rewards.queries.tiers import get_earned
from app.rewards.rules import Standing, TierRules, assess
from app.rewards.service.accounts import lock_account


def reassess(*, customer_id: uuid.UUID, rules: TierRules) -> Standing:
    """Look at the rolling window again: rise at once, fall after the grace period. Locks the account."""
    lock_account(customer_id=customer_id)
    account = PointsAccount
    row = (
        session()
        .execute(select(account.tier, account.tier_until).where(account.customer_id == customer_id))
        .one()
    )
    before = Standing(row.tier, row.tier_until)
    earned = get_earned(customer_id, window_days=rules.window_days)
    after = assess(before, earned=earned, now=clock.now(), rules=rules)
    if after != before:
        session().execute(
            update(account)
            .where(account.customer_id == customer_id)
            .values(tier=after.tier, tier_until=after.until)
        )
    return after
