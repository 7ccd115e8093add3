"""Stripe's books of a day and its disputes (docs/stripe.md, "The books")."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar

from app.gateways import stripe_booking as booking
from app.gateways import stripe_replies as replies
from app.gateways import stripe_walk as walk
from app.gateways import stripe_wire as wire
from app.gateways.http import NoReply, Reply
from app.gateways.stripe_calls import Calls
from app.gateways.telemetry import watched
from app.payments.bookkeeping import DayReport, DisputeSnapshot, ReportRow
from app.payments.gateway import Absent, Unknown

MOST_PAGES = 2_000
"""Of 100 entries: far more than a day of this shop; a list without an end is no list."""
CLOSED = "charge.dispute.closed"
T = TypeVar("T")


class StripeBooks:
    """Implements `app.payments.bookkeeping.Bookkeeper`. A list takes as long as its pages do together."""

    name = "stripe"
    _calls: Calls

    def fetch_report(self, day: date) -> DayReport | Unknown:
        """What settles: captured payments, refunds that succeeded, disputes that were lost.

        What went out and came back (failed refunds, disputes that were won) and what is undecided is not told,
        nor payouts and whatever else Stripe books.
        """
        start = datetime.combine(day, time.min, UTC)
        first, last = int(start.timestamp()), int((start + timedelta(days=1)).timestamp())
        rows = self._all(
            "report",
            lambda after: self._calls.list_booked(first, last, after),
            booking.BookedList,
            self._row_of,
        )
        return rows if isinstance(rows, Unknown) else DayReport(day, tuple(rows), _net(rows))

    def fetch_dispute(self, gateway_ref: str) -> DisputeSnapshot | Absent | Unknown:
        found: DisputeSnapshot | Absent | Unknown
        with watched(self.name, "fetch_dispute", dispute=gateway_ref) as call, self._calls.in_time():
            reply = self._calls.get_dispute(gateway_ref)
            dispute = _read(reply, booking.Dispute)
            if replies.is_missing(reply):
                found = Absent()
            else:
                found = dispute if isinstance(dispute, Unknown) else self._snapshot(dispute)
            if isinstance(found, DisputeSnapshot) and found.gateway_ref != gateway_ref:
                found = Unknown("mismatch: the answer is about another dispute")
            call.answer = found
        return found

    def list_disputes(self, since: datetime) -> tuple[DisputeSnapshot, ...] | Unknown:
        """Those opened since then, and by their events those closed since then; Stripe keeps events for 30 days."""
        at = int(since.timestamp())
        opened = self._all(
            "list_disputes",
            lambda after: self._calls.list_disputes(at, after),
            booking.DisputeList,
            self._snapshot,
        )
        closed = self._all(
            "list_disputes",
            lambda after: self._calls.list_events(CLOSED, at, after),
            wire.EventList,
            lambda event: str(event.data.object.id),
        )
        if isinstance(opened, Unknown) or isinstance(closed, Unknown):
            return Unknown("no list of disputes")
        found = {dispute.gateway_ref: dispute for dispute in opened}
        for ref in sorted(set(closed) - found.keys()):
            truth = self.fetch_dispute(ref)
            if isinstance(truth, Unknown):
                return truth
            if isinstance(truth, DisputeSnapshot):
                found[ref] = truth
        return tuple(found.values())

    def _all(
        self,
        verb: str,
        ask: Callable[[str | None], Reply | NoReply],
        shape: Any,
        tell: Callable[[Any], T | Unknown | None],
    ) -> list[T] | Unknown:
        """What `tell` makes of each entry of a list, page by page; None is passed over, Unknown ends it."""
        found: list[T] = []
        after: str | None = None
        for _ in range(MOST_PAGES):
            with watched(self.name, verb) as call, self._calls.in_time():
                page = _read(ask(after), shape)
                call.answer = told = page if isinstance(page, Unknown) else _each(page.data, tell)
            if isinstance(page, Unknown) or isinstance(told, Unknown):
                return page if isinstance(page, Unknown) else told
            found += told
            if not page.has_more or not page.data:
                return found
            after = page.data[-1].id
        return Unknown("a list without an end")

    def _snapshot(self, dispute: booking.Dispute) -> DisputeSnapshot | Unknown:
        about = dispute.payment_intent
        ref = dispute.charge if about is None else self._payment_ref(about)
        return ref if isinstance(ref, Unknown) else dispute.snapshot(ref)

    def _payment_ref(self, about: wire.Intent | str) -> str | Unknown:
        """What the shop calls the payment: of a hosted one that is its session."""
        intent = _read(self._calls.get_intent(about), wire.Intent) if isinstance(about, str) else about
        told = intent if isinstance(intent, Unknown) else walk.snapshot_of(self._calls, intent)
        return told if isinstance(told, Unknown) else told.gateway_ref

    def _row_of(self, entry: booking.Booked) -> ReportRow | Unknown | None:
        source = bytes(entry.source)
        match entry.type:
            case "charge" | "payment":
                charge = replies.decode(source, booking.Charge)
                return _payment(entry, charge) if charge else Unknown("a charge that cannot be read")
            case "refund" | "payment_refund":
                refund = replies.decode(source, wire.Refund)
                return self._refund_row(entry, refund) if refund else Unknown("a refund that cannot be read")
            case "adjustment":
                if replies.decode(source, booking.About) != booking.About("dispute"):
                    return None
                dispute = replies.decode(source, booking.Dispute)
                return (
                    self._dispute_row(entry, dispute) if dispute else Unknown("a dispute that cannot be read")
                )
            case _:
                return None

    def _refund_row(self, entry: booking.Booked, refund: wire.Refund) -> ReportRow | Unknown | None:
        if refund.status != "succeeded":
            return None
        ref: str | Unknown | None = refund.about.get("payment_ref")
        if ref is None:  # made in Stripe's dashboard
            ref = self._payment_ref(refund.payment_intent) if refund.payment_intent else ""
        if isinstance(ref, Unknown):
            return ref
        return entry.row(
            "refund",
            gateway_ref=refund.id,
            payment_ref=ref,
            key=refund.about.get("refund_id"),
            reference="",
            charged=(-refund.amount, refund.currency),
        )

    def _dispute_row(self, entry: booking.Booked, dispute: booking.Dispute) -> ReportRow | Unknown | None:
        if dispute.outcome() != "lost":
            return None
        told = self._snapshot(dispute)
        if isinstance(told, Unknown):
            return told
        return entry.row(
            "dispute",
            gateway_ref=dispute.id,
            payment_ref=told.payment_ref,
            key=None,
            reference="",
            charged=(-dispute.amount, dispute.currency),
        )


def _payment(entry: booking.Booked, charge: booking.Charge) -> ReportRow:
    ref = charge.payment_intent or charge.id
    return entry.row(
        "payment",
        gateway_ref=ref,
        payment_ref=ref,
        key=charge.metadata.get("payment_id"),
        reference=charge.metadata.get("reference", ""),
        charged=(charge.taken, charge.currency),
    )


def _net(rows: list[ReportRow]) -> dict[str, int]:
    """Stripe sums no day up: this is the sum of what it says each entry leaves."""
    net: dict[str, int] = {}
    for row in rows:
        net[row.currency] = net.get(row.currency, 0) + row.net
    return net


def _each(entries: list[Any], tell: Callable[[Any], T | Unknown | None]) -> list[T] | Unknown:
    found: list[T] = []
    for entry in entries:
        told = tell(entry)
        if isinstance(told, Unknown):
            return told
        if told is not None:
            found.append(told)
    return found


def _read(reply: Reply | NoReply, shape: type[T]) -> T | Unknown:
    told = replies.read(reply, shape)
    return Unknown(replies.reason(reply)) if told is None else told
