"""Balances, holds and the rules in force."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, or_, select

from app.kernel import clock
from app.kernel.database import session
from app.rewards.models import PointsAccount, PointsHold, PointsLot, RewardsRules
from app.rewards.rules import MOMENT, Rules, rules_from

EXPIRING_SOON = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Balance:
    """Points: spendable, promised to orders, not yet confirmed, and owed (zero or positive)."""

    available: int = 0
    held: int = 0
    pending: int = 0
    owed: int = 0
    lifetime_earned: int = 0
    tier: str = "member"


def get_balance(customer_id: uuid.UUID) -> Balance:
    """One indexed row; zeros for a customer who never had points."""
    account = PointsAccount
    row = (
        session()
        .execute(
            select(
                account.available,
                account.held,
                account.pending,
                -account.debt,
                account.lifetime_earned,
                account.tier,
            ).where(account.customer_id == customer_id)
        )
        .first()
    )
    return Balance(*row) if row else Balance()


def get_spendable(customer_id: uuid.UUID) -> int:
    """Points that can be held now: not expired, not in a cool-off."""
    now = clock.now()
    total = session().scalar(
        select(func.coalesce(func.sum(PointsLot.available), 0)).where(
            PointsLot.customer_id == customer_id,
            PointsLot.available > 0,
            or_(PointsLot.expires_at.is_(None), PointsLot.expires_at > now),
            or_(PointsLot.spendable_from.is_(None), PointsLot.spendable_from <= now),
        )
    )
    return int(total or 0)


def get_takeable(customer_id: uuid.UUID) -> int:
    """Points that the shop could take now: those in a cool-off as well, not what is held or has expired."""
    total = session().scalar(
        select(func.coalesce(func.sum(PointsLot.available), 0)).where(
            PointsLot.customer_id == customer_id,
            PointsLot.available > 0,
            or_(PointsLot.expires_at.is_(None), PointsLot.expires_at > clock.now()),
        )
    )
    return int(total or 0)


# asked for by nearly every page: built once
_IN_FORCE = (
    select(RewardsRules.version, RewardsRules.body)
    .where(RewardsRules.effective_from <= bindparam("at"))
    .order_by(RewardsRules.effective_from.desc(), RewardsRules.version.desc())
    .limit(1)
)


def rules_in_force(at: datetime | None = None) -> Rules:
    """The version whose start is the latest not after `at` (default: now)."""
    row = session().execute(_IN_FORCE, {"at": at or clock.now()}).first()
    return rules_from(row.body, version=row.version) if row else Rules()


def rules_of_version(version: int) -> Rules:
    """The rules that an order was priced with; versions are never edited or deleted."""
    body = session().scalar(select(RewardsRules.body).where(RewardsRules.version == version))
    return rules_from(body, version=version) if body is not None else Rules(version=version)


def list_expiring(customer_id: uuid.UUID, *, within: timedelta = EXPIRING_SOON) -> list[tuple[int, datetime]]:
    """[(points, expires_at)] of what can still be spent by its last day, soonest first."""
    day = func.date_trunc("day", PointsLot.expires_at - MOMENT)
    rows = session().execute(
        select(func.sum(PointsLot.available), func.min(PointsLot.expires_at))
        .where(
            PointsLot.customer_id == customer_id,
            PointsLot.available > 0,
            PointsLot.expires_at > clock.now(),
            PointsLot.expires_at <= clock.now() + within,
        )
        .group_by(day)
        .order_by(day)
    )
    return [(int(points), at) for points, at in rows if at is not None]


def list_holds(customer_id: uuid.UUID) -> Sequence[Any]:
    """Active holds: order_number, points, expires_at, created_at; oldest first."""
    return (
        session()
        .execute(
            select(
                PointsHold.order_number,
                PointsHold.amount.label("points"),
                PointsHold.expires_at,
                PointsHold.created_at,
            )
            .where(PointsHold.customer_id == customer_id, PointsHold.state == "active")
            .order_by(PointsHold.created_at)
        )
        .all()
    )
