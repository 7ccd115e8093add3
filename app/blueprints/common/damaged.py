"""Work on many accounts, of which one may be damaged: it keeps nobody else waiting, and staff hear of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TypeVar

import structlog
from rq.timeouts import JobTimeoutException

from app.kernel.actor import system
from app.kernel.database import is_outage, run_atomically, session
from app.kernel.errors import Conflict
from app.payments import issues

FAILED = "account_failed"
"""Kind of the issue, one for each job: a fault of the shop itself would hit every account, and is one mail."""
LOOK_AT_IT = (
    "The job goes past these customers' accounts: look at the error, and run flask rewards verify. It tries them with "
    "every run; this closes when all succeed."
)
MOST_NAMED = 20
log = structlog.get_logger("rewards")
T = TypeVar("T")


class Damaged:
    """Those that one run of the job called `task`, or of its command, could not work on."""

    def __init__(self, task: str) -> None:
        self._task = task
        self._customers: dict[uuid.UUID, str] = {}
        self._all_seen = True

    @property
    def customers(self) -> frozenset[uuid.UUID]:
        return frozenset(self._customers)

    @property
    def errors(self) -> list[tuple[uuid.UUID, str]]:
        """By customer, in the order of their ids."""
        return sorted(self._customers.items())

    def go_past(self, customer_id: uuid.UUID, work: Callable[[], T]) -> T | None:
        """What `work` returns, in a transaction of its own; None when it failed. Raises when the database is away,
        and JobTimeoutException: the time of the whole job is up."""
        try:
            return run_atomically(work)
        except JobTimeoutException:
            raise
        except Exception as error:
            if is_outage(error):
                raise
            session().rollback()
            if isinstance(error, Conflict) and error.code == "BUSY":
                self.not_all_seen()
                return None
            log.exception("account could not be worked on", task=self._task, customer_id=str(customer_id))
            self._customers[customer_id] = f"{type(error).__name__}: {error}"[:300]
            return None

    def not_all_seen(self) -> None:
        """Somebody was busy, or the time was up: who failed before may fail still."""
        self._all_seen = False

    def tell(self) -> str:
        """Open the issue or close it, as the run went; what to add to the job's result."""
        if not self._customers:
            if self._all_seen:
                run_atomically(self._close)
            return ""
        named = sorted(self._customers)[:MOST_NAMED]
        detail = {
            "failed": len(self._customers),
            "customers": [str(customer_id) for customer_id in named],
            "error": self._customers[named[0]],
        }
        run_atomically(
            lambda: issues.record_issue(kind=FAILED, ref=self._task, detail=detail, suggestion=LOOK_AT_IT)
        )
        return f"; {len(self._customers)} accounts failed"

    def _close(self) -> None:
        fixed = {"state": "auto_fixed", "resolution": "It is so no more."}
        issues.close_issue(kind=FAILED, ref=self._task, by=system(self._task).name, **fixed)
