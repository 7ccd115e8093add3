"""What an order earns, line by line, from rules that are data.

The order of things, which is the same for quote, order, recomputation and simulation: each line's base is what the
card paid for it (points earn nothing, unless the rules say so) times the base rate. Rules apply to that base by
falling priority, then name; they add up and never multiply each other; an `exclusive` one is the last for its line.
With stacking `best`, a line keeps only the rule that gives it most. The tier's extra is added on the base. The order's
sum is rounded once and split over the lines exactly (largest remainder).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from app.kernel.money import divide_half_up, split
from app.rewards.ranges import AtLeastWhole, Days, Label, Name, Natural, Points, Priority, Rate, SomeDays
from app.rewards.rules.scope import Instant, Scope
from app.rewards.rules.spending import SpendLine

if TYPE_CHECKING:
    from app.rewards.rules.programme import Rules

Rounding = Literal["down", "half_up", "up"]
BonusAction = Literal["sign_up", "first_order", "review"]


class Window(Scope, frozen=True, kw_only=True):
    """When and for whom something counts: `starts_at` included, `ends_at` not; `tiers` none named: all."""

    name: Name
    label: Label = ""
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    min_basket: Natural = 0
    tiers: tuple[str, ...] = ()
    dry_run: bool = False

    def is_open(self, *, basket: int, tier: str, at: datetime) -> bool:
        """`basket`: what the goods cost, minor units."""
        return (
            (self.starts_at is None or self.starts_at <= at)
            and (self.ends_at is None or at < self.ends_at)
            and basket >= self.min_basket
            and (not self.tiers or tier in self.tiers)
        )


class EarnRule(Window, frozen=True, kw_only=True):
    """Extra points on the lines that it covers.

    `multiplier`: `percent` of the base instead of 100. `rate`: `points` more per 100 minor units of the base.
    `per_unit`: `points` for each unit. `per_order`: `points` once, shared by the lines. The last two shrink with
    the part of a line that does not earn.
    """

    kind: Literal["multiplier", "rate", "per_unit", "per_order"]
    percent: AtLeastWhole = 100
    points: Points = 0
    priority: Priority = 0
    exclusive: bool = False


class Bonus(Window, frozen=True, kw_only=True):
    """A fixed number of points for something done once."""

    action: BonusAction
    points: Points


class EarnRules(msgspec.Struct, frozen=True, kw_only=True):
    """`points_per_100_minor_units` on what the card pays, delivery included unless `on_delivery` is off.

    Pending for `return_window_days` after payment, or until `days_after_delivery` once it is delivered, if set.
    Points live for `lot_days` from their confirmation; None: for ever. `excludes`: what earns nothing at all.
    """

    points_per_100_minor_units: Rate = 1
    on_points_part: bool = False
    on_delivery: bool = True
    rounding: Rounding = "down"
    stacking: Literal["add", "best"] = "add"
    return_window_days: Days = 30
    days_after_delivery: Days | None = None
    lot_days: SomeDays | None = 1095
    rules: tuple[EarnRule, ...] = ()
    excludes: tuple[Scope, ...] = ()
    bonuses: tuple[Bonus, ...] = ()


def bonuses_for(
    action: BonusAction, *, tier: str, at: datetime, rules: Rules, basket: int = 0
) -> list[Bonus]:
    """What `action` gives to a customer of `tier`, dry runs included; `basket` in minor units."""
    held = rules.tiers.find(tier).code
    return [
        bonus
        for bonus in rules.earn.bonuses
        if bonus.action == action and bonus.points and bonus.is_open(basket=basket, tier=held, at=at)
    ]


class EarnLine(SpendLine, Protocol):
    """A line as it is paid, minor units."""

    @property
    def quantity(self) -> int: ...
    @property
    def points_value(self) -> int: ...
    @property
    def card(self) -> int: ...


class EarnPart(msgspec.Struct, frozen=True):
    """What one rule gave; `base` and `tier` are the names of what is no rule. `dry_run`: would have given."""

    rule: str
    label: str
    points: int
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Earned:
    """`points` in all, per line, and per rule; dry runs are listed and not counted."""

    points: int
    lines: list[int]
    parts: list[EarnPart]


@dataclass(frozen=True, slots=True)
class _Share:
    """One rule's exact points for one line."""

    line: int
    rule: str
    label: str
    points: Fraction
    dry_run: bool = False


