"""What a refund gives back: one function for the promise before buying, the preview and the refund itself.

Amounts are cumulative: what is due for a line depends only on how much of it has come back in all, so that any
sequence of partial refunds ends at exactly what was paid, to the point and the cent. Delivery comes back with the
refund that completes the order. Points are whole: their number is rounded first, their worth follows from it,
and the card takes the rest. Where a unit costs less than a point is worth, unit by unit and at once may differ in
the card's part by less than one point's worth on the way; never in what the goods were worth, nor at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.kernel.errors import Conflict, RuleBroken, invalid
from app.kernel.money import divide_half_up, split

Strategy = Literal["proportional", "card_first", "points_first"]
STRATEGIES: tuple[Strategy, ...] = ("proportional", "card_first", "points_first")


@dataclass(frozen=True, slots=True)
class Tenders:
    """Points, what they are worth and card money (minor units)."""

    points: int = 0
    points_value: int = 0
    card: int = 0

    @property
    def value(self) -> int:
        """Minor units in all."""
        return self.points_value + self.card

    def __add__(self, other: Tenders) -> Tenders:
        return Tenders(
            self.points + other.points, self.points_value + other.points_value, self.card + other.card
        )

    def __sub__(self, other: Tenders) -> Tenders:
        return Tenders(
            self.points - other.points, self.points_value - other.points_value, self.card - other.card
        )


NOTHING = Tenders()


@dataclass(frozen=True, slots=True)
class LinePaid:
    """A line as it was paid (`paid` includes its share of `extras`), and what has come back of it so far."""

    sku: str
    quantity: int
    unit_price: int
    extras: int
    paid: Tenders
    earn_points: int
    back_quantity: int = 0
    back: Tenders = NOTHING
    back_earned: int = 0

    @property
    def left(self) -> int:
        """Units that can still come back."""
        return self.quantity - self.back_quantity


@dataclass(frozen=True, slots=True)
class LineRefund:
    """What goes back for a line now. `quantity` 0: only its share of delivery. `clawback`: what of its points is
    earned no longer."""

    sku: str
    quantity: int
    give: Tenders
    clawback: int


@dataclass(frozen=True, slots=True)
class RefundPlan:
    """A refund, computed. `completes`: nothing of the order is left after it; `kept`: what the goods that are left
    cost, minor units. `bonus` points go with it; `expired` ones were gone before, and are nobody's loss now."""

    strategy: Strategy
    lines: Sequence[LineRefund] = field(default_factory=list)
    completes: bool = False
    kept: int = 0
    bonus: int = 0
    expired: int = 0

    @property
    def give(self) -> Tenders:
        return total(line.give for line in self.lines)

    @property
    def earned(self) -> int:
        """Points that these lines had earned."""
        return sum(line.clawback for line in self.lines)

    @property
    def clawback(self) -> int:
        """Points that the customer loses."""
        return self.earned + self.bonus - self.expired


def total(parts: Iterable[Tenders]) -> Tenders:
    """Their sum."""
    return sum(parts, NOTHING)


def plan_refund(
    lines: Sequence[LinePaid], wanted: Mapping[str, int] | None, strategy: Strategy
) -> RefundPlan:
    """What giving back `wanted` (sku -> units; None: all that is left, delivery included) means.

    `proportional` returns each line as it was paid; `card_first` and `points_first` empty one tender of the
    order before they touch the other. Raises RuleBroken naming `lines` or `strategy`, Conflict
    `NOTHING_TO_REFUND`.
    """
    if strategy not in STRATEGIES:
        raise invalid("strategy", "UNKNOWN", f"Choose one of {', '.join(STRATEGIES)}.")
    units = _units(lines, wanted)
    completes = all(line.left == quantity for line, quantity in zip(lines, units, strict=True))
    dues = [_due(line, quantity, completes) for line, quantity in zip(lines, units, strict=True)]
    paid, back = total(line.paid for line in lines), total(line.back for line in lines)
    gives = _as_paid(lines, dues)
    if strategy != "proportional" or not _fits(total(gives), paid, back, len(lines)):
        wished = {"proportional": total(gives).points_value, "card_first": 0, "points_first": sum(dues)}
        gives = _spread(_tenders(sum(dues), wished[strategy], paid, back), dues)
    refunds = [
        LineRefund(line.sku, quantity, give, _clawback(line, quantity))
        for line, quantity, give in zip(lines, units, gives, strict=True)
        if quantity or give != NOTHING
    ]
    kept = sum(line.unit_price * (line.left - quantity) for line, quantity in zip(lines, units, strict=True))
    return RefundPlan(strategy, refunds, completes, kept)


