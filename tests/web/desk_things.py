"""One of everything that the back office has a page for."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import insert, select

from app.catalogue.models import Product, Variant
from app.checkout.disputes import settle_dispute
from app.kernel import clock, ids
from app.kernel.actor import Actor, system
from app.kernel.database import session, transaction
from app.outbox.models import OutboxRow
from app.payments.bookkeeping import DisputeSnapshot
from app.payments.issues import record_issue
from app.payments.models import Payment, WebhookEvent
from app.rewards.queries import rules_in_force
from app.rewards.service import adjustments, batches
from tests.factories.people import make_customer
from tests.web.desk import hire, latest_audit, paid_order


@dataclass
class Things:
    """Values for the places in the addresses, by name."""

    number: str
    customer_id: uuid.UUID
    slug: str
    variant_id: uuid.UUID
    brand_id: uuid.UUID
    category_id: uuid.UUID
    adjustment_id: uuid.UUID
    batch_id: uuid.UUID
    payment_id: uuid.UUID
    row_id: uuid.UUID
    entry_id: uuid.UUID
    event_id: str
    ref: str
    refund_id: uuid.UUID
    version: int = 1
    kind: str = "orphan_payment"
    gateway: str = "sandbox"

    def path(self, rule: str) -> str:
        """The rule with real things in its places."""
        thing = self.category_id if "/categories/" in rule else self.brand_id
        for kind in ("uuid:", "int:", "path:", ""):
            for name in (field.name for field in fields(self)):
                rule = rule.replace(f"<{kind}{name}>", str(getattr(self, name)))
            rule = rule.replace(f"<{kind}thing_id>", str(thing))
        assert "<" not in rule, rule
        return rule


def make_things(app: Flask) -> Things:
    """Needs the gateway behind the app."""
    shopper, number = paid_order(app)
    maker, _ = hire(app, "support")
    with app.app_context():
        variant = session().execute(select(Variant).where(Variant.id == shopper.variant_id)).scalar_one()
        product = session().get(Product, variant.product_id)
        assert product is not None
        payment_id = session().scalars(select(Payment.id).where(Payment.reference == number)).one()
        session().rollback()
        return Things(
            number=number,
            customer_id=shopper.id,
            slug=product.slug,
            variant_id=variant.id,
            brand_id=product.brand_id,
            category_id=product.category_id,
            adjustment_id=_ask(maker, 6_000),
            batch_id=waiting_batch(maker, {make_customer(points=100): 6_000}),
            payment_id=payment_id,
            row_id=_dead_job(),
            entry_id=latest_audit(app).id,
            event_id=_callback(),
            ref=_dispute(number, _issue()),
            refund_id=ids.uuid7(),
        )


def _dispute(number: str, ref: str) -> str:
    """Of the order's payment, with the reference that the issue has."""
    bank_says(number, "open", ref=ref)
    return ref


def bank_says(number: str, status: Any, *, ref: str | None = None, due_in: timedelta | None = None) -> str:
    """What the bank says about the order's payment; the dispute's reference."""
    payment = session().scalars(select(Payment).where(Payment.reference == number)).one()
    ref = ref or f"dp_{payment.id.hex}"
    truth = DisputeSnapshot(
        gateway_ref=ref,
        payment_ref=str(payment.gateway_ref),
        status=status,
        amount=payment.captured,
        currency=payment.currency,
        reason="product_not_received",
        due_at=clock.now() + due_in if due_in else None,
    )
    session().rollback()
    settle_dispute(gateway=payment.gateway, truth=truth, actor=system("test"))
    session().rollback()
    return ref


def waiting_adjustment(app: Flask, points: int = 6_000) -> tuple[uuid.UUID, uuid.UUID]:
    """(adjustment, customer) above support's limit, asked for by somebody of support."""
    maker, _ = hire(app, "support")
    with app.app_context():
        customer_id = make_customer(points=100)
        return _ask(maker, points, customer_id), customer_id


def waiting_batch(maker: uuid.UUID, wanted: dict[uuid.UUID, int]) -> uuid.UUID:
    """A file of somebody of support: customer -> points; together above their limit."""
    with transaction():
        batch = batches.submit(
            content=file_of(wanted),
            file_name="april.csv",
            rules=rules_in_force(),
            actor=Actor("staff", maker, "staff:test", "support"),
        )
    assert batch.state == "awaiting_approval"
    return batch.id


def file_of(wanted: dict[uuid.UUID, int]) -> bytes:
    rows = [f"{customer_id},{points},campaign,spring campaign" for customer_id, points in wanted.items()]
    return "\n".join(["customer,points,reason_code,note", *rows, ""]).encode()


def _ask(maker: uuid.UUID, points: int, customer_id: uuid.UUID | None = None) -> uuid.UUID:
    customer_id = customer_id or make_customer(points=100)
    with transaction():
        made = adjustments.request(
            customer_id=customer_id,
            points=points,
            reason_code="compensation",
            note="asked for by a test",
            rules=rules_in_force(),
            actor=Actor("staff", maker, "staff:test", "support"),
        )
    assert made.state == "awaiting_approval"
    return made.id


def _dead_job() -> uuid.UUID:
    row_id, now = ids.uuid7(), clock.now()
    about = {"id": row_id, "dedupe_key": f"test:{row_id}", "topic": "mail.welcome", "queue": "mail"}
    times = {"created_at": now, "run_at": now, "dead_at": now - timedelta(hours=3)}
    with transaction():
        rest = {
            "payload": {"customer_id": "1"},
            "request_id": "-",
            "attempts": 12,
            "last_error": "refused\nOSError",
        }
        session().execute(insert(OutboxRow).values(**about, **times, **rest))
    return row_id


def _issue() -> str:
    ref = f"pay/with a slash {uuid.uuid4().hex[:6]}"
    with transaction():
        record_issue(kind=Things.kind, ref=ref, detail={"amount": 5}, suggestion="Ask the gateway.")
    return ref


def _callback() -> str:
    event_id = f"evt_{uuid.uuid4().hex[:8]}"
    event = {"gateway": "sandbox", "event_id": event_id, "type": "payment.captured", "state": "received"}
    with transaction():
        session().execute(insert(WebhookEvent).values(**event, raw=b'{"a": 1}', received_at=clock.now()))
    return event_id
