"""The daily three-way match: the gateway's report, our payments, and the books that orders and points keep.

What differs is first asked about at the gateway and settled, by the one writer; what differs still is an issue for
staff. Safe to run twice and at once: one run at a time holds the lock, an issue is opened once.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from app.checkout import book_checks
from app.checkout.disputes import settle_dispute
from app.gateways.asking import ask_payment, ask_refund
from app.gateways.reconcile import report_orphan
from app.kernel.actor import Actor
from app.kernel.database import end_reading, run_atomically
from app.outbox.runs import single_flight
from app.payments import issues, matching, matching_queries
from app.payments.bookkeeping import Bookkeeper, DayReport, DisputeSnapshot, ReportRow
from app.payments.gateway import Gateway, RefundSnapshot, Snapshot, Unknown
from app.payments.matching import Finding, OurPayment, OurRefund, Ours

GIVE_UP_AFTER_SILENCE = 3


@dataclass
class Match:
    """Counts of one run. `complete`: the report was there, and the gateway answered whatever was asked."""

    day: date
    rows: int = 0
    asked: int = 0
    differ: int = 0
    books: int = 0
    closed: int = 0
    complete: bool = True
    silent: int = field(default=0, repr=False)

    def __str__(self) -> str:
        end = "" if self.complete else "; cut short: the gateway did not answer"
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
        run = Match(day)
        if isinstance(gateway, Bookkeeper):
            _disputes(run, gateway, actor)
            _report(run, gateway, actor)
        checked = book_checks.run_checks(actor=actor)
        run.books, run.closed = checked.found, checked.closed
        return run


def _disputes(run: Match, gateway: Gateway, actor: Actor) -> None:
    """Those whose callback was lost."""
    assert isinstance(gateway, Bookkeeper)
    found = gateway.list_disputes(_window(run.day)[0])
    if isinstance(found, Unknown):
        run.complete = False
        return
    for truth in found:
        settle_dispute(gateway=gateway.name, truth=truth, actor=actor)


def _report(run: Match, gateway: Gateway, actor: Actor) -> None:
    assert isinstance(gateway, Bookkeeper)
    report = gateway.fetch_report(run.day)
    if isinstance(report, Unknown):
        run.complete = False
        return
    run.rows = len(report.rows)
    found = _compare(report, gateway.name)
    if any(finding.subject for finding in found):
        for finding in found:
            _ask(run, finding, gateway, actor)
        found = _compare(report, gateway.name)
    for finding in found + _not_reported(run, report, gateway):
        run.differ += 1
        _record(finding, report)


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


def _ask(run: Match, finding: Finding, gateway: Gateway, actor: Actor) -> None:
    if finding.subject is None or finding.subject_id is None or run.silent >= GIVE_UP_AFTER_SILENCE:
        return
    run.asked += 1
    if finding.subject == "dispute":
        truth: object = gateway.fetch_dispute(finding.subject_id) if isinstance(gateway, Bookkeeper) else None
        if isinstance(truth, DisputeSnapshot):
            settle_dispute(gateway=gateway.name, truth=truth, actor=actor)
    elif finding.subject == "refund":
        truth = ask_refund(refund_id=uuid.UUID(finding.subject_id), gateway=gateway, actor=actor)
    else:
        truth, _ = ask_payment(payment_id=uuid.UUID(finding.subject_id), gateway=gateway, actor=actor)
    _count_silence(run, truth)


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