def _units(lines: Sequence[LinePaid], wanted: Mapping[str, int] | None) -> list[int]:
    if wanted is None:
        if all(line.left == 0 for line in lines):
            raise Conflict("Everything of this order has been refunded.", code="NOTHING_TO_REFUND")
        return [line.left for line in lines]
    known = {line.sku: line for line in lines}
    if not wanted:
        raise invalid("lines", "REQUIRED", "Say what comes back.")
    for sku, quantity in wanted.items():
        if sku not in known:
            raise invalid("lines", "UNKNOWN", f"{sku} is not part of this order.")
        if quantity < 1:
            raise invalid("lines", "TOO_SMALL", f"At least one {sku} must come back.")
        if quantity > known[sku].left:
            raise _too_many(known[sku])
    return [wanted.get(line.sku, 0) for line in lines]


def _too_many(line: LinePaid) -> RuleBroken:
    return invalid("lines", "TOO_LARGE", f"Only {line.left} of {line.sku} can still be refunded.")


def _due(line: LinePaid, quantity: int, completes: bool) -> int:
    """Minor units that go back for the line now, in whichever tender."""
    after = line.unit_price * (line.back_quantity + quantity) + (line.extras if completes else 0)
    return after - line.back.value


def _as_paid(lines: Sequence[LinePaid], dues: Sequence[int]) -> list[Tenders]:
    return [_line_as_paid(line, due) for line, due in zip(lines, dues, strict=True)]


def _line_as_paid(line: LinePaid, due: int) -> Tenders:
    """The line's own mix of points and card, for as much of it as will have come back."""
    if due == 0:
        return NOTHING
    paid, back = line.paid, line.back
    after = back.value + due
    points = _share(paid.points, after, paid.value)
    if after == paid.value or not paid.points:
        worth = _share(paid.points_value, after, paid.value)
    else:
        worth = _share(paid.points_value, points, paid.points)
    low = max(0, due - max(0, paid.card - back.card))
    high = max(0, min(due, paid.points_value - back.points_value))
    value = min(max(worth - back.points_value, low), max(high, low))
    if value != worth - back.points_value and paid.points_value:
        points = _share(paid.points, back.points_value + value, paid.points_value)
    return Tenders(max(0, points - back.points), value, due - value)


def _fits(give: Tenders, paid: Tenders, back: Tenders, lines: int) -> bool:
    """Whether the order still has this much of each tender, at its rate: not so after a refund by another strategy.

    Each line rounds to whole points, so that many points may be missing on the way.
    """
    after = back + give
    left = paid - after
    at_rate = abs(after.points * paid.points_value - after.points_value * paid.points)
    return (
        min(left.points, left.points_value, left.card) >= 0
        and (left.points_value > 0 or left.points == 0)
        and at_rate <= lines * paid.points_value
    )


def _tenders(due: int, wished: int, paid: Tenders, back: Tenders) -> Tenders:
    """`due` minor units in the order's tenders, as near to `wished` paid in points as what is left allows."""
    left = paid - back
    low, high = max(0, due - left.card), min(due, left.points_value)
    after = back.points_value + min(max(wished, low), high)
    points = _share(paid.points, after, paid.points_value)
    worth = _share(paid.points_value, points, paid.points)
    value = min(max(worth - back.points_value, low), high)
    if value == left.points_value:
        points = paid.points
    return Tenders(min(max(0, points - back.points), left.points), value, due - value)


def _spread(give: Tenders, dues: Sequence[int]) -> list[Tenders]:
    """Over the lines by what is due for each; no line gets more than that."""
    values = split(give.points_value, dues)
    points = split(give.points, values)
    return [Tenders(part, value, due - value) for part, value, due in zip(points, values, dues, strict=True)]


def _clawback(line: LinePaid, quantity: int) -> int:
    return _share(line.earn_points, line.back_quantity + quantity, line.quantity) - line.back_earned


def _share(amount: int, part: int, whole: int) -> int:
    """`amount` * `part` / `whole`, halves up; all of it when nothing is left over."""
    return amount if part == whole else divide_half_up(amount * part, whole)
