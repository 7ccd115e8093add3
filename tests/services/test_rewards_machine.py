"""Random interleavings of every verb of the ledger, against a model, with time moving; invariants after each step."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.accounts.queries import get_customer
from app.audit import verification
from app.kernel import clock, ids
from app.kernel.database import session, transaction
from app.kernel.errors import ShopError
from app.rewards import queries
from app.rewards.service import adjustments, earning, expiry, holds, refunds, rules_versions, transfers
from app.rewards.service.seals import SEALS, seal
from app.rewards.service.verify import LEDGER
from tests.factories.people import actor_of, make_customer
from tests.factories.spent import latest_first
from tests.services.ledger_model import GRACE, Booked, Lot, Member, Plan
from tests.services.programme_rules import ACTOR, RULES, ProgrammeRules

EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "12"))

points = st.integers(1, 1_500)
who = st.integers(0, 1)
pick = st.integers(0, 10**6)
days = st.one_of(st.none(), st.integers(1, 40))


class Ledger(ProgrammeRules):
    """Both sides of everything: `self.members` is the model, `self.ids` are the customers in the database."""

    app: Flask
    owner: psycopg.Connection

    @initialize()
    def open(self) -> None:
        _empty(self.owner)
        self.stack = ExitStack()
        self.stack.enter_context(self.app.app_context())
        # the same hour every time, and after the version was published
        self.now = (clock.now() + timedelta(days=1)).replace(hour=9, minute=17, second=31, microsecond=0)
        self.ids = [make_customer(), make_customer()]
        self.maker = actor_of(make_customer(role="admin"), role="admin")
        self.checker = actor_of(make_customer(role="approver"), role="approver")
        self.members = [Member(), Member()]
        self.holds: list[tuple[int, uuid.UUID, str, Plan, int]] = []
        self.spent: list[dict[str, Any]] = []
        self.waiting: list[tuple[int, uuid.UUID, int, datetime | None, datetime]] = []
        self.booked: list[tuple[int, uuid.UUID, Booked]] = []
        self.earnings: list[dict[str, Any]] = []
        self.transfer: list[tuple[uuid.UUID, int, int, datetime] | None] = [None, None]
        self.open_programme()

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    def play(self, verb: Callable[[], Any], *, fails: bool) -> Any:
        """Run it at the model's time. What the model refuses, the shop must refuse, and the other way round."""
        refused, result = None, None
        with clock.frozen(self.now):
            try:
                with transaction():
                    result = verb()
            except ShopError as error:
                refused = error.code
        assert (refused is not None) == fails, (
            f"the model {'refuses' if fails else 'allows'} it; the shop: {refused}"
        )
        return result

    @rule(hours=st.sampled_from([1, 23, 25, 24 * 6, 24 * 15]))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours, microseconds=1)

    @rule(i=who, amount=points, after=days, minus=st.booleans())
    def adjust(self, i: int, amount: int, after: int | None, minus: bool) -> None:
        amount = -amount if minus else amount
        expires = None if after is None or minus else self.now + timedelta(days=after)
        member = self.members[i]
        twin = any((w[0], w[2]) == (i, amount) for w in self.waiting)
        alone = abs(amount) <= 1_000
        fails = amount + member.takeable(self.now) < 0 or (twin and not alone)
        made = self.play(
            lambda: adjustments.request(
                customer_id=self.ids[i], points=amount, reason_code="goodwill", note="A test",
                points_expire_at=expires, rules=RULES, actor=self.maker,
            ),
            fails=fails,
        )  # fmt: skip
        if made is None:
            return
        assert made.state == ("applied" if alone else "awaiting_approval")
        if alone:
            booked = member.adjust(amount, expires, self.now)
            assert booked is not None
            self.booked.append((i, made.id, booked))
        else:
            self.waiting.append((i, made.id, amount, expires, self.now))

    @precondition(lambda self: self.waiting)
    @rule(n=pick, yes=st.booleans())
    def decide(self, n: int, yes: bool) -> None:
        i, adjustment_id, amount, expires, asked = self.waiting[n % len(self.waiting)]
        member = self.members[i]
        if not yes:
            self.play(
                lambda: adjustments.reject(adjustment_id=adjustment_id, note="Not so", actor=self.checker),
                fails=False,
            )
        else:
            late = asked <= self.now - timedelta(days=7)
            fails = late or amount + member.takeable(self.now) < 0
            self.play(
                lambda: adjustments.approve(
                    adjustment_id=adjustment_id, note="Looks right", rules=RULES, actor=self.checker
                ),
                fails=fails,
            )
            if fails:
                return
            booked = member.adjust(amount, expires, self.now)
            assert booked is not None
            if abs(amount) <= 1_000:
                self.booked.append((i, adjustment_id, booked))
        self.waiting.remove((i, adjustment_id, amount, expires, asked))

    @rule()
    def waiting_ends(self) -> None:
        self.play(lambda: adjustments.expire_unapproved(actor=ACTOR), fails=False)
        self.waiting = [wish for wish in self.waiting if wish[4] > self.now - timedelta(days=7)]

    @precondition(lambda self: self.booked)
    @rule(n=pick)
    def undo(self, n: int) -> None:
        i, adjustment_id, booked = self.booked[n % len(self.booked)]
        member = self.members[i]
        need = booked.points - booked.debt if booked.points > 0 else 0
        lost = min(need, member.lost(self.now, own=booked.own))
        fails = need - lost > member.takeable(self.now)
        self.play(
            lambda: adjustments.undo(
                adjustment_id=adjustment_id, note="Undone", rules=RULES, actor=self.maker
            ),
            fails=fails,
        )
        if not fails:
            assert member.undo(booked, self.now)
            self.booked.remove((i, adjustment_id, booked))

    @rule(i=who, amount=points)
    def hold(self, i: int, amount: int) -> None:
        order_id, number = ids.uuid7(), ids.order_number()
        plan = self.members[i].spend(amount, self.now)
        self.play(
            lambda: holds.hold(
                customer_id=self.ids[i], order_id=order_id, order_number=number, points=amount, rules=RULES,
                actor=ACTOR,
            ),
            fails=plan is None,
        )  # fmt: skip
        if plan is not None:
            self.members[i].held += amount
            self.holds.append((i, order_id, number, plan, amount))

    @precondition(lambda self: self.holds)
    @rule(n=pick, spend=st.booleans())
    def end_hold(self, n: int, spend: bool) -> None:
        i, order_id, number, plan, amount = self.holds.pop(n % len(self.holds))
        member = self.members[i]
        if spend:
            self.play(lambda: holds.capture(order_id=order_id, actor=ACTOR), fails=False)
            self.spent.append({"i": i, "order": order_id, "number": number, "plan": plan})
        else:
            self.play(lambda: holds.release(order_id=order_id, rules=RULES, actor=ACTOR), fails=False)
            member.come_back(plan, self.now)
        member.held -= amount
        self.play(lambda: holds.capture(order_id=order_id, actor=ACTOR), fails=True)
        self.play(lambda: holds.release(order_id=order_id, rules=RULES, actor=ACTOR), fails=True)

    @precondition(lambda self: self.spent)
    @rule(n=pick, amount=points)
    def refund(self, n: int, amount: int) -> None:
        order = self.spent[n % len(self.spent)]
        left = sum(part for _, part in order["plan"])
        self.play(
            lambda: refunds.return_points(
                customer_id=self.ids[order["i"]], order_id=order["order"], order_number=order["number"],
                lots=latest_first(
                    customer_id=self.ids[order["i"]], order_id=order["order"], order_number=order["number"],
                    points=amount,
                ),
                idem_key=f"refund:{uuid.uuid4()}", rules=RULES, actor=ACTOR,
            ),
            fails=amount > left,
        )  # fmt: skip
        if amount <= left:
            order["plan"] = self.members[order["i"]].return_spent(order["plan"], amount, self.now)

    @rule(i=who, amount=points, after=st.integers(0, 20))
    def earn(self, i: int, amount: int, after: int) -> None:
        order_id, number = ids.uuid7(), ids.order_number()
        due = self.now + timedelta(days=after)
        self.play(
            lambda: earning.earn_pending(
                customer_id=self.ids[i], order_id=order_id, order_number=number, points=amount, confirms_at=due,
                rules_version=1, breakdown={}, actor=ACTOR,
            ),
            fails=False,
        )  # fmt: skip
        self.members[i].pending += amount
        made = {
            "i": i,
            "type": "order",
            "source": str(order_id),
            "number": number,
            "left": amount,
            "due": due,
        }
        self.earnings.append(made | {"own": None, "pending": True, "confirmed_at": None, "waits": False})

    @rule()
    def earnings_confirm(self) -> None:
        def confirm_all() -> int:
            due = earning.list_due_earnings(limit=1_000)
            return sum(earning.confirm(earning_id=one.id, rules=RULES, actor=ACTOR) for one in due)

        waiting = [made for made in self.earnings if made["pending"] and made["left"] and not made["waits"]]
        due = [made for made in waiting if made["due"] <= self.now]
        confirmed = self.play(confirm_all, fails=False)
        assert confirmed == sum(made["left"] for made in due)
        for made in sorted(due, key=lambda made: made["due"]):
            member = self.members[made["i"]]
            member.pending -= made["left"]
            lasting = None if RULES.earn.lot_days is None else self.now + timedelta(days=RULES.earn.lot_days)
            made["own"] = member.receive(made["left"], lasting)[1]
            made["pending"], made["confirmed_at"] = False, self.now

    @precondition(lambda self: self.earnings)
    @rule(n=pick, amount=points)
    def take_back(self, n: int, amount: int) -> None:
        made = self.earnings[n % len(self.earnings)]
        part, member = min(amount, made["left"]), self.members[made["i"]]
        taken = self.play(
            lambda: refunds.take_back(
                customer_id=self.ids[made["i"]], source_type=made["type"], source_id=made["source"],
                order_number=made["number"], points=amount, idem_key=f"back:{uuid.uuid4()}", actor=ACTOR,
            ),
            fails=False,
        )  # fmt: skip
        made["left"] -= part
        if made["pending"]:
            member.pending -= part
            assert taken.points == part
        else:
            assert taken.points == member.take_back(part, self.now, own=made["own"])

    @rule(i=who, amount=points)
    def send(self, i: int, amount: int) -> None:
        waiting = self.transfer[i]
        member = self.members[i]
        fails = bool(
            member.owed or amount > member.spendable(self.now) or (waiting and waiting[3] > self.now)
        )
        email = get_customer(self.ids[1 - i]).email
        made = self.play(
            lambda: transfers.request(
                sender_id=self.ids[i],
                recipient_email=email,
                points=amount,
                rules=RULES,
                actor=actor_of(self.ids[i]),
            ),
            fails=fails,
        )
        if made is not None:
            self.transfer[i] = (made.id, i, amount, made.confirm_until)

    @precondition(lambda self: any(self.transfer))
    @rule(i=who, yes=st.booleans())
    def answer(self, i: int, yes: bool) -> None:
        waiting = self.transfer[i]
        if waiting is None:
            return
        transfer_id, _, amount, until = waiting
        sender, recipient = self.members[i], self.members[1 - i]
        if not yes:
            self.play(
                lambda: transfers.cancel(transfer_id=transfer_id, actor=actor_of(self.ids[i])), fails=False
            )
        else:
            fails = bool(until <= self.now or sender.owed or amount > sender.spendable(self.now))
            self.play(
                lambda: transfers.confirm(transfer_id=transfer_id, rules=RULES, actor=actor_of(self.ids[i])),
                fails=fails,
            )
            if fails:
                return
            for lot, part in sender.spend(amount, self.now) or []:
                received = Lot(part, lot.expires, since := self.now + timedelta(hours=24))
                received.live_at_least(since + GRACE)
                recipient.lots.append(received)
            recipient.pay_debt(self.now)
        self.transfer[i] = None

    @rule()
    def expire(self) -> None:
        def run() -> int:
            total, after = 0, expiry.start()
            while after is not None:
                batch = expiry.expire_batch(after=after, actor=ACTOR, limit=3)
                total, after = total + batch.points, batch.after
            return total

        expired = self.play(run, fails=False)
        assert expired == sum(member.expire(self.now) for member in self.members)

    @rule()
    def sealed(self) -> None:
        self.play(seal, fails=False)

    @invariant()
    def both_sides_agree(self) -> None:
        if not hasattr(self, "members"):
            return
        with clock.frozen(self.now):
            for customer_id, member in zip(self.ids, self.members, strict=True):
                balance = queries.get_balance(customer_id)
                seen = (balance.available, balance.held, balance.pending, balance.owed)
                assert seen == (member.available, member.held, member.pending, member.owed)
                assert queries.get_spendable(customer_id) == member.spendable(self.now)
                assert not (member.owed and member.takeable(self.now)), "who owes has nothing to spend"
            self.tiers_agree()

    @invariant()
    def the_books_are_clean(self) -> None:
        if not hasattr(self, "members"):
            return
        session().rollback()
        with transaction():
            report = verification.run((*LEDGER, SEALS))
        assert {check.name: check.samples for check in report.differences} == {}


def _empty(owner: psycopg.Connection) -> None:
    """Each example starts with empty books."""
    rows = owner.execute(
        "SELECT relname FROM pg_class WHERE relname LIKE 'points\\_%' AND relkind = 'r' ORDER BY relname"
    ).fetchall()
    tables = [*(str(name) for (name,) in rows), "order_line_lot"]
    with owner.transaction():
        for table in tables:
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        owner.execute(f"TRUNCATE {', '.join(tables)}")
        for table in tables:
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@pytest.mark.slow
def test_any_order_of_verbs_ends_as_the_model_says(app: Flask, owner: psycopg.Connection) -> None:
    Ledger.app, Ledger.owner = app, owner
    with (
        app.app_context(),
        transaction(),
    ):  # verify holds tiers and bonuses against the versions that there are
        body = msgspec.to_builtins(RULES)
        version = rules_versions.publish(body=body, effective_from=None, reason="For the model", actor=ACTOR)
        assert version == RULES.version
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            derandomize="LEDGER_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )
