"""Recompute what the database keeps and say what differs: probes in one snapshot, and the audit log's own.

A probe is one statement that returns (name of a check, reference of a row that breaks it), nothing when all is
well. Rooms above bring their own probes; whoever runs them passes all in one call, so that every check sees the
same instant.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.kernel import clock
from app.kernel.database import is_outage, session

SAMPLES = 5
LONGEST = 300  # letters of an error
# A probe has up to a dozen sorts and hashes at a time, each with this much: 10 million entries stay far below 1 GB.
MEMORY = ("work_mem = '32MB'", "hash_mem_multiplier = 1", "max_parallel_workers_per_gather = 0")


@dataclass(frozen=True, slots=True)
class Probe:
    """`checks`: name to sentence, what holds when the check is clean. `examined`: counts the rows looked at.

    `sql` may ask `current_setting('shop.now')` for the time by the shop's clock."""

    checks: Mapping[str, str]
    examined: str
    sql: str


def flagged(*, ref: str, rows: str, checks: Mapping[str, str]) -> str:
    """The part of a probe that names each of `rows` (FROM and its joins) by `ref` for each check whose condition holds.

    All conditions are asked in one first: VALUES prepares its expressions anew for every row, which takes longer
    than most of them.
    """
    values = ", ".join(f"('{name}', {condition})" for name, condition in checks.items())
    return (
        f"SELECT flag.name, {ref} FROM {rows} CROSS JOIN LATERAL (VALUES {values}) AS flag(name, broken) "  # noqa: S608 (our own words)
        f"WHERE flag.broken AND ({' OR '.join(f'({condition})' for condition in checks.values())})"
    )


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`found` rows of `examined` break the check; `samples` names the first few. A check that could not be asked has
    found one of none, and the error is its sample."""

    name: str
    what: str
    examined: int
    found: int
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """`at`: the instant of the snapshot."""

    at: datetime
    seconds: float
    checks: tuple[CheckResult, ...]

    @property
    def ok(self) -> bool:
        return all(check.found == 0 for check in self.checks)

    @property
    def differences(self) -> tuple[CheckResult, ...]:
        return tuple(check for check in self.checks if check.found)


def run(probes: Iterable[Probe], *, progress: Callable[[CheckResult], None] | None = None) -> Verification:
    """Every check of every probe in one REPEATABLE READ snapshot that can write nothing.

    Call it first in a transaction of its own. It may take minutes: the statement timeout is lifted in it.
    """
    started, at = time.monotonic(), clock.now()
    begin_snapshot()
    session().execute(text("SELECT set_config('shop.now', :at, true)"), {"at": at.isoformat()})
    session().execute(text("SET TRANSACTION READ ONLY"))
    for setting in ("statement_timeout = 0", *MEMORY):
        session().execute(text(f"SET LOCAL {setting}"))
    session().execute(text("SET LOCAL timezone = 'UTC'"))  # the audit hash covers its own time as text
    results: list[CheckResult] = []
    for probe in probes:
        for result in _run(probe):
            results.append(result)
            if progress is not None:
                progress(result)
    return Verification(at, time.monotonic() - started, tuple(results))


def begin_snapshot() -> None:
    """Everything that this transaction reads is of one instant. Raises RuntimeError when it has read already."""
    if session().in_transaction():
        raise RuntimeError("a snapshot begins a transaction: nothing may have been read in it before")
    session().connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _run(probe: Probe) -> Sequence[CheckResult]:
    """A probe that the data make fail says so of each of its checks, and keeps none of the others from being asked."""
    try:
        with session().begin_nested():
            return _ask(probe)
    except DBAPIError as error:
        if is_outage(error):
            raise
        said = f"could not be asked: {str(error.orig).splitlines()[0]}"[:LONGEST]
        return [CheckResult(name, what, 0, 1, (said,)) for name, what in probe.checks.items()]


def _ask(probe: Probe) -> Sequence[CheckResult]:
    examined = int(session().scalar(text(probe.examined)) or 0)
    counted = text(
        f"SELECT name, count(*), (array_agg(ref ORDER BY ref))[1:{SAMPLES}] "  # noqa: S608 (our own words)
        f"FROM ({probe.sql}) AS broken(name, ref) GROUP BY name"
    )
    found = {name: (int(count), tuple(refs)) for name, count, refs in session().execute(counted)}
    if unknown := found.keys() - probe.checks.keys():
        raise ValueError(f"a probe reports checks that it does not declare: {sorted(unknown)}")
    return [
        CheckResult(name, what, examined, *found.get(name, (0, ()))) for name, what in probe.checks.items()
    ]


AUDIT = Probe(
    checks={
        "audit_gapless": "each audited thing counts its rows 1, 2, 3 and each row names the one before it",
        "audit_hashes": "the hash of each audit row is the hash of its content and of the row before it",
    },
    examined="SELECT count(*) FROM audit_log",
    sql="""
      SELECT flag.name, a.target_type || ' ' || a.target_id || ' #' || a.seq
        FROM (SELECT a.*, lag(a.hash) OVER chain AS last_hash, lag(a.seq, 1, 0::bigint) OVER chain AS last_seq
                FROM audit_log a WINDOW chain AS (PARTITION BY target_type, target_id ORDER BY seq)) a
       CROSS JOIN LATERAL (VALUES
         ('audit_gapless', a.seq <> a.last_seq + 1
            OR a.prev_hash <> coalesce(a.last_hash, decode(repeat('00', 32), 'hex'))),
         ('audit_hashes', a.hash <> sha256(a.prev_hash || convert_to(
            (to_jsonb(a) - 'hash' - 'prev_hash' - 'last_hash' - 'last_seq')::text, 'UTF8')))
       ) AS flag(name, broken)
       WHERE flag.broken
    """,
)
