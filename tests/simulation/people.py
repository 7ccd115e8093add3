"""Who takes part: shoppers with points of several ages, staff, goods of which there are few."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from datetime import timedelta

from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import transaction
from tests.factories.people import actor_of, give_points, make_customer
from tests.factories.shop import make_address, make_variant

LIVES = (timedelta(minutes=10), timedelta(hours=5), timedelta(days=3), timedelta(days=60), None)


@dataclass(frozen=True)
class Person:
    id: uuid.UUID
    address_id: uuid.UUID
    actor: Actor


@dataclass(frozen=True)
class Cast:
    shoppers: list[Person]
    staff: list[Actor]
    variants: list[uuid.UUID]
    stock: dict[uuid.UUID, int]


def gather(rng: random.Random) -> Cast:
    """Inside an application context."""
    shoppers = []
    for number in range(3):
        person = make_customer(name=f"Shopper {number}")
        with transaction():
            for _ in range(rng.randint(1, 3)):
                life = rng.choice(LIVES)
                expires_at = clock.now() + life if life else None
                give_points(person, rng.randrange(100, 4_000), expires_at=expires_at)
        shoppers.append(Person(person, make_address(person), actor_of(person)))
    staff = [
        actor_of(make_customer(role=role, name=role), role=role) for role in ("support", "approver", "admin")
    ]
    stock = {
        make_variant(price=rng.choice((900, 4_300, 10_000, 25_050)), stock=units): units
        for units in (rng.randint(1, 3), rng.randint(3, 10), 50)
    }
    return Cast(shoppers, staff, list(stock), stock)
