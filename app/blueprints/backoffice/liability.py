"""What the programme owes, by the month in which it expires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.blueprints.backoffice.access import StaffPage, page
from app.rewards.queries import rules_in_force
from app.rewards.queries.liability import LiabilityMonth, get_liability

BAR, GAP, HEIGHT = 24, 8, 160


@dataclass(frozen=True, slots=True)
class Bar:
    """A month in the plot, in units of its view box; `expected` is the lower part of `height`."""

    x: int
    height: int
    expected: int
    label: str


class Liability(StaffPage):
    permission = "rewards.read"

    @page()
    def index(self) -> str:
        rules = rules_in_force()
        found = get_liability(rules)
        bars = bars_of(found.months)
        page: str = self.render(
            "admin/liability.html",
            found=found,
            rules=rules,
            bars=bars,
            width=len(bars) * (BAR + GAP) + GAP,
            height=HEIGHT,
            bar=BAR,
            highest=max((month.value for month in found.months), default=0),
        )
        return page


def bars_of(months: Sequence[LiabilityMonth]) -> list[Bar]:
    """In proportion to the dearest month. Every January, the first and the last are labelled: more cannot be read."""
    highest = max((month.value for month in months), default=0) or 1
    return [
        Bar(
            x=GAP + place * (BAR + GAP),
            height=month.value * HEIGHT // highest,
            expected=month.expected * HEIGHT // highest,
            label=_label(month, is_end=place == 0),
        )
        for place, month in enumerate(months)
    ]


def _label(month: LiabilityMonth, *, is_end: bool) -> str:
    if month.month is None:
        return "never"
    return f"{month.month:%Y}" if month.month.month == 1 else f"{month.month:%b}" if is_end else ""
