"""The daily three-way match: the gateway's report, our payments, and the books that orders and points keep.

What differs is first asked about at the gateway and settled, by the one writer; what differs still is an issue for
staff. Safe to run twice and at once: one run at a time holds the lock, an issue is opened once. What cannot be
settled is an issue too, and tried again with every run; the rest of the match goes on.
"""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from app.checkout import book_checks
from app.gateways.match_run import BROKEN, DAY, DAYS, Match, ask, days_to_match, guarded, keep, retry, settle
from app.gateways.reconcile import report_orphan
from app.kernel.actor import Actor
from app.kernel.database import end_reading, run_atomically
from app.outbox.runs import single_flight
from app.payments import issues, matching, matching_queries, rules
from app.payments.bookkeeping import Bookkeeper, DayReport, ReportRow
from app.payments.gateway import Gateway, RefundSnapshot, Snapshot, Unknown
from app.payments.matching import Finding, OurPayment, OurRefund, Ours

__all__ = ["BROKEN", "DAYS", "Match", "match"]


def match(*, gateway: Gateway, day: date, actor: Actor) -> Match | None:
    """One run over `day` (UTC); None when another one is under way."""
    with single_flight("payments.match") as mine:
        end_reading()
        if not mine:
            return None
        run = Match(
            day,
            once_broken=issues.list_open_refs(BROKEN),
            accused=issues.list_open_about(rules.ACCUSING),
        )
        end_reading()
        if isinstance(gateway, Bookkeeper):
            days = days_to_match(run)
            heard = _disputes(run, min(days), gateway, actor)
            for one in days:
                guarded(run, f"{DAY}{one}", partial(_day, run, one, heard, gateway, actor), actor)
            run.silent = 0  # days that cannot be read say nothing about single questions
            retry(run, gateway, actor)
        for check in book_checks.CHECKS:
            guarded(run, f"books:{check.kind}", partial(_check_books, run, check, actor), actor)
        return run


def _check_books(run: Match, check: book_checks.Check, actor: Actor) -> bool:
    checked = book_checks.run_checks(checks=(check,), actor=actor)
    run.books += checked.found
    run.closed += checked.closed
    return True


def _disputes(run: Match, since: date, gateway: Gateway, actor: Actor) -> bool:
    """Those whose callback was lost; whether the gateway listed them."""
    assert isinstance(gateway, Bookkeeper)
    found = gateway.list_disputes(_window(since)[0])
    if isinstance(found, Unknown):
        return run.hear(found)
    for truth in found:
        guarded(run, f"dispute:{truth.gateway_ref}", partial(settle, gateway, truth, actor), actor)
    return True


def _day(run: Match, day: date, heard: bool, gateway: Gateway, actor: Actor) -> bool:
    """Whether all of it was answered; else it is matched again."""
    is_whole = not run.is_hopeless and _report(run, day, gateway, actor) and heard
    if not is_whole:
        keep(day)
    return is_whole


def _report(run: Match, day: date, gateway: Gateway, actor: Actor) -> bool:
    """What differs after the gateway was asked is recorded. Without its answer nothing is: False, and asked again."""
    assert isinstance(gateway, Bookkeeper)
    report = gateway.fetch_report(day)
    if isinstance(report, Unknown):
        return run.hear(report)
    run.hear(report)
    run.rows += len(report.rows)
    found = _compare(report, gateway.name)
    if any(finding.about for finding in found):
        for about in dict.fromkeys(finding.about for finding in found if finding.about):
            ask(run, about, gateway, actor)
        found = _compare(report, gateway.name)
    missing, is_whole = _not_reported(run, day, report, gateway)
    for finding in found + missing:
        if finding.about is None or finding.about in run.answered:
            run.differ += 1
            _record(finding, report)
        else:
            is_whole = False
    return is_whole


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


def _not_reported(run: Match, day: date, report: DayReport, gateway: Gateway) -> tuple[list[Finding], bool]:
    """Ours of that day that the report does not have, booked on another day, or only here; and whether the gateway
    answered about all of them."""
    start, end = _window(day)
    reported = {row.key for row in report.rows}
    payments = matching_queries.list_captured_between(gateway.name, start, end)
    refunds = matching_queries.list_refunded_between(gateway.name, start, end)
    end_reading()
    found: list[Finding | Unknown | None] = []
    found += [_missing_payment(run, one, gateway) for one in payments if one.id not in reported]
    found += [_missing_refund(run, one, gateway) for one in refunds if one.id not in reported]
    is_whole = not any(isinstance(one, Unknown) for one in found)
    return [one for one in found if isinstance(one, Finding)], is_whole


def _missing_payment(run: Match, payment: OurPayment, gateway: Gateway) -> Finding | Unknown | None:
    if run.is_hopeless:
        return Unknown("not asked")
    run.asked += 1
    truth = gateway.fetch(uuid.UUID(payment.id), payment.gateway_ref)
    run.hear(truth)
    if isinstance(truth, Unknown):
        return truth
    if isinstance(truth, Snapshot) and (truth.captured, truth.currency) == (payment.amount, payment.currency):
        return None
    told = truth.status if isinstance(truth, Snapshot) else "absent"
    detail = {"payment": payment.id, "reference": payment.reference, "shop": payment.amount, "gateway": told}
    return Finding(matching.MISSING, payment.id, detail)


def _missing_refund(run: Match, refund: OurRefund, gateway: Gateway) -> Finding | Unknown | None:
    if run.is_hopeless:
        return Unknown("not asked")
    run.asked += 1
    truth = gateway.fetch_refund(uuid.UUID(refund.id), None)
    run.hear(truth)
    if isinstance(truth, Unknown):
        return truth
    if isinstance(truth, RefundSnapshot) and (truth.status, truth.amount) == ("succeeded", refund.amount):
        return None
    told = truth.status if isinstance(truth, RefundSnapshot) else "absent"
    detail = {"payment": refund.payment_id, "refund": refund.id, "shop": refund.amount, "gateway": told}
    return Finding(matching.REFUND, refund.payment_id, detail)


def _record(finding: Finding, report: DayReport) -> None:
    """Once: what settling has recorded in its own words, what the gateway took back, or staff have settled, stays."""
    if finding.kind == matching.ORPHAN:
        report_orphan(_snapshot_of(next(r for r in report.rows if r.gateway_ref == finding.ref)))
        return

    def work() -> None:
        known = issues.find_issue(finding.kind, finding.ref)
        if known is None or (known.state == "auto_fixed" and known.detail != finding.detail):
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
