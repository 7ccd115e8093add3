"""Fixed points for something done once: signing up, a first order, a review."""

from __future__ import annotations

import uuid
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.rewards.errors import AlreadyPosted
from app.rewards.models import PointsAccount
from app.rewards.programme_models import PointsDryRun
from app.rewards.rules import Bonus, BonusAction, EarnPart, Rules, bonuses_for
from app.rewards.service import activity, earning
from app.rewards.service.earning import Earning
from app.rewards.service.tiers import reassess


def give(
    *,
    customer_id: uuid.UUID,
    action: BonusAction,
    source_id: str,
    rules: Rules,
    actor: Actor,
    basket: int = 0,
    at: datetime | None = None,
    tier: str | None = None,
    order_number: str | None = None,
    confirms_at: datetime | None = None,
) -> int:
    """Give what the rules' bonuses for `action` add up to; how many points. Nothing the second time.

    `source_id` is what may earn it once: the customer for sign-up and first order, the review for a review.
    Spendable at once, or pending until `confirms_at`. `basket` in minor units. `at` and `tier` are what the bonuses
    are chosen for, when that was decided before; None: now, and the tier that the customer has.
    """
    now = clock.now()
    if not any(bonus.action == action for bonus in rules.earn.bonuses):
        return 0
    held = _tier_of(customer_id) if tier is None else tier
    live = bonuses_for(action, basket=basket, tier=held, at=at or now, rules=rules)
    for bonus in live:
        if bonus.dry_run:
            _record(bonus, action, source_id, customer_id, rules, now)
    parts = [EarnPart(bonus.name, bonus.label, bonus.points) for bonus in live if not bonus.dry_run]
    points = sum(part.points for part in parts)
    if not points:
        return 0
    booking = Earning(
        customer_id=customer_id,
        source_type=action,
        source_id=source_id,
        order_number=order_number,
        points=points,
        confirms_at=confirms_at or now,
        rules_version=rules.version,
        breakdown={"parts": msgspec.to_builtins(parts)},
        description=f"Bonus: {action.replace('_', ' ')}",
    )
    try:
        with session().begin_nested():
            earning_id = earning.book(booking, actor=actor)
    except AlreadyPosted:
        return 0
    activity.extend(customer_id=customer_id, rules=rules.expiry)
    if confirms_at is None:
        earning.confirm(earning_id=earning_id, rules=rules, actor=actor)
        reassess(customer_id=customer_id, rules=rules.tiers)
    return points


def _tier_of(customer_id: uuid.UUID) -> str:
    account = PointsAccount
    return session().scalar(select(account.tier).where(account.customer_id == customer_id)) or ""


def _record(
    bonus: Bonus, action: BonusAction, source_id: str, customer_id: uuid.UUID, rules: Rules, now: datetime
) -> None:
    statement = insert(PointsDryRun).values(
        rule=bonus.name,
        source_type=action,
        source_id=source_id,
        customer_id=customer_id,
        points=bonus.points,
        rules_version=rules.version,
        created_at=now,
    )
    session().execute(statement.on_conflict_do_nothing())
