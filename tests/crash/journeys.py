"""How a case gets to its point and dies there, what comes next, and what is left when all is over."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from app.checkout import refund as refunding
from app.kernel import clock
from app.kernel.database import run_atomically, transaction
from tests.crash import cases
from tests.crash.cases import Case
from tests.factories.people import actor_of, give_points, make_customer
from tests.live.shop import LiveShop, wait_for
from tests.live.shopper import Call, Reply, Shopper, send

RECONCILE_TASK = "payments.reconcile"
REFUNDS = "SELECT r.state FROM card_refund r JOIN payment p ON p.id = r.payment_id WHERE p.reference = %s"
EXPIRY_TASK = "rewards.expire"
STOCK = 100
PASSES = 90.0
"""Seconds until an armed point is passed: a task that was skipped, or met a slow gateway, runs again after thirty."""


class CannotBegin(AssertionError):
    """The case never came to its point: what is wrong lies before it."""


@dataclass
class Played:
    """A case on its way. `answer`: the last one that the client got, when the client came again. `trouble`: what was
    wrong before reconciliation ran, where the next actor alone had to be enough."""

    case: Case
    shopper: Shopper
    request: Call
    number: str | None = None
    answer: Reply | None = None
    trouble: list[str] = field(default_factory=list)


class Stage:
    """One live shop on which cases are played. Callbacks are held, reconciliation runs when it is told to."""

    def __init__(self, shop: LiveShop) -> None:
        self.shop = shop
        tuning = {"timeout_seconds": 0.8, "hang_up": 1, "late_seconds": 0.2, "webhook_delay_seconds": 0}
        shop.control("tuning", tuning)
        shop.control("webhooks", {"mode": "hold"})
        shop.suspend_task(RECONCILE_TASK)

    def crash(self, case: Case) -> Played:
        """Bring an order to the point, and the process that passes it to its end."""
        shopper = Shopper(self.shop, points=case.points, stock=STOCK)
        request = shopper.placing(shopper.quote("max"), case.token)
        played = Played(case, shopper, request)
        if case.scene == cases.AGAIN:
            self._decline_first(played)
        if case.point in cases.EXPIRY:
            self._expire(played)
        elif case.point in cases.CHECKOUT:
            self.shop.arm(case.point)
            self._send_and_die(played)
        elif case.point in cases.CANCEL:
            self._cancel(played)
        elif case.point in cases.REFUND:
            self._send_back(played)
        elif case.point in cases.RECONCILIATION:
            self._reconcile(played)
        else:
            self.drain()
            self._deliver(played)
        wait_for(lambda: not self.shop.armed(case.point), PASSES, f"the crash at {case.point}")
        orders = shopper.orders()
        played.number = orders[0]["number"] if orders else None
        return played

    def go_on(self, played: Played) -> None:
        """The next actor."""
        if played.case.point in cases.EXPIRY:
            self.shop.run_task(EXPIRY_TASK)
            return
        if played.case.actor == cases.RETRY:
            self._send_again(played)
        self._let_the_bank_decide(played)
        if played.case.actor == cases.WEBHOOK:
            self.deliver_callbacks(played)

    def judge(self, playing: list[Played]) -> None:
        """Those that need nobody more have ended by now, or are in trouble."""
        waiting = [one for one in playing if one.case.needs_nobody]
        if waiting:
            self.drain()
        for one in waiting:
            if one.case.actor == cases.WEBHOOK and one.case.truth == "refund_pending":
                self.deliver_callbacks(one)  # the refund was made only after the first ones
                self.drain()
            one.trouble = [f"before reconciliation: {problem}" for problem in what_is_wrong(one)]

    def let_reconcile(self, playing: list[Played]) -> None:
        """Minute after minute, as the schedule does; for the silent ones three quarters of an hour at once."""
        silent = [one.number for one in playing if one.number and one.case.actor == cases.SILENCE]
        waiting = [one.number for one in playing if one.number and one.case.actor != cases.SILENCE]
        stubborn = [one.number for one in playing if one.number and one.case.minutes > 5]
        self.shop.let_pass(45, silent)
        for minute in range(5):
            self.shop.let_pass(1, waiting)
            self.shop.let_pass(1, silent if minute else [])
            self.shop.run_task(RECONCILE_TASK)
            self.shop.suspend_task(RECONCILE_TASK)
        if stubborn:
            self.shop.let_pass(30, stubborn)
            self.shop.run_task(RECONCILE_TASK)
            self.shop.suspend_task(RECONCILE_TASK)

    def drain(self) -> None:
        """Until the last job is done, those included that a dead worker had begun."""
        wait_for(
            lambda: not self.shop.rows("SELECT 1 FROM outbox WHERE done_at IS NULL"), 180, "the last job"
        )

    def deliver_callbacks(self, played: Played) -> None:
        for payment in self.shop.payments_of(played.number or ""):
            found = self.shop.at_gateway(f"payments/by-key/{payment['id']}")
            if found.status_code == 200:
                events = self.shop.events_of(found.json()["id"])
                self.shop.control("webhooks/flush", {"events": [event["id"] for event in events]})

    def _let_the_bank_decide(self, played: Played) -> None:
        for payment in self.shop.payments_of(played.number or "")[-1:]:
            word = cases.DECIDED_LATER.get(played.case.truth)
            found = self.shop.at_gateway(f"payments/by-key/{payment['id']}")
            if word and found.status_code == 200:
                self.shop.control(f"payments/{found.json()['id']}/{word}")

    def _decline_first(self, played: Played) -> None:
        wished, shopper = played.request, played.shopper
        played.request = replace(wished, body=wished.body | {"payment": {"token": cases.TOKENS["declined"]}})
        number = self._placed(played, "payment_failed")
        key, body = uuid.uuid4().hex, {"payment": wished.body["payment"]}
        played.request = shopper.call("POST", f"/orders/{number}/payments", body, key)

    def _expire(self, played: Played) -> None:
        """The scheduler dies while it takes points away whose time is over."""
        soon = clock.now() + timedelta(seconds=2)
        with self.shop.app.app_context(), transaction():
            give_points(played.shopper.id, played.case.points, expires_at=soon)
        wait_for(lambda: clock.now() > soon, 10, "the end of the points")
        self.shop.arm(played.case.point)
        self.shop.make_due(EXPIRY_TASK)

    def _send_and_die(self, played: Played) -> None:
        died = send(self.shop.stack.url, played.request)
        assert died.status == 0, (died.status, died.raw)

    def _cancel(self, played: Played) -> None:
        number = self._placed(played, "payment_pending")
        (payment,) = self.shop.payments_of(number)
        if played.case.truth != "undecided":
            word = "paid" if played.case.truth == "approved" else "declined"
            self.shop.control(f"payments/{payment['gateway_ref']}/{word}")
        played.request = played.shopper.cancelling(number)
        self.shop.arm(played.case.point)
        self._send_and_die(played)

    def _send_back(self, played: Played) -> None:
        """A paid order is cancelled; the job that sends the money back dies."""
        number = self._placed(played, "paid")
        self.drain()
        if played.case.scene == cases.STAFF:
            self.shop.arm(played.case.point)
            self._refund_by_staff(number)
            return
        played.request = played.shopper.cancelling(number)
        self.shop.arm(played.case.point)
        cancelled = send(self.shop.stack.url, played.request)
        assert cancelled.order["status"] == "cancelled", cancelled.raw

    def _refund_by_staff(self, number: str) -> None:
        """The same click each time."""
        with self.shop.app.app_context():
            staff = actor_of(make_customer(role="approver"), role="approver")
            refund = partial(
                refunding.refund,
                number=number,
                lines=None,
                strategy="proportional",
                reason="Came broken",
                idem_key=f"refund-of-{number}",
                actor=staff,
            )
            run_atomically(refund)

    def _reconcile(self, played: Played) -> None:
        """The scheduler dies while it asks about the order; a charge that never arrived is old enough to end."""
        number = self._placed(played, "payment_pending")
        self.drain()
        self.shop.let_pass(3, [number])
        self.shop.arm(played.case.point)
        self.shop.make_due(RECONCILE_TASK)
        wait_for(lambda: not self.shop.armed(played.case.point), PASSES, f"the crash at {played.case.point}")
        self.shop.suspend_task(RECONCILE_TASK)

    def _deliver(self, played: Played) -> None:
        """Whoever takes the callback, carries it, works on it or writes of it dies."""
        if played.case.point in cases.MAIL or played.case.truth == "never_charged":
            self.shop.arm(played.case.point)
            self._placed(played, "payment_pending", "paid", "payment_failed")
            return
        number = self._placed(played, "payment_pending")
        self.drain()
        self.shop.arm(played.case.point)
        played.number = number
        self.deliver_callbacks(played)

    def _placed(self, played: Played, *statuses: str) -> str:
        """The number of the order with which the case begins. Raises CannotBegin for another status, or none."""
        placed = send(self.shop.stack.url, played.request)
        if placed.status not in (201, 202, 402) or placed.order["status"] not in statuses:
            told = f"HTTP {placed.status} {placed.raw.decode(errors='replace')}"
            due = " or ".join(statuses)
            raise CannotBegin(f"{played.case} could not begin, the order did not become {due}: {told}")
        number: str = placed.order["number"]
        return number

    def _send_again(self, played: Played) -> None:
        """As clients do: the same key, again while the first request counts as running."""
        if played.case.scene == cases.STAFF:
            self._refund_by_staff(played.number or "")
            return
        for _ in range(4):
            answer = send(self.shop.stack.url, played.request)
            if answer.code != "IDEMPOTENCY_IN_FLIGHT":
                break
            assert "retry-after" in answer.headers
            self.shop.let_pass(0.6, [played.number or ""])
        played.answer = answer
        orders = played.shopper.orders()
        played.number = orders[0]["number"] if orders else None


def what_is_wrong(played: Played) -> list[str]:
    """How the order ended, what the shopper has, and what the client was told."""
    case, shopper = played.case, played.shopper
    orders = shopper.orders()
    statuses = [order["status"] for order in orders]
    wrong = list(played.trouble)
    if statuses != ([case.ends] if case.ends else []):
        wrong.append(f"ended as {statuses}, not {case.ends}")
    has = (shopper.balances(), shopper.stock_of())
    used = sum(order["points"] for order in orders) if case.ends == "paid" else 0
    due = ((case.points - used, 0), (STOCK - (case.ends in ("paid", "refunded")), 0))
    if has != due:
        wrong.append(f"has {has}, not {due}")
    if case.point in cases.REFUND:
        sent = [row["state"] for row in shopper.shop.rows(REFUNDS, orders[0]["number"])]
        if sent != ["failed" if case.truth == "refund_fails" else "succeeded"]:
            wrong.append(f"refunds: {sent}")
    if played.answer is not None and played.answer.status not in _answers(case):
        wrong.append(f"was told {played.answer.status} {played.answer.raw!r}")
    if case.point == "checkout.after_settle" and case.actor == cases.RETRY and not _is_replay(played):
        wrong.append("the stored answer was not told again")
    return wrong


def _answers(case: Case) -> set[int]:
    """What a client that comes again may be told: what is known by then, never a second try."""
    if case.ends == "cancelled":
        return {200}
    if case.truth == "late":
        return {402}
    told = {201} if case.ends == "paid" else {402}
    return told if case.truth in cases.ANSWERED else told | {202}


def _is_replay(played: Played) -> bool:
    return played.answer is not None and played.answer.replayed


def mails_to(shop: LiveShop, shopper: Shopper) -> list[dict[str, Any]]:
    row = shop.one("SELECT email FROM customer WHERE id = %s", shopper.id)
    found: list[dict[str, Any]] = shop.mails(row["email"])
    return found
