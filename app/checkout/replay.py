"""Price stored orders again: by the rules that they were priced with, or by a draft, to see what would change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from app.checkout.rules import Tendered, TenderLine, limits_of, tender
from app.orders.history import PricedOrder
from app.rewards.rules import EarnPart, Rules, value_of


def recompute(order: PricedOrder, rules: Rules) -> Tendered:
    """The order's tenders and earned points by `rules`, with the points that it used."""
    return tender(_lines(order), points=order.points, tier=order.tier, at=order.priced_at, rules=rules)


def differences(order: PricedOrder, rules: Rules) -> list[str]:
    """What the order says and its own `rules` do not; empty when it can be recomputed to the point and the cent."""
    again = recompute(order, rules)
    compared = {
        "points_value": (order.points_value, again.points_value),
        "card_due": (order.card_due, again.card),
        "earn_points": (order.earn_points, again.earned.points),
        "line points": ([line.points for line in order.lines], [line.points for line in again.lines]),
        "line cards": ([line.card for line in order.lines], [line.card for line in again.lines]),
        "line earnings": ([line.earn_points for line in order.lines], again.earned.lines),
    }
    return [f"{name}: {told}, computed {now}" for name, (told, now) in compared.items() if told != now]


@dataclass
class Tally:
    """Sums over orders. Points; `earn_cost` and `redeemed_value` in minor units: what points are worth when spent."""

    orders: int = 0
    earned: int = 0
    earn_cost: int = 0
    redeemed: int = 0
    redeemed_value: int = 0

    def add(self, *, earned: int, redeemed: int, rules: Rules) -> None:
        self.orders += 1
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
    """`by_rule`: points that each of the draft's rules gave, dry runs apart. `changed`: orders that earn otherwise."""

    total: Comparison = field(default_factory=Comparison)
    by_tier: dict[str, Comparison] = field(default_factory=dict)
    by_rule: dict[str, int] = field(default_factory=dict)
    dry_runs: dict[str, int] = field(default_factory=dict)
    changed: int = 0
    fewer_points_usable: int = 0


def simulate(orders: Iterable[PricedOrder], *, draft: Rules, versions: Mapping[int, Rules]) -> Simulation:
    """Replay `orders` through `draft`; `versions` are the rules that they were priced with.

    An order pays with the points it paid with, or with as many as the draft still allows. Balances, tiers and
    what people buy are taken as they were: the draft changes rules, not behaviour.
    """
    result = Simulation()
    for order in orders:
        own = versions[order.rules_version]
        points = min(order.points, _usable(order, draft))
        again = tender(_lines(order), points=points, tier=order.tier, at=order.priced_at, rules=draft)
        for comparison in (result.total, result.by_tier.setdefault(order.tier, Comparison())):
            comparison.was.add(earned=order.earn_points, redeemed=order.points, rules=own)
            comparison.draft.add(earned=again.earned.points, redeemed=points, rules=draft)
        result.changed += again.earned.points != order.earn_points
        result.fewer_points_usable += points < order.points
        for part in again.earned.parts:
            _count(result, part)
    return result


def _usable(order: PricedOrder, draft: Rules) -> int:
    limits = limits_of(_lines(order), available=order.points, spent_today=0, card_minimum=0, rules=draft)
    return limits.max


def _count(result: Simulation, part: EarnPart) -> None:
    counted = result.dry_runs if part.dry_run else result.by_rule
    counted[part.rule] = counted.get(part.rule, 0) + part.points


def _lines(order: PricedOrder) -> list[TenderLine]:
    return [
        TenderLine(line.slug, line.brand, line.category, line.quantity, line.total, line.extras)
        for line in order.lines
    ]
