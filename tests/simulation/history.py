"""One history: a seed, a few dozen steps chosen by it, everything brought to its end, and what is wrong then.

Every choice comes from the seed and from what the shop has done so far, so the same seed makes the same steps.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from app.kernel import clock
from app.kernel.errors import ShopError
from tests.simulation import bank, checks, customers, draining, office, people
from tests.simulation.asking import Asked
from tests.simulation.faults import Crash
from tests.simulation.world import World

STEPS = (15, 40)
CRASHING = 0.25
"""Of the steps that may die: this share does."""
WRONG_CLOCKS = 0.05
"""Of what the shop's machines do: this share happens on one whose clock is ten minutes wrong."""
POINTS, STATEMENTS, COMMITS = 7, 60, 4
"""A death is planned at one of so many places; some steps are over before."""


class History:
    """`steps` is what happened, for people; `found` is what must not have."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.seed = world, seed
        self.rng = random.Random(seed)
        self.steps: list[str] = []
        self.found: list[str] = []
        self.cast: people.Cast
        self.numbers: list[str] = []
        self.asked: list[Asked] = []
        self.quotes: list[customers.Quoted] = []
        self.events: list[dict[str, Any]] = []
        self.heard = 0
        self.late: set[str] = set()
        self.ahead = 0
        """Minutes: how far ahead the wrongest clock was. What it planned is due that much later."""
        self.torn: Counter[str] = Counter()
        """How often each mail's job died where it may have been sent and not marked."""

    def run(self) -> list[str]:
        with self.world.history(self.rng):
            with self.world.app.app_context():
                self.cast = people.gather(self.rng)
            for _ in range(self.rng.randint(*STEPS)):
                self.world.forward(seconds=1)
                self._step()
            self.note(f"-- drained: {draining.drain(self)}")
            self.found += checks.everything(self)
        return self.found

    def _step(self) -> None:
        actions, weights = zip(*ACTIONS, strict=True)
        action: Callable[[History], None] = self.rng.choices(actions, weights)[0]
        by_people = action.__module__ != bank.__name__
        wrong_by = self.rng.choice((-10, 10)) if by_people and self.rng.random() < WRONG_CLOCKS else 0
        if wrong_by:
            self.ahead = max(self.ahead, wrong_by)
            self.note(f"   on a machine whose clock is {wrong_by:+d} minutes wrong:")
        try:
            with clock.travel(minutes=wrong_by):
                action(self)
        except (Crash, ShopError) as error:
            raise AssertionError(f"{action.__name__} let {error!r} through") from error

    def note(self, text: str) -> None:
        self.steps.append(text)

    def wrong(self, text: str) -> None:
        self.found.append(f"step {len(self.steps)}: {text}")

    @contextmanager
    def attempt(
        self,
        what: str,
        *,
        mortal: bool = True,
        context: bool = True,
        share: float = CRASHING,
        points: int = POINTS,
    ) -> Iterator[None]:
        """Around one act: it may be refused, and it may die (this share of them, at one of so many crash points);
        everything else that it raises is wrong (I17)."""
        faults, ended = self.world.faults, "done"
        if mortal and self.rng.random() < share:
            kind = self.rng.choices(("crash", "drop", "lose"), (6, 3, 1))[0]
            most = {"crash": points, "drop": STATEMENTS, "lose": COMMITS}[kind]
            faults.arm(kind, self.rng.randint(1, most))
        try:
            if context:
                with self.world.app.app_context():
                    yield
            else:
                yield
        except Crash as crash:
            ended = f"died at {crash}"
        except ShopError as error:
            ended = f"refused: {error.code}"
            if error.code == "BUSY":
                self.wrong(f"{what}: {error.code}")
        except SQLAlchemyError as error:
            ended = f"{type(error).__name__} after {faults.struck or 'nothing'}"
            if not faults.struck:
                self.wrong(f"{what}: {error!r}"[:500])
        if faults.struck and faults.struck not in ended:
            ended += f" ({faults.struck})"
        faults.disarm()
        self.note(f"{what}: {ended}")


ACTIONS: tuple[tuple[Callable[[History], None], float], ...] = (
    (customers.quote, 3),
    (customers.place, 10),
    (customers.ask_again, 4),
    (customers.ask_with_another_body, 1),
    (customers.pay_again, 4),
    (customers.cancel, 3),
    (customers.meddle, 1),
    (office.refund, 4),
    (office.cancel, 2),
    (office.send_refunds_again, 1),
    (office.adjust, 2),
    (office.decide, 1),
    (office.count_stock, 2),
    (office.move_order, 2),
    (office.run_jobs, 5),
    (office.relay, 6),
    (office.run_job_twice, 1),
    (office.reconcile, 4),
    (office.run_task, 1),
    (bank.deliver, 8),
    (bank.deliver_forged, 1),
    (bank.deliver_lie, 3),
    (bank.dispute, 1),
    (bank.decide_dispute, 1),
    (bank.decide, 6),
    (bank.stumble, 3),
    (bank.settle_refund, 2),
    (bank.bounce, 3),
    (bank.let_time_pass, 5),
)
