"""A draft is tried on a dear order late in time: pricing, earning, confirming, giving back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.kernel.money import MAX_AMOUNT
from app.rewards.policies import lives_until
from app.rewards.rules.earning import earn_for
from app.rewards.rules.programme import Rules, lot_expiry
from app.rewards.rules.spending import limits_for, points_to_pay, usable_points, value_of
from app.rewards.rules.tiers import Standing, assess

LATE = datetime(2199, 12, 31, tzinfo=UTC)  # windows of rules end before
PRICE = 10**10  # minor units: dearer than any order
QUANTITY = 99
END_OF_LOTS = datetime(3000, 1, 1, tzinfo=UTC)
"""What the database takes as an expiry (migration 0046)."""


@dataclass(frozen=True, slots=True)
class _Line:
    slug: str = "trial"
    brand: str = "trial"
    category: str = "trial"
    quantity: int = QUANTITY
    total: int = PRICE
    extras: int = 1_000
    points_value: int = 0

    @property
    def card(self) -> int:
        return self.total + self.extras - self.points_value


def troubles_of(rules: Rules) -> Iterator[tuple[str, str]]:
    """(path, sentence) of what went wrong; nothing when all of it can be computed and stored."""
    try:
        yield from _money(rules)
        yield from _dates(rules)
    except (ArithmeticError, ValueError) as error:
        yield "rules", f"An order could not be computed with them: {error}."


def _money(rules: Rules) -> Iterator[tuple[str, str]]:
    total = 2 * (PRICE + 1_000)
    limits = limits_for(
        total=total, eligible=total, available=points_to_pay(total, rules), card_minimum=400, rules=rules
    )
    points = usable_points(limits.max, limits=limits, total=total, card_minimum=400, rules=rules)
    if value_of(points, rules) > total:
        yield "minor_units_per_100_points", "Points would pay more than the order costs."
    # every rule at once, whatever it covers and whenever it is open: no order can earn more
    everything = sum(rule.points for rule in rules.earn.rules) * 2 * QUANTITY
    percents = sum(rule.percent for rule in rules.earn.rules) + max(
        level.earn_percent for level in rules.tiers.levels
    )
    rates = rules.earn.points_per_100_minor_units * (1 + percents // 100)
    rates += sum(rule.points for rule in rules.earn.rules if rule.kind == "rate")
    if everything + total * rates // 100 > MAX_AMOUNT:
        yield "earn", "A dear order could earn more points than can be kept."
    if sum(bonus.points for bonus in rules.earn.bonuses) > MAX_AMOUNT:
        yield "earn.bonuses", "They add up to more points than can be kept."
    for level in rules.tiers.levels:
        earned = earn_for([_Line(), _Line()], tier=level.code, at=LATE, rules=rules)
        if not 0 <= earned.points == sum(earned.lines) <= MAX_AMOUNT:
            yield "earn", "A dear order could earn more points than can be kept."


def _dates(rules: Rules) -> Iterator[tuple[str, str]]:
    earn, transfers = rules.earn, rules.transfers
    confirmed = LATE + timedelta(days=max(earn.return_window_days, earn.days_after_delivery or 0))
    expires = lot_expiry(confirmed, rules) or confirmed
    last = max(
        lives_until(expires, rules.expiry) or expires,
        expires + timedelta(days=rules.release_grace_days),
        expires + timedelta(hours=transfers.cool_off_hours, minutes=transfers.confirm_within_minutes),
        expires + timedelta(days=max(rules.expiry.remind_days, default=0)),
        expires + timedelta(seconds=max(rules.quote_ttl_seconds, rules.hold_ttl_seconds)),
    )
    if last >= END_OF_LOTS:
        yield "rules", f"Points would expire after the year {END_OF_LOTS.year}."
    for level in rules.tiers.levels:
        assess(
            Standing(level.code),
            earned=0,
            now=LATE - timedelta(days=rules.tiers.window_days),
            rules=rules.tiers,
        )
