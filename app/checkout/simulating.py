"""Replay orders and sign-ups through a draft of the rules, to see what it would have changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from heapq import heappop, heappush

from app.checkout.replay import bonus_of, lines_of
from app.checkout.rules import limits_of, tender
from app.orders.history import PricedOrder
from app.rewards.queries.spending import DAY
from app.rewards.rules import Bonus, Rules, bonuses_for, value_of


@dataclass
class Tally:
    """Sums over orders. Points; `earn_cost` and `redeemed_value` in minor units: what points are worth when spent."""

    orders: int = 0
    earned: int = 0
    earn_cost: int = 0
    redeemed: int = 0
    redeemed_value: int = 0

    def add(self, *, earned: int, redeemed: int, rules: Rules, orders: int = 1) -> None:
        self.orders += orders
        self.earned += earned
        self.earn_cost += value_of(earned, rules)
        self.redeemed += redeemed
        self.redeemed_value += value_of(redeemed, rules)


@dataclass
class Comparison:
    """What was, and what the draft would have made of the same orders."""

    was: Tally = field(default_factory=Tally)
    draft: Tally = field(default_factory=Tally)

    @property
    def difference(self) -> dict[str, int]:
        """Draft less what was, by sum."""
        was, draft = asdict(self.was), asdict(self.draft)
        return {name: draft[name] - was[name] for name in was if name != "orders"}


@dataclass
class Simulation:
    """`by_rule`: points that each of the draft's rules and bonuses gave, dry runs apart. `changed`: orders that earn
    otherwise. `sign_ups`: how many were replayed."""

    total: Comparison = field(default_factory=Comparison)
    by_tier: dict[str, Comparison] = field(default_factory=dict)
    by_rule: dict[str, int] = field(default_factory=dict)
    dry_runs: dict[str, int] = field(default_factory=dict)
    changed: int = 0
    fewer_points_usable: int = 0
    sign_ups: int = 0


@dataclass
class _Day:
    """What each customer's replayed orders of the last 24 hours spent, by the draft."""

    spent: dict[object, deque[tuple[datetime, int]]] = field(default_factory=dict)

    def before(self, order: PricedOrder) -> int:
        orders = self.spent.setdefault(order.customer_id, deque())
        while orders and orders[0][0] <= order.held_at - DAY:
            orders.popleft()
        return sum(points for _, points in orders)

    def add(self, order: PricedOrder, points: int) -> None:
        self.spent[order.customer_id].append((order.held_at, points))


def simulate(
    orders: Iterable[PricedOrder],
    *,
    draft: Rules,
    versions: Mapping[int, Rules],
    day_before: Iterable[PricedOrder] = (),
    sign_ups: Iterable[tuple[datetime, int]] = (),
) -> Simulation:
    """Replay `orders`, the oldest first, through `draft`; `versions` are the rules that they were priced with.

    An order pays with the points it paid with, or with as many as the draft still allows, what the customer spent in
    24 hours considered; `day_before` are the orders of the day before the first, which count for that alone. First
    orders and `sign_ups` (when, and the version in force then) get the bonuses of their own rules and of the draft.
    Balances, tiers and what people buy are taken as they were: the draft changes rules, not behaviour.
    """
    result, day = Simulation(), _Day()
    for order, is_counted in _as_held(day_before, orders):
        if is_counted:
            _replay(result, order, day, draft=draft, own=versions[order.rules_version])
        else:
            _points(order, draft, day)
    for joined_at, version in sign_ups:
        _join(result, joined_at, draft=draft, own=versions[version])
    return result


def _as_held(
    day_before: Iterable[PricedOrder], orders: Iterable[PricedOrder]
) -> Iterator[tuple[PricedOrder, bool]]:
    """Each order, and whether it is one of `orders`, when its points were held: what was placed first and paid at a
    later attempt counts for the day of that. Only such orders wait in memory."""
    waiting: list[tuple[datetime, int, PricedOrder, bool]] = []
    number = 0
    for group, is_counted in ((day_before, False), (orders, True)):
        for order in group:
            while waiting and waiting[0][0] <= order.placed_at:
                yield heappop(waiting)[2:]
            heappush(waiting, (order.held_at, number, order, is_counted))
            number += 1
    while waiting:
        yield heappop(waiting)[2:]


def _replay(result: Simulation, order: PricedOrder, day: _Day, *, draft: Rules, own: Rules) -> None:
    points = _points(order, draft, day)
    tier = draft.tiers.find(order.tier).code
    again = tender(lines_of(order), points=points, tier=order.tier, at=order.priced_at, rules=draft)
    was = order.earn_points + _sum(bonus_of(order, own))
    bonuses = bonus_of(order, draft)
    earned = again.earned.points + _sum(bonuses)
    for comparison in (result.total, result.by_tier.setdefault(tier, Comparison())):
        comparison.was.add(earned=was, redeemed=order.points, rules=own)
        comparison.draft.add(earned=earned, redeemed=points, rules=draft)
    result.changed += earned != was
    result.fewer_points_usable += points < order.points
    for part in again.earned.parts:
        _count(result, part.rule, part.points, is_dry=part.dry_run)
    _count_bonuses(result, bonuses)


def _join(result: Simulation, joined_at: datetime, *, draft: Rules, own: Rules) -> None:
    lowest = draft.tiers.levels[0].code
    was = bonuses_for("sign_up", tier="", at=joined_at, rules=own)
    bonuses = bonuses_for("sign_up", tier="", at=joined_at, rules=draft)
    for comparison in (result.total, result.by_tier.setdefault(lowest, Comparison())):
        comparison.was.add(earned=_sum(was), redeemed=0, rules=own, orders=0)
        comparison.draft.add(earned=_sum(bonuses), redeemed=0, rules=draft, orders=0)
    result.sign_ups += 1
    _count_bonuses(result, bonuses)


def _points(order: PricedOrder, draft: Rules, day: _Day) -> int:
    """The points that the order pays with, noted for the rest of its customer's day."""
    limits = limits_of(
        lines_of(order), available=order.points, spent_today=day.before(order), card_minimum=0, rules=draft
    )
    points = min(order.points, limits.max)
    day.add(order, points)
    return points


def _sum(bonuses: Sequence[Bonus]) -> int:
    return sum(bonus.points for bonus in bonuses if not bonus.dry_run)


def _count_bonuses(result: Simulation, bonuses: Sequence[Bonus]) -> None:
    for bonus in bonuses:
        _count(result, bonus.name, bonus.points, is_dry=bonus.dry_run)


def _count(result: Simulation, rule: str, points: int, *, is_dry: bool) -> None:
    counted = result.dry_runs if is_dry else result.by_rule
    counted[rule] = counted.get(rule, 0) + points
