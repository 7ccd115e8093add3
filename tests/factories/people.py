"""Customers and staff."""

from __future__ import annotations

import uuid

from sqlalchemy import insert

from app.accounts.models import Customer
from app.accounts.queries import get_customer
from app.kernel import clock, ids
from app.kernel.actor import Actor, system
from app.kernel.database import session, transaction
from app.rewards.rules import Rules
from app.rewards.service import given, transfers


def make_customer(*, points: int = 0, role: str = "customer", name: str = "Test Person") -> uuid.UUID:
    """A committed customer with `points` spendable points that never expire; its id."""
    customer_id = ids.uuid7()
    with transaction():
        session().execute(
            insert(Customer).values(
                id=customer_id,
                email=f"{customer_id.hex}@example.test",
                name=name,
                password_hash="!",
                role=role,
                created_at=clock.now(),
            )
        )
        if points:
            give_points(customer_id, points)
    return customer_id


def give_points(customer_id: uuid.UUID, points: int, *, expires_at=None) -> uuid.UUID:
    """Add (or take, below zero) inside the caller's transaction; the ledger transaction's id."""
    return given.give(
        gift_id=ids.uuid7(),
        customer_id=customer_id,
        points=points,
        description="Given for a test",
        expires_at=expires_at,
        actor=system("test"),
    )


def actor_of(customer_id: uuid.UUID, *, role: str = "customer") -> Actor:
    kind = "customer" if role == "customer" else "staff"
    return Actor(kind=kind, id=customer_id, name=f"{kind}:{customer_id}", role=role)


def pass_on(sender: uuid.UUID, recipient: uuid.UUID, points: int) -> None:
    """A confirmed transfer: the recipient's points cool off first."""
    rules, actor = Rules(), actor_of(sender)
    with transaction():
        asked = transfers.request(
            sender_id=sender,
            recipient_email=get_customer(recipient).email,
            points=points,
            rules=rules,
            actor=actor,
        )
        transfers.confirm(transfer_id=asked.id, rules=rules, actor=actor)
