"""One run of the match: what it counts, what it could not settle, and what earlier runs left to be tried again."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial

import structlog

from app.checkout.disputes import settle_dispute
from app.gateways.asking import ask_about
from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import end_reading, is_outage, run_atomically, session
from app.kernel.errors import Conflict
from app.payments import issues
from app.payments.bookkeeping import Bookkeeper, DisputeSnapshot
from app.payments.gateway import Gateway, Unknown

DAYS = 3
"""How many days are matched each day, today included: what was not answered on one of them is asked on the next."""
GIVE_UP_AFTER_SILENCE = 3
MOST_RETRIED = 200
BROKEN = "match_failed"
"""Kind of the issue about what the match could not do; `ref`: what it is about, as in `dispute:<the gateway's id>`,
`payment:` or `refund:<our id>`, `report:<day>`, `books:<kind of the check>`."""
LOOK_AT_IT = (
    "Look at the error in the log, and settle it by hand. It is tried again; this closes when it succeeds."
)
ASKED_AGAIN = (
    "Not all that differs on this day could be asked about at the gateway. It is asked again with every match; this "
    "closes when it has been answered."
)
DAY = "report:"
log = structlog.get_logger("payments")


@dataclass
class Match:
    """Counts of one run. `complete`: the report was there, and the gateway answered whatever was asked. `broken`: what
    could not be settled; `answered`: about what the gateway said something. `once_broken` and `accused`: what was open
    when the run began, as `ref` of BROKEN, and as ids of payments."""

    day: date
    rows: int = 0
    asked: int = 0
    differ: int = 0
    books: int = 0
    closed: int = 0
    complete: bool = True
    broken: list[str] = field(default_factory=list)
    once_broken: frozenset[str] = field(default=frozenset(), repr=False)
    accused: frozenset[str] = field(default=frozenset(), repr=False)
    answered: set[str] = field(default_factory=set, repr=False)
    silent: int = field(default=0, repr=False)

    @property
    def is_hopeless(self) -> bool:
        """The gateway says nothing: what is left is asked another time."""
        return self.silent >= GIVE_UP_AFTER_SILENCE

    def hear(self, truth: object) -> bool:
        """Whether it is an answer at all."""
        unclear = isinstance(truth, Unknown)
        self.silent = self.silent + 1 if unclear else 0
        self.complete = self.complete and not unclear
        return not unclear

    def __str__(self) -> str:
        end = f"; {len(self.broken)} broken" if self.broken else ""
        end += "" if self.complete else "; cut short: the gateway did not answer"
        return (
            f"{self.day}: {self.rows} rows, {self.asked} asked, {self.differ} differ; "
            f"books: {self.books} differ, {self.closed} closed{end}"
        )


def guarded(run: Match, ref: str, work: Callable[[], bool], actor: Actor) -> None:
    """What cannot be settled must not keep all the rest waiting: staff hear of it, until `work` is done (True). A
    database that is away is nobody's fault, and ends the run."""
    try:
        done = work()
    except Exception as error:
        if is_outage(error):
            raise
        session().rollback()
        log.exception("the match could not settle", about=ref)
        run.broken.append(ref)
        if isinstance(error, Conflict) and error.code == "BUSY":
            return
        detail = {"about": ref, "error": f"{type(error).__name__}: {error}"[:300]}
        run_atomically(
            lambda: issues.record_issue(kind=BROKEN, ref=ref, detail=detail, suggestion=LOOK_AT_IT)
        )
    else:
        end_reading()
        if not done:
            return
        run.answered.add(ref)
        if ref in run.once_broken:
            run_atomically(lambda: _close(ref, actor))


def _close(ref: str, actor: Actor) -> None:
    issues.close_issue(
        kind=BROKEN, ref=ref, state="auto_fixed", by=actor.name, resolution="It has succeeded since."
    )


def ask(run: Match, about: str, gateway: Gateway, actor: Actor) -> None:
    """Ask the gateway about `payment:`, `refund:` or `dispute:<id>`, once in a run, and settle what it says."""
    if about not in run.answered and about not in run.broken and not run.is_hopeless:
        guarded(run, about, partial(_ask, run, about, gateway, actor), actor)


def _ask(run: Match, about: str, gateway: Gateway, actor: Actor) -> bool:
    """Whether it said anything."""
    subject, _, its_id = about.partition(":")
    if subject == "dispute":
        assert isinstance(gateway, Bookkeeper)
        run.asked += 1
        truth = gateway.fetch_dispute(its_id)
        return run.hear(truth) and (not isinstance(truth, DisputeSnapshot) or settle(gateway, truth, actor))
    said = ask_about(about=uuid.UUID(its_id), gateway=gateway, actor=actor)
    if said is None:
        return False
    run.asked += 1
    return run.hear(Unknown("no clear word") if not said else None)


def settle(gateway: Gateway, truth: DisputeSnapshot, actor: Actor) -> bool:
    settle_dispute(gateway=gateway.name, truth=truth, actor=actor)
    return True


def retry(run: Match, gateway: Gateway, actor: Actor) -> None:
    """What could not be settled in an earlier run, and what an earlier word accused: the latest word counts.

    In no order, so that some about which the gateway never says a word keep no other waiting.
    """
    once = {ref for ref in run.once_broken if ref.startswith(("payment:", "refund:", "dispute:"))}
    once |= {f"payment:{ref}" for ref in run.accused if _is_id(ref)}
    for about in _some(once):
        ask(run, about, gateway, actor)


def days_to_match(run: Match) -> list[date]:
    """Its own day first, then those that left `DAYS` before the gateway had answered."""
    kept = (ref.removeprefix(DAY) for ref in run.once_broken if ref.startswith(DAY))
    return [run.day, *(date.fromisoformat(day) for day in _some(kept) if day != run.day.isoformat())]


def keep(day: date) -> None:
    """Remember a day that could not be matched whole, when no later run would come back to it."""
    if clock.now().date() - day < timedelta(days=DAYS - 1):
        return
    detail = {"day": day.isoformat()}
    run_atomically(
        lambda: issues.record_issue(kind=BROKEN, ref=f"{DAY}{day}", detail=detail, suggestion=ASKED_AGAIN)
    )


def _some(refs: Iterable[str]) -> list[str]:
    found = sorted(refs)
    return secrets.SystemRandom().sample(found, min(MOST_RETRIED, len(found)))


def _is_id(ref: str) -> bool:
    """Not the gateway's own id of what is none of ours."""
    try:
        return bool(uuid.UUID(ref))
    except ValueError:
        return False
