"""Fixed points for something done once: signing up, a first order, a review."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import session
from app.rewards.errors import AlreadyPosted
from app.rewards.models import PointsAccount
from app.rewards.programme_models import PointsDryRun
from app.rewards.rules import Bonus, EarnPart, Rules
from app.rewards.service import activity, earning
from app.rewards.service.earning import Earning
from app.rewards.service.tiers import reassess

Action = Literal["sign_up", "first_order", "review"]


def give(
    *,
    customer_id: uuid.UUID,
    action: Action,
    source_id: str,
    rules: Rules,
    actor: Actor,
    basket: int = 0,
    order_number: str | None = None,
    confirms_at: datetime | None = None,
) -> int:
    """Give what the rules' bonuses for `action` add up to; how many points. Nothing the second time.

    `source_id` is what may earn it once: the customer for sign-up and first order, the review for a review.
    Spendable at once, or pending until `confirms_at`. `basket` in minor units.
    """
    now = clock.now()
    live = _open_bonuses(customer_id, action, basket, rules, now)
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


def _open_bonuses(
    customer_id: uuid.UUID, action: Action, basket: int, rules: Rules, now: datetime
) -> list[Bonus]:
    offered = [bonus for bonus in rules.earn.bonuses if bonus.action == action and bonus.points]
    if not offered:
        return []
    tier = session().scalar(select(PointsAccount.tier).where(PointsAccount.customer_id == customer_id))
    held = rules.tiers.find(tier or "").code
    return [bonus for bonus in offered if bonus.is_open(basket=basket, tier=held, at=now)]


def _record(
    bonus: Bonus, action: Action, source_id: str, customer_id: uuid.UUID, rules: Rules, now: datetime
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
