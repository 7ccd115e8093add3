"""The sandbox gateway's report and disputes, checked on arrival (docs/sandbox-gateway.md)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from urllib.parse import quote, urlencode

import msgspec

from app.gateways import sandbox_wire as wire
from app.gateways.http import NoReply, Reply, Transport
from app.gateways.telemetry import watched
from app.payments.bookkeeping import DayReport, DisputeSnapshot, ReportRow
from app.payments.gateway import Absent, Unknown

MAX_REPORT = 64 * 1024 * 1024
"""Bytes: a day of 100,000 payments is a third of it."""
PAGE = 200


class _Row(msgspec.Struct):
    type: Literal["payment", "refund", "dispute"]
    id: str
    payment: str
    idempotency_key: str | None
    reference: str
    currency: str
    amount: int
    fee: int
    net: int

    def row(self) -> ReportRow:
        return ReportRow(
            kind=self.type,
            gateway_ref=self.id,
            payment_ref=self.payment,
            key=self.idempotency_key,
            reference=self.reference,
            currency=self.currency,
            amount=self.amount,
            fee=self.fee,
            net=self.net,
        )


class _Total(msgspec.Struct):
    net: int


class _Report(msgspec.Struct):
    day: date
    rows: list[_Row]
    totals: dict[str, _Total]


class _Dispute(msgspec.Struct):
    id: str
    payment: str
    status: Literal["open", "won", "lost"]
    amount: int
    currency: str
    reason: str = ""
    respond_by: datetime | None = None

    def snapshot(self) -> DisputeSnapshot:
        return DisputeSnapshot(
            gateway_ref=self.id,
            payment_ref=self.payment,
            status=self.status,
            amount=self.amount,
            currency=self.currency,
            reason=self.reason,
            due_at=self.respond_by,
        )


class _Disputes(msgspec.Struct):
    data: list[_Dispute]
    has_more: bool
    next: str | None


class SandboxBooks:
    """Implements `app.payments.bookkeeping.Bookkeeper`."""

    name = "sandbox"
    _http: Transport

    def fetch_report(self, day: date) -> DayReport | Unknown:
        with watched(self.name, "report", day=day.isoformat()) as call:
            reply = self._http.call("GET", f"/report?day={day.isoformat()}", max_reply=MAX_REPORT)
            call.answer = answer = self._report(reply, day)
        return answer

    def _report(self, reply: Reply | NoReply, day: date) -> DayReport | Unknown:
        if isinstance(reply, NoReply):
            return Unknown(reply.reason)
        report = wire.read(reply.body, _Report) if reply.status == 200 else None
        if report is None or report.day != day:
            return Unknown("no report of this day")
        net = {currency: total.net for currency, total in report.totals.items()}
        return DayReport(day, tuple(row.row() for row in report.rows), net)

    def fetch_dispute(self, gateway_ref: str) -> DisputeSnapshot | Absent | Unknown:
        with watched(self.name, "fetch_dispute", dispute=gateway_ref) as call:
            reply = self._http.call("GET", f"/disputes/{quote(gateway_ref, safe='')}")
            answer: DisputeSnapshot | Absent | Unknown
            if isinstance(reply, NoReply):
                answer = Unknown(reply.reason)
            elif reply.status == 404 and wire.read(reply.body, wire.Refusal) is not None:
                answer = Absent()
            else:
                dispute = wire.read(reply.body, _Dispute) if reply.status == 200 else None
                answer = dispute.snapshot() if dispute else Unknown(f"HTTP {reply.status} without a dispute")
            call.answer = answer
        return answer

    def list_disputes(self, since: datetime) -> tuple[DisputeSnapshot, ...] | Unknown:
        found: list[DisputeSnapshot] = []
        after = "0"
        while True:
            query = {"limit": str(PAGE), "updated_since": since.isoformat(), "after": after}
            with watched(self.name, "list_disputes") as call:
                reply = self._http.call("GET", f"/disputes?{urlencode(query)}")
                page = None if isinstance(reply, NoReply) else wire.read(reply.body, _Disputes)
                call.answer = page if page is not None else Unknown("no list of disputes")
            if page is None:
                return Unknown("no list of disputes")
            found += [dispute.snapshot() for dispute in page.data]
            if not page.has_more or page.next is None:
                return tuple(found)
            after = page.next
