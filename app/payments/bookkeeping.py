"""What a gateway can tell beyond single payments: its day's report, and what card holders dispute.

A protocol of its own: a gateway may take payments well and have no report. Callers ask with `isinstance`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol, runtime_checkable

from app.payments.gateway import Absent, Unknown

DisputeStatus = Literal["open", "won", "lost"]


@dataclass(frozen=True, slots=True)
class DisputeSnapshot:
    """A dispute as the gateway has it now; `won` by the shop, `lost`: the money is gone. Minor units.

    `due_at`: until when the shop may answer; None where the gateway names no such time.
    """

    gateway_ref: str
    payment_ref: str
    status: DisputeStatus
    amount: int
    currency: str
    reason: str
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReportRow:
    """Something booked: `amount` is signed, `net` is the amount less the `fee`; minor units.

    `key` is our payment or card refund id; a dispute has none. `reference` is the order number, or
    empty where the gateway does not tell it.
    """

    kind: Literal["payment", "refund", "dispute"]
    gateway_ref: str
    payment_ref: str
    key: str | None
    reference: str
    currency: str
    amount: int
    fee: int
    net: int


@dataclass(frozen=True, slots=True)
class DayReport:
    """Everything booked on a day (UTC), and the net by currency that the gateway pays out for it."""

    day: date
    rows: tuple[ReportRow, ...]
    net: Mapping[str, int]


@runtime_checkable
class Bookkeeper(Protocol):
    """Like `Gateway`: never raises for what the network or the gateway does."""

    def fetch_report(self, day: date) -> DayReport | Unknown:
        """What was booked on that day."""

    def fetch_dispute(self, gateway_ref: str) -> DisputeSnapshot | Absent | Unknown:
        """The dispute's current truth."""

    def list_disputes(self, since: datetime) -> tuple[DisputeSnapshot, ...] | Unknown:
        """All disputes that changed since then."""
