"""The daily three-way match: the gateway's report, our payments, and the books that orders and points keep.

What differs is first asked about at the gateway and settled, by the one writer; what differs still is an issue for
staff. Safe to run twice and at once: one run at a time holds the lock, an issue is opened once. What cannot be
settled is an issue too, and tried again with every run; the rest of the match goes on.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

import structlog

from app.checkout import book_checks
from app.checkout.disputes import settle_dispute
from app.gateways.asking import ask_payment, ask_refund
from app.gateways.reconcile import report_orphan
from app.kernel.actor import Actor
from app.kernel.database import end_reading, is_outage, run_atomically, session
from app.kernel.errors import Conflict
from app.outbox.runs import single_flight
from app.payments import issues, matching, matching_queries
from app.payments.bookkeeping import Bookkeeper, DayReport, DisputeSnapshot, ReportRow
from app.payments.gateway import Gateway, RefundSnapshot, Snapshot, Unknown
from app.payments.matching import Finding, OurPayment, OurRefund, Ours

GIVE_UP_AFTER_SILENCE = 3
BROKEN = "match_failed"
"""Kind of the issue about what the match could not do; `ref`: what it is about, as in `dispute:<the gateway's id>`."""
LOOK_AT_IT = (
    "Look at the error in the log, and settle it by hand. It is tried again; this closes when it succeeds."
)
DISPUTE = "dispute:"
log = structlog.get_logger("payments")


@dataclass
class Match:
    """Counts of one run. `complete`: the report was there, and the gateway answered whatever was asked. `broken`: what
    could not be settled."""

    day: date
    rows: int = 0
    asked: int = 0
    differ: int = 0
    books: int = 0
    closed: int = 0
    complete: bool = True
    broken: list[str] = field(default_factory=list)
    once_broken: frozenset[str] = field(default=frozenset(), repr=False)
    silent: int = field(default=0, repr=False)

    def __str__(self) -> str:
        end = f"; {len(self.broken)} broken" if self.broken else ""
        end += "" if self.complete else "; cut short: the gateway did not answer"
        return (
            f"{self.day}: {self.rows} rows, {self.asked} asked, {self.differ} differ; "
            f"books: {self.books} differ, {self.closed} closed{end}"
        )


def match(*, gateway: Gateway, day: date, actor: Actor) -> Match | None:
    """One run over `day` (UTC); None when another one is under way."""
    with single_flight("payments.match") as mine:
        end_reading()
        if not mine:
            return None
        run = Match(day, once_broken=issues.list_open_refs(BROKEN))
        end_reading()
        if isinstance(gateway, Bookkeeper):
            _disputes(run, gateway, actor)
            _guarded(run, f"report:{day}", lambda: _report(run, gateway, actor), actor)
        for check in book_checks.CHECKS:
            _guarded(run, f"books:{check.kind}", partial(_check_books, run, check, actor), actor)
        return run


def _guarded(run: Match, ref: str, work: Callable[[], bool], actor: Actor) -> None:
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
        if done and ref in run.once_broken:
            run_atomically(lambda: _close(ref, actor))


def _close(ref: str, actor: Actor) -> None:
    issues.close_issue(
        kind=BROKEN, ref=ref, state="auto_fixed", by=actor.name, resolution="It has succeeded since."
    )


def _check_books(run: Match, check: book_checks.Check, actor: Actor) -> bool:
    checked = book_checks.run_checks(checks=(check,), actor=actor)
    run.books += checked.found
    run.closed += checked.closed
    return True


def _disputes(run: Match, gateway: Gateway, actor: Actor) -> None:
    """Those whose callback was lost, and those that could not be settled in an earlier run."""
    assert isinstance(gateway, Bookkeeper)
    found = gateway.list_disputes(_window(run.day)[0])
    if isinstance(found, Unknown):
        run.complete = False
        return
    told = {truth.gateway_ref for truth in found}
    for truth in found:
        _guarded(run, f"{DISPUTE}{truth.gateway_ref}", partial(_settle, gateway, truth, actor), actor)
    for ref in sorted(run.once_broken):
        if ref.startswith(DISPUTE) and (gateway_ref := ref.removeprefix(DISPUTE)) not in told:
            _guarded(run, ref, partial(_ask_dispute, run, gateway_ref, gateway, actor), actor)


def _ask_dispute(run: Match, gateway_ref: str, gateway: Gateway, actor: Actor) -> bool:
    """What the gateway says of it now is settled; whether it said anything."""
    assert isinstance(gateway, Bookkeeper)
    truth = gateway.fetch_dispute(gateway_ref)
    _count_silence(run, truth)
    return isinstance(truth, DisputeSnapshot) and _settle(gateway, truth, actor)


def _settle(gateway: Gateway, truth: DisputeSnapshot, actor: Actor) -> bool:
    settle_dispute(gateway=gateway.name, truth=truth, actor=actor)
    return True


def _report(run: Match, gateway: Gateway, actor: Actor) -> bool:
    assert isinstance(gateway, Bookkeeper)
    report = gateway.fetch_report(run.day)
    if isinstance(report, Unknown):
        run.complete = False
        return False
    run.rows = len(report.rows)
    found = _compare(report, gateway.name)
    if any(finding.subject for finding in found):
        for finding in found:
            about = f"{finding.subject}:{finding.subject_id}"
            _guarded(run, about, partial(_ask, run, finding, gateway, actor), actor)
        found = _compare(report, gateway.name)
    for finding in found + _not_reported(run, report, gateway):
        run.differ += 1
        _record(finding, report)
    return True


def _compare(report: DayReport, gateway: str) -> list[Finding]:
    keys = [row.key for row in report.rows if row.kind == "payment"]
    refund_keys = [row.key for row in report.rows if row.kind == "refund"]
    refs = {row.payment_ref for row in report.rows if row.kind != "payment"}
    disputes = [row.gateway_ref for row in report.rows if row.kind == "dispute"]
    payments = matching_queries.list_payments(gateway, keys=_ids(keys), gateway_refs=sorted(refs))
    ours = Ours(
        payments={payment.id: payment for payment in payments},
        by_gateway_ref={str(payment.gateway_ref): payment for payment in payments if payment.gateway_ref},
        refunds={refund.id: refund for refund in matching_queries.list_refunds(_ids(refund_keys))},
        disputes=matching_queries.list_lost_disputes(gateway, disputes),
    )
    end_reading()
    return matching.compare(report, ours)


def _ask(run: Match, finding: Finding, gateway: Gateway, actor: Actor) -> bool:
    """The gateway is asked about it, and what it says is settled; whether it said anything."""
    if finding.subject is None or finding.subject_id is None or run.silent >= GIVE_UP_AFTER_SILENCE:
        return False
    run.asked += 1
    truth: object
    if finding.subject == "dispute":
        return _ask_dispute(run, finding.subject_id, gateway, actor)
    if finding.subject == "refund":
        truth = ask_refund(refund_id=uuid.UUID(finding.subject_id), gateway=gateway, actor=actor)
    else:
        truth, _ = ask_payment(payment_id=uuid.UUID(finding.subject_id), gateway=gateway, actor=actor)
    _count_silence(run, truth)
    return not isinstance(truth, Unknown)


def _not_reported(run: Match, report: DayReport, gateway: Gateway) -> list[Finding]:
    """Ours of that day that the report does not have: booked on another day, or only here."""
    start, end = _window(run.day)
    reported = {row.key for row in report.rows}
    payments = matching_queries.list_captured_between(gateway.name, start, end)
    refunds = matching_queries.list_refunded_between(gateway.name, start, end)
    end_reading()
    missing = [_missing_payment(run, one, gateway) for one in payments if one.id not in reported]
    missing += [_missing_refund(run, one, gateway) for one in refunds if one.id not in reported]
    return [finding for finding in missing if finding is not None]


def _missing_payment(run: Match, payment: OurPayment, gateway: Gateway) -> Finding | None:
    if run.silent >= GIVE_UP_AFTER_SILENCE:
        return None
    run.asked += 1
    truth = gateway.fetch(uuid.UUID(payment.id), payment.gateway_ref)
    _count_silence(run, truth)
    if isinstance(truth, Unknown):
        return None
    if isinstance(truth, Snapshot) and (truth.captured, truth.currency) == (payment.amount, payment.currency):
        return None
    told = truth.status if isinstance(truth, Snapshot) else "absent"
    detail = {"payment": payment.id, "reference": payment.reference, "shop": payment.amount, "gateway": told}
    return Finding(matching.MISSING, payment.id, detail)


def _missing_refund(run: Match, refund: OurRefund, gateway: Gateway) -> Finding | None:
    if run.silent >= GIVE_UP_AFTER_SILENCE:
        return None
    run.asked += 1
    truth = gateway.fetch_refund(uuid.UUID(refund.id), None)
    _count_silence(run, truth)
    if isinstance(truth, Unknown):
        return None
    if isinstance(truth, RefundSnapshot) and (truth.status, truth.amount) == ("succeeded", refund.amount):
        return None
    told = truth.status if isinstance(truth, RefundSnapshot) else "absent"
    detail = {"payment": refund.payment_id, "refund": refund.id, "shop": refund.amount, "gateway": told}
    return Finding(matching.REFUND, refund.payment_id, detail)


def _record(finding: Finding, report: DayReport) -> None:
    """Once: what settling has recorded in its own words, or staff have settled, stays as it is."""
    if finding.kind == matching.ORPHAN:
        report_orphan(_snapshot_of(next(r for r in report.rows if r.gateway_ref == finding.ref)))
        return

    def work() -> None:
        known = issues.find_issue(finding.kind, finding.ref)
        if known is None or known.state == "auto_fixed":
            issues.record_issue(
                kind=finding.kind,
                ref=finding.ref,
                detail=finding.detail,
                suggestion=matching.SUGGESTIONS[finding.kind],
            )

    run_atomically(work)


def _snapshot_of(row: ReportRow) -> Snapshot:
    return Snapshot(
        key=row.key or "",
        gateway_ref=row.gateway_ref,
        status="captured",
        amount=row.amount,
        currency=row.currency,
        reference=row.reference,
        captured=row.amount,
    )


def _count_silence(run: Match, truth: object) -> None:
    unclear = isinstance(truth, Unknown)
    run.silent = run.silent + 1 if unclear else 0
    run.complete = run.complete and not unclear


def _window(day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time.min, UTC)
    return start, start + timedelta(days=1)


def _ids(keys: list[str | None]) -> list[uuid.UUID]:
    found = []
    for key in keys:
        try:
            found.append(uuid.UUID(key or ""))
        except ValueError:
            continue  # not one of ours
    return found
