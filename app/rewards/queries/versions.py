"""Every version of the rules that was ever published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from app.accounts.models import Customer
from app.kernel import clock
from app.kernel.database import session
from app.rewards.errors import RulesVersionNotFound
from app.rewards.models import RewardsRules
from app.rewards.queries.balance import rules_in_force, rules_of_version
from app.rewards.rules import Rules, rules_from


@dataclass(frozen=True, slots=True)
class RulesVersion:
    """`state`: past, in_force or future."""

    version: int
    state: str
    effective_from: datetime
    created_at: datetime
    created_by: str
    rules: Rules


class RulesByVersion(dict[int, Rules]):
    """Rules by the number of their version, read once each when they are asked for."""

    def __missing__(self, version: int) -> Rules:
        self[version] = rules_of_version(version)
        return self[version]


def list_rules_versions() -> list[RulesVersion]:
    """All versions, the latest start first."""
    ordered = select(RewardsRules).order_by(RewardsRules.effective_from.desc(), RewardsRules.version.desc())
    in_force, now = rules_in_force().version, clock.now()
    return [_view(row, in_force, now) for row in session().scalars(ordered)]


def get_rules_version(version: int) -> RulesVersion:
    """Raises RulesVersionNotFound."""
    row = session().get(RewardsRules, version)
    if row is None:
        raise RulesVersionNotFound("There is no such version of the rules.")
    return _view(row, rules_in_force().version, clock.now())


def list_sign_ups(*, since: datetime, limit: int | None) -> list[tuple[datetime, int]]:
    """[(when, version in force then)] of customers who joined since then, the oldest first."""
    version = (
        select(RewardsRules.version)
        .where(RewardsRules.effective_from <= Customer.created_at)
        .order_by(RewardsRules.effective_from.desc(), RewardsRules.version.desc())
        .limit(1)
        .scalar_subquery()
    )
    joined = select(Customer.created_at, func.coalesce(version, 1)).where(
        Customer.role == "customer", Customer.created_at >= since
    )
    return [
        (at, number) for at, number in session().execute(joined.order_by(Customer.created_at).limit(limit))
    ]


def _view(row: RewardsRules, in_force: int, now: datetime) -> RulesVersion:
    state = "future" if row.effective_from > now else "in_force" if row.version == in_force else "past"
    return RulesVersion(
        version=row.version,
        state=state,
        effective_from=row.effective_from,
        created_at=row.created_at,
        created_by=row.created_by,
        rules=rules_from(row.body, version=row.version),
    )
