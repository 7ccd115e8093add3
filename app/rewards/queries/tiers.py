"""Tiers: what was earned in the window, and what follows from it."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, func, select

from app.kernel import clock
from app.kernel.database import session
from app.rewards.models import PointsAccount, PointsEarning
from app.rewards.queries.balance import rules_in_force
from app.rewards.rules import Standing, TierRules, TierStatus, status_of


def get_earned(customer_id: uuid.UUID, *, window_days: int) -> int:
    """Points confirmed within the window, less what refunds took back of them. Spending does not count."""
    since = clock.now() - timedelta(days=window_days)
    total = session().scalar(
        select(func.coalesce(func.sum(PointsEarning.points - PointsEarning.taken_back), 0)).where(
            PointsEarning.customer_id == customer_id,
            PointsEarning.state == "confirmed",
            PointsEarning.resolved_at > since,
        )
    )
    return int(total or 0)


def get_tier_status(customer_id: uuid.UUID, *, rules: TierRules | None = None) -> TierStatus:
    """The customer's tier, what was earned for it, and what is missing for the next one."""
    rules = rules or rules_in_force().tiers
    row = (
        session()
        .execute(
            select(PointsAccount.tier, PointsAccount.tier_until).where(
                PointsAccount.customer_id == customer_id
            )
        )
        .first()
    )
    standing = Standing(row.tier, row.tier_until) if row else Standing(rules.levels[0].code)
    return status_of(standing, earned=get_earned(customer_id, window_days=rules.window_days), rules=rules)


def list_movable(*, rules: TierRules, after: uuid.UUID | None = None, limit: int) -> list[uuid.UUID]:
    """Customers whose tier may fall, being above the lowest, or rise, having earned enough for the second; by id.

    One index look-up for each account that ever earned that much: for jobs, not for pages.
    """
    account, earning = PointsAccount, PointsEarning
    movable: ColumnElement[bool] = account.tier != "member"
    if len(rules.levels) > 1:
        enough = rules.levels[1].points
        earned = (
            select(func.coalesce(func.sum(earning.points - earning.taken_back), 0))
            .where(
                earning.customer_id == account.customer_id,
                earning.state == "confirmed",
                earning.resolved_at > clock.now() - timedelta(days=rules.window_days),
            )
            .scalar_subquery()
        )
        movable |= and_(account.lifetime_earned >= enough, earned >= enough)
    statement = select(account.customer_id).where(movable)
    if after is not None:
        statement = statement.where(account.customer_id > after)
    return list(session().scalars(statement.order_by(account.customer_id).limit(limit)))
