"""Steps of the programme around the ledger, for the state machine of test_rewards_machine.py: files of adjustments,
bonuses, earnings that are held back or wait for a delivery, tiers, reminders."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from sqlalchemy import select

from app.kernel import ids
from app.kernel.actor import Actor, system
from app.kernel.database import session
from app.rewards.models import PointsAccount
from app.rewards.policies import AdjustmentRules, MakerLimit, TransferRules
from app.rewards.rules import Bonus, EarnRules, Rules, Tier, TierRules
from app.rewards.service import batches, bonuses, earning, expiry, tiers
from tests.services.ledger_model import Member

WELCOME, FIRST = 300, 250
RULES = Rules(
    adjustments=AdjustmentRules(limits={"admin": MakerLimit(each=1_000, day=10**12)}),
    transfers=TransferRules(min_points=1, per_day=10**12, per_year=10**12),
    earn=EarnRules(
        days_after_delivery=5,
        bonuses=(
            Bonus(name="welcome", action="sign_up", points=WELCOME),
            Bonus(name="first", action="first_order", points=FIRST),
        ),
    ),
    tiers=TierRules(
        levels=(
            Tier(code="member", name="Member", points=0),
            Tier(code="silver", name="Silver", points=1_000, earn_percent=125),
            Tier(code="gold", name="Gold", points=2_500, earn_percent=150),
        ),
        window_days=30,
        grace_days=10,
    ),
    version=2,  # the first that is published
)
ACTOR = system("test")
REMIND_DAYS, CATCH_UP = 7, 3
HEADER = "customer,points,reason_code,note"

pick = st.integers(0, 10**6)
who = st.integers(0, 1)


class ProgrammeRules(RuleBasedStateMachine):
    """`earnings` are those of orders; `gifts`, confirmed at once, count for tiers and are never taken back."""

    owner: psycopg.Connection
    now: datetime
    ids: list[uuid.UUID]
    members: list[Member]
    maker: Actor
    checker: Actor
    earnings: list[dict[str, Any]]
    play: Callable[..., Any]

    def open_programme(self) -> None:
        self.files: list[tuple[uuid.UUID, list[tuple[int, int]], datetime]] = []
        self.gifts: list[dict[str, Any]] = []
        self.reminded: dict[tuple[str, str], int] = {}

    @rule(amounts=st.lists(st.tuples(who, st.integers(-900, 900).filter(bool)), min_size=1, max_size=2))
    def file_of_adjustments(self, amounts: list[tuple[int, int]]) -> None:
        lines = [f"{self.ids[i]},{points},correction,{uuid.uuid4()}" for i, points in amounts]
        twice = len({i for i, _ in amounts}) < len(amounts)
        waiting = [row for _, rows, _ in self.files for row in rows]
        fails = twice or not self._covered(amounts) or any(row in waiting for row in amounts)
        made = self.play(
            lambda: batches.submit(
                content="\n".join([HEADER, *lines]).encode(), file_name="a.csv", rules=RULES, actor=self.maker
            ),
            fails=fails,
        )
        if made is None:
            return
        alone = sum(abs(points) for _, points in amounts) <= 1_000
        assert made.state == ("applied" if alone else "awaiting_approval")
        if alone:
            self._book(amounts)
        else:
            self.files.append((made.id, amounts, self.now))

    @precondition(lambda self: self.files)
    @rule(n=pick, yes=st.booleans())
    def decide_file(self, n: int, yes: bool) -> None:
        file = self.files[n % len(self.files)]
        batch_id, amounts, asked = file
        late = asked <= self.now - timedelta(days=7)
        fails = yes and (late or not self._covered(amounts))
        if yes:
            self.play(
                lambda: batches.approve(
                    batch_id=batch_id, note="Looks right", rules=RULES, actor=self.checker
                ),
                fails=fails,
            )
        else:
            self.play(
                lambda: batches.reject(batch_id=batch_id, note="Not so", actor=self.checker), fails=False
            )
        if fails:
            return
        self.files.remove(file)
        if yes:
            self._book(amounts)

    @rule()
    def files_end(self) -> None:
        self.play(lambda: batches.expire_unapproved(actor=ACTOR), fails=False)
        self.files = [file for file in self.files if file[2] > self.now - timedelta(days=7)]

    @rule(i=who)
    def signs_up(self, i: int) -> None:
        had = any(gift["i"] == i for gift in self.gifts)
        given = self._give(i, "sign_up")
        assert given == (0 if had else WELCOME)
        if given:
            lasting = self.now + timedelta(days=RULES.earn.lot_days or 0)
            self.members[i].receive(given, lasting)
            self.gifts.append({"i": i, "left": given, "confirmed_at": self.now})
            self._tier_follows(i)

    @rule(i=who, after=st.integers(0, 20))
    def orders_first(self, i: int, after: int) -> None:
        """Once; again only when all of it was taken back."""
        source, number = str(self.ids[i]), ids.order_number()
        due = self.now + timedelta(days=after)
        given = self._give(i, "first_order", order_number=number, confirms_at=due)
        had = [made for made in self.earnings if made["source"] == source]
        assert given == (0 if any(made["left"] for made in had) else FIRST)
        if given:
            self.earnings = [made for made in self.earnings if made["source"] != source]
            self.members[i].pending += given
            made = {
                "i": i,
                "type": "first_order",
                "source": source,
                "number": number,
                "left": given,
                "due": due,
            }
            self.earnings.append(made | {"own": None, "pending": True, "confirmed_at": None, "waits": False})

    @precondition(lambda self: self.earnings)
    @rule(n=pick)
    def hold_back(self, n: int) -> None:
        number = self.earnings[n % len(self.earnings)]["number"]
        mine = list(self._pending(number))
        assert self.play(lambda: earning.hold_back(order_number=number), fails=False) == len(mine)
        for made in mine:
            made["waits"] = True

    @precondition(lambda self: self.earnings)
    @rule(n=pick)
    def let_go(self, n: int) -> None:
        number = self.earnings[n % len(self.earnings)]["number"]
        self.play(lambda: earning.let_go(order_number=number), fails=False)
        for made in self._pending(number):
            made["waits"] = False

    @precondition(lambda self: self.earnings)
    @rule(n=pick)
    def delivered(self, n: int) -> None:
        number = self.earnings[n % len(self.earnings)]["number"]
        self.play(lambda: earning.restart_window(order_number=number, rules=RULES), fails=False)
        for made in self._pending(number):
            made["due"] = self.now + timedelta(days=5)

    @rule(i=who)
    def reassess(self, i: int) -> None:
        self.play(lambda: tiers.reassess(customer_id=self.ids[i], rules=RULES.tiers), fails=False)
        self._tier_follows(i)

    @rule()
    def reminders(self) -> None:
        """One mail a customer and last day, with all points of that day, however often it is asked for."""
        for _ in range(2):
            self.play(lambda: expiry.remind(days=REMIND_DAYS), fails=False)
        due: dict[tuple[str, str], int] = {}
        first = self.now.date() + timedelta(days=REMIND_DAYS - CATCH_UP)
        last = self.now.date() + timedelta(days=REMIND_DAYS)
        for customer_id, member in zip(self.ids, self.members, strict=True):
            for lot in member.lots:
                day = (lot.expires - timedelta(microseconds=1)).date() if lot.expires else None
                if lot.left and day and first <= day <= last:
                    key = (str(customer_id), day.isoformat())
                    due[key] = due.get(key, 0) + lot.left
        self.reminded = due | self.reminded
        rows = self.owner.execute(
            "SELECT payload ->> 'customer_id', payload ->> 'expires_on', (payload ->> 'points')::bigint FROM outbox "
            "WHERE topic = 'mail.points_expiring' AND payload ->> 'customer_id' = ANY (%s)",
            [[str(customer_id) for customer_id in self.ids]],
        ).fetchall()
        assert sorted(rows) == sorted((*key, points) for key, points in self.reminded.items())

    def tiers_agree(self) -> None:
        for customer_id, member in zip(self.ids, self.members, strict=True):
            account = PointsAccount
            statement = select(account.tier, account.tier_until, account.lifetime_earned)
            row = session().execute(statement.where(account.customer_id == customer_id)).first()
            seen = tuple(row) if row else ("member", None, 0)
            assert seen == (member.tier, member.tier_until, self._lifetime(customer_id))

    def _give(self, i: int, action: Any, **more: Any) -> int:
        customer_id = self.ids[i]
        return int(
            self.play(
                lambda: bonuses.give(
                    customer_id=customer_id, action=action, source_id=str(customer_id), rules=RULES, actor=ACTOR,
                    **more,
                ),
                fails=False,
            )
        )  # fmt: skip

    def _covered(self, amounts: list[tuple[int, int]]) -> bool:
        return all(self.members[i].takeable(self.now) + points >= 0 for i, points in amounts)

    def _book(self, amounts: list[tuple[int, int]]) -> None:
        for i, points in amounts:
            assert self.members[i].adjust(points, None, self.now) is not None

    def _pending(self, number: str) -> list[dict[str, Any]]:
        return [m for m in self.earnings if m["number"] == number and m["pending"] and m["left"]]

    def _tier_follows(self, i: int) -> None:
        since = self.now - timedelta(days=30)
        earned = [made["left"] for made in self._confirmed(i) if made["confirmed_at"] > since]
        self.members[i].look_at_tier(sum(earned), self.now)

    def _lifetime(self, customer_id: uuid.UUID) -> int:
        return sum(made["left"] for made in self._confirmed(self.ids.index(customer_id)))

    def _confirmed(self, i: int) -> list[dict[str, Any]]:
        return [made for made in (*self.earnings, *self.gifts) if made["i"] == i and made["confirmed_at"]]
