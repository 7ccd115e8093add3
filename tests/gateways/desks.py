"""Gateways with books and disputes, for the shared suite: an adapter, and what the card holder and the bank do.

localstripe has neither balance transactions nor disputes, so Stripe's side is the recorded one (docs/stripe.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

from app.gateways.sandbox import SandboxGateway
from app.gateways.stripe import StripeGateway
from app.payments.gateway import Snapshot
from tests.gateways.houses import SECRETS, TIMEOUTS
from tests.gateways.recorded import RecordedStripe
from tests.sandbox import peers

Outcome = Literal["won", "lost"]


class Desk(Protocol):
    adapter: SandboxGateway | StripeGateway

    def begin(self) -> None:
        """Empty books."""

    def dispute(self, paid: Snapshot, amount: int | None = None) -> str:
        """The card holder calls the bank, about all of it or a part; the gateway's id of it."""

    def decide(self, ref: str, outcome: Outcome) -> None: ...

    def end(self) -> None: ...


class SandboxDesk:
    def __init__(self, folder: Path) -> None:
        self.process = peers.Gateway(folder)
        self.adapter = SandboxGateway(
            url=self.process.url, key=peers.KEY, webhook_secrets=SECRETS, timeouts=TIMEOUTS
        )

    def begin(self) -> None:
        self.process.control("reset")

    def dispute(self, paid: Snapshot, amount: int | None = None) -> str:
        body = {} if amount is None else {"amount": amount}
        return str(self.process.control(f"payments/{paid.gateway_ref}/dispute", body)["id"])

    def decide(self, ref: str, outcome: Outcome) -> None:
        self.process.control(f"disputes/{ref}/{outcome}")

    def end(self) -> None:
        self.process.end()


class StripeDesk:
    def __init__(self, folder: Path) -> None:
        self.stripe = RecordedStripe()
        self.adapter = StripeGateway(
            url=self.stripe.url, key="sk_test_1", webhook_secrets=SECRETS, timeouts=TIMEOUTS, currency="HKD"
        )

    def begin(self) -> None:
        for rows in (self.stripe.books.booked, self.stripe.books.disputes, self.stripe.events):
            rows.clear()

    def dispute(self, paid: Snapshot, amount: int | None = None) -> str:
        intent = next(one for one in self.stripe.intents if one["id"] == paid.gateway_ref)
        return str(self.stripe.books.dispute(intent, amount=amount)["id"])

    def decide(self, ref: str, outcome: Outcome) -> None:
        books = self.stripe.books
        books.decide(next(one for one in books.disputes if one["id"] == ref), outcome)

    def end(self) -> None:
        self.stripe.end()
