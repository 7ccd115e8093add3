"""Refunds that a card does not take: how they come about, what staff note, and all that may have moved."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select

from app.audit import verification
from app.audit.models import AuditEntry
from app.blueprints.ops.commands_rewards_proof import PROBES
from app.checkout.elsewhere import note_paid_elsewhere
from app.gateways.asking import ask_refund
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import run_atomically, session, transaction
from app.orders.queries import get_order_view
from app.outbox.models import OutboxRow
from app.payments import queries
from app.payments.models import Payment, ReconciliationIssue
from tests.checkout.conftest import Shopper
from tests.checkout.refunding import STAFF, bought, card_refunds_of, give_back, send, sku_of
from tests.sandbox.peers import Gateway

REFUSES, REFERENCE, NOTE = "pm_sandbox_refund_fails", "FT-2026-0042", "asked for it by mail, card closed"


def stuck(gateway: SandboxGateway, *, units: int = 2) -> tuple[str, uuid.UUID]:
    """An order of two things at HK$100 and delivery, and its refund that the bank refuses for good."""
    buyer = Shopper(gateway, price=10_000, quantity=2)
    number = buyer.place(buyer.quote(0), REFUSES)["number"]
    give_back(number, lines=None if units == 2 else [(sku_of(number), units)])
    send(number, gateway)
    refund_id = get_order_view(number).refunds[-1].id
    session().rollback()
    return number, refund_id


def lost(gateway: SandboxGateway, peer: Gateway) -> tuple[str, uuid.UUID]:
    """The same of a refund that was sent and never heard of again: it may turn up at the gateway yet."""
    _, number = bought(gateway, points=0)
    give_back(number)
    peer.control("faults", {"fault": "error_500", "next": 1})
    send(number, gateway)
    with clock.travel(hours=24):
        send(number, gateway)
    refund_id = get_order_view(number).refunds[-1].id
    session().rollback()
    return number, refund_id


def turn_up(number: str, gateway: SandboxGateway, peer: Gateway) -> str:
    """The lost refund arrives at the gateway after all, and we hear of it; its id there."""
    payment, (refund,) = payment_of(number), card_refunds_of(number)
    made = peer.refund(str(payment.gateway_ref), refund.amount, str(refund.id))
    assert made.status_code == 201, made.text
    ask_refund(refund_id=refund.id, gateway=gateway, actor=system("test"))
    session().rollback()
    return str(made.json()["id"])


def note(number: str, refund_id: uuid.UUID, reference: str = REFERENCE, why: str = NOTE) -> None:
    session().rollback()
    run_atomically(
        lambda: note_paid_elsewhere(
            number=number, refund_id=refund_id, reference=reference, note=why, actor=STAFF
        )
    )


def payment_of(number: str) -> Payment:
    session().rollback()
    return queries.list_payments_of(number)[0]


def money(number: str) -> tuple[int, int, int]:
    """Captured, given back by card, given back another way."""
    payment = payment_of(number)
    return payment.captured, payment.refunded, payment.returned_elsewhere


def states(number: str) -> tuple[str, list[str], list[str]]:
    """Of the order, of its refunds, of the refunds at the card."""
    session().rollback()
    order = get_order_view(number)
    return order.status, [one.state for one in order.refunds], [one.state for one in card_refunds_of(number)]


def issues_of(number: str) -> list[tuple[str, str]]:
    session().rollback()
    rows = session().scalars(select(ReconciliationIssue).order_by(ReconciliationIssue.kind))
    return [(one.kind, one.state) for one in rows if number in str(one.detail)]


def audited(number: str) -> list[AuditEntry]:
    about = select(AuditEntry).where(AuditEntry.target_id == number)
    return list(session().scalars(about.order_by(AuditEntry.seq)))


def jobs_of(number: str, topic: str) -> list[OutboxRow]:
    rows = session().scalars(select(OutboxRow).where(OutboxRow.topic == topic)).all()
    return [one for one in rows if one.payload.get("order_number") == number]


def everything(number: str) -> Any:
    """All that a refused note must not have touched."""
    order = states(number)
    mails = len(jobs_of(number, "mail.refund_elsewhere"))
    story = len(get_order_view(number).timeline)
    return order, money(number), issues_of(number), len(audited(number)), mails, story


def differences() -> list[tuple[str, Any]]:
    session().rollback()
    with transaction():
        return [(one.name, one.samples) for one in verification.run(PROBES).differences]