def earn_for(lines: Sequence[EarnLine], *, tier: str, at: datetime, rules: Rules) -> Earned:
    """The points of an order whose goods cost the lines' totals, priced at `at` for a customer of `tier`."""
    tier = rules.tiers.find(tier).code
    basket = sum(line.total for line in lines)
    rules_now = sorted(
        (rule for rule in rules.earn.rules if rule.is_open(basket=basket, tier=tier, at=at)),
        key=lambda rule: (-rule.priority, rule.name),
    )
    shares: list[_Share] = []
    for index, line in enumerate(lines):
        if not any(scope.covers(line) for scope in rules.earn.excludes):
            shares += _shares(index, lines, rules_now, tier, rules)
    live = [share for share in shares if not share.dry_run]
    points = _rounded(sum((share.points for share in live), Fraction(0)), rules.earn.rounding)
    per_line = [sum((s.points for s in live if s.line == i), Fraction(0)) for i in range(len(lines))]
    return Earned(points, _split(points, per_line), _parts(points, shares, rules.earn.rounding))


@dataclass(frozen=True, slots=True)
class _Single:
    """One unit of something, paid by card, without delivery."""

    slug: str
    brand: str
    category: str
    total: int
    quantity: int = 1
    extras: int = 0
    points_value: int = 0

    @property
    def card(self) -> int:
        return self.total


def earned_by_card(
    *, slug: str, brand: str, category: str, price: int, at: datetime, rules: Rules, tier: str = ""
) -> int:
    """Points that one unit at `price` (minor units), alone and paid by card, earns; no `tier`: the lowest."""
    line = _Single(slug, brand, category, price)
    return earn_for([line], tier=tier, at=at, rules=rules).points


def _shares(
    index: int, lines: Sequence[EarnLine], rules_now: Sequence[EarnRule], tier: str, rules: Rules
) -> list[_Share]:
    line = lines[index]
    amount = _earning_amount(line, rules.earn)
    base = amount * rules.earn.points_per_100_minor_units / 100
    extra: list[_Share] = []
    for rule in rules_now:
        if rule.covers(line):
            given = _given(rule, line, lines, amount, base)
            extra.append(_Share(index, rule.name, rule.label, given, rule.dry_run))
            if rule.exclusive and not rule.dry_run:
                break
    if rules.earn.stacking == "best":
        live = [share for share in extra if not share.dry_run]
        best = max(live, key=lambda share: share.points, default=None)
        extra = [share for share in extra if share.dry_run or share is best]
    level = rules.tiers.find(tier)
    if level.earn_percent > 100:
        extra.append(_Share(index, "tier", level.name, base * (level.earn_percent - 100) / 100))
    return [_Share(index, "base", "", base), *extra]


def _earning_amount(line: EarnLine, earn: EarnRules) -> Fraction:
    """The minor units of the line that earn."""
    paid = line.card + (line.points_value if earn.on_points_part else 0)
    if earn.on_delivery or not line.extras:
        return Fraction(paid)
    return Fraction(paid * line.total, line.total + line.extras)


def _given(
    rule: EarnRule, line: EarnLine, lines: Sequence[EarnLine], amount: Fraction, base: Fraction
) -> Fraction:
    if rule.kind == "multiplier":
        return base * (rule.percent - 100) / 100
    if rule.kind == "rate":
        return amount * rule.points / 100
    cost = line.card + line.points_value
    part = min(Fraction(1), amount / cost) if cost else Fraction(0)
    if rule.kind == "per_unit":
        return rule.points * line.quantity * part
    covered = sum(other.total for other in lines if rule.covers(other))
    return rule.points * Fraction(line.total, covered) * part if covered else Fraction(0)


def _parts(points: int, shares: Sequence[_Share], rounding: Rounding) -> list[EarnPart]:
    keys = list(dict.fromkeys((share.rule, share.label, share.dry_run) for share in shares))
    sums = [_sum(s.points for s in shares if (s.rule, s.label, s.dry_run) == key) for key in keys]
    live = [i for i, key in enumerate(keys) if not key[2]]
    given = dict(zip(live, _split(points, [sums[i] for i in live]), strict=True))
    parts = [
        EarnPart(rule, label, given[i] if i in given else _rounded(sums[i], rounding), dry_run)
        for i, (rule, label, dry_run) in enumerate(keys)
    ]
    return [part for part in parts if part.points]


def _sum(points: Iterable[Fraction]) -> Fraction:
    return sum(points, Fraction(0))


def _split(points: int, exact: Sequence[Fraction]) -> list[int]:
    common = math.lcm(*(part.denominator for part in exact))
    return split(points, [int(part * common) for part in exact])


def _rounded(points: Fraction, rounding: Rounding) -> int:
    if rounding == "half_up":
        return divide_half_up(points.numerator, points.denominator)
    return math.ceil(points) if rounding == "up" else math.floor(points)
