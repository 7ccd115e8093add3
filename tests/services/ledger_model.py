"""What the points ledger should do, in a page of plain Python: no database, no clock, no shared code.

The state machine of test_rewards_machine.py plays every verb on both and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

GRACE = timedelta(days=14)
TIERS = {"member": 0, "silver": 1_000, "gold": 2_500}
TIER_GRACE = timedelta(days=10)
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(eq=False)
class Lot:
    left: int
    expires: datetime | None
    since: datetime | None = None
    expired: int = 0
    parent: Lot | None = None

    def lives(self, now: datetime) -> bool:
        return self.expires is None or self.expires > now

    def alive(self, now: datetime) -> bool:
        return self.lives(now) and (self.since is None or self.since <= now)

    def continues(self, other: Lot | None) -> bool:
        """It is `other`, or holds points of it that came back too late for it."""
        lot: Lot | None = self
        while lot is not None and lot is not other:
            lot = lot.parent
        return lot is not None

    def expire(self) -> int:
        points, self.left = self.left, 0
        self.expired += points
        return points

    def live_at_least(self, until: datetime) -> None:
        if self.expires is not None and self.expires < until:
            self.expires = until


Plan = list[tuple[Lot, int]]


@dataclass
class Booked:
    """An adjustment that was applied: what it paid of a debt, and from or into which lots it went."""

    points: int
    debt: int = 0
    own: Lot | None = None
    plan: Plan = field(default_factory=list)


@dataclass
class Member:
    lots: list[Lot] = field(default_factory=list)
    held: int = 0
    pending: int = 0
    owed: int = 0
    tier: str = "member"
    tier_until: datetime | None = None

    @property
    def available(self) -> int:
        return sum(lot.left for lot in self.lots)

    def spendable(self, now: datetime) -> int:
        return sum(lot.left for lot in self.lots if lot.alive(now))

    def takeable(self, now: datetime) -> int:
        return sum(lot.left for lot in self.lots if lot.lives(now))

    def spend(self, points: int, now: datetime) -> Plan | None:
        """What the owner does: as `take`, without what cools off."""
        return None if points > self.spendable(now) else self._take(points, now, Lot.alive)

    def take(self, points: int, now: datetime, *, own: Lot | None = None) -> Plan | None:
        """What the shop does. Soonest expiry first, `own` before all; None when there are too few."""
        return None if points > self.takeable(now) else self._take(points, now, Lot.lives, own)

    def _take(
        self, points: int, now: datetime, fits: Callable[[Lot, datetime], bool], own: Lot | None = None
    ) -> Plan:
        plan: Plan = []
        lots = [lot for lot in self.lots if lot.left and fits(lot, now)]
        for lot in sorted(
            lots, key=lambda lot: (not lot.continues(own), lot.expires is None, lot.expires or now)
        ):
            part = min(points, lot.left)
            if part:
                lot.left -= part
                points -= part
                plan.append((lot, part))
        return plan

    def receive(self, points: int, expires: datetime | None) -> tuple[int, Lot | None]:
        """A debt is paid first; (what it took, the lot of the rest)."""
        paid = min(self.owed, points)
        self.owed -= paid
        lot = Lot(points - paid, expires) if points > paid else None
        if lot:
            self.lots.append(lot)
        return paid, lot

    def forgive(self, points: int, now: datetime, *, own: Lot | None) -> int:
        """What of `points` from `own` was lost to expiry and is not taken again; what is due there expires first."""
        found = 0
        for lot in self.lots:
            if own is not None and lot.continues(own):
                if not lot.lives(now):
                    lot.expire()
                part = min(points - found, lot.expired)
                lot.expired -= part
                found += part
        return found

    def pay_debt(self, now: datetime) -> None:
        """Whatever has come back pays it first."""
        paid = min(self.owed, self.takeable(now))
        self.take(paid, now)
        self.owed -= paid

    def come_back(self, plan: Plan, now: datetime) -> None:
        """From a hold, an order or an undone debit: what has too little time left goes to a lot of grace."""
        for lot, part in plan:
            if lot.expires is None or lot.expires >= now + GRACE:
                lot.left += part
            else:
                self.lots.append(Lot(part, now + GRACE, parent=lot))
        self.pay_debt(now)

    def adjust(self, points: int, expires: datetime | None, now: datetime) -> Booked | None:
        if points > 0:
            paid, lot = self.receive(points, expires)
            return Booked(points, paid, lot)
        plan = self.take(-points, now)
        return None if plan is None else Booked(points, plan=plan)

    def undo(self, booked: Booked, now: datetime) -> bool:
        if booked.points < 0:
            self.come_back(booked.plan, now)
            return True
        points = booked.points - booked.debt
        if points - self.lost(now, own=booked.own) > self.takeable(now):
            return False
        self.take(points - self.forgive(points, now, own=booked.own), now, own=booked.own)
        self.owed += booked.debt
        self.pay_debt(now)
        return True

    def lost(self, now: datetime, *, own: Lot | None) -> int:
        """Points of `own` that expired, or are due."""
        family = [lot for lot in self.lots if own is not None and lot.continues(own)]
        return sum(lot.expired + (0 if lot.lives(now) else lot.left) for lot in family)

    def take_back(self, points: int, now: datetime, *, own: Lot | None) -> int:
        """What it has less, or owes more."""
        points -= self.forgive(points, now, own=own)
        found = min(points, self.takeable(now))
        self.take(found, now, own=own)
        self.owed += points - found
        return points

    def return_spent(self, spent: Plan, points: int, now: datetime) -> Plan:
        """Latest expiry first, into the lots they came from or with grace; what is left."""
        left: Plan = []
        for lot, part in sorted(spent, key=lambda item: item[0].expires or NEVER, reverse=True):
            back = min(points, part)
            points -= back
            if back:
                self.come_back([(lot, back)], now)
            if part > back:
                left.append((lot, part - back))
        return left

    def expire(self, now: datetime) -> int:
        """Every lot that is due is empty afterwards; how many points that were."""
        return sum(lot.expire() for lot in self.lots if not lot.lives(now))

    def look_at_tier(self, earned: int, now: datetime) -> None:
        """`earned` in the window. Up at once; down when the days of grace since the first look are over."""
        ranks = [name for name, needed in TIERS.items() if needed <= earned]
        order = list(TIERS)
        if order.index(ranks[-1]) >= order.index(self.tier):
            self.tier, self.tier_until = ranks[-1], None
        elif self.tier_until is None:
            self.tier_until = now + TIER_GRACE
        elif self.tier_until <= now:
            self.tier, self.tier_until = ranks[-1], None
