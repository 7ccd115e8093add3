"""Units of work that meet: run again after a deadlock, and refused in words when a lock cannot be had in time."""

from __future__ import annotations

import threading
import uuid

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.accounts.models import Customer
from app.kernel.database import run_atomically, session, transaction
from app.kernel.errors import Conflict
from tests.factories.people import make_customer


def rename(customer_id: uuid.UUID, name: str) -> None:
    session().execute(update(Customer).where(Customer.id == customer_id).values(name=name))


def names(*ids: uuid.UUID) -> list[str]:
    with transaction():
        return [session().scalars(select(Customer.name).where(Customer.id == one)).one() for one in ids]


def test_of_two_in_a_deadlock_both_are_done(app: Flask, app_context: None) -> None:
    """PostgreSQL ends one of them; it is run again, whole."""
    first, second = make_customer(), make_customer()
    both_hold_one = threading.Barrier(2)
    tries: list[str] = []

    def crossing(mine: uuid.UUID, other: uuid.UUID, name: str) -> None:
        waited = False

        def work() -> None:
            nonlocal waited
            tries.append(name)
            rename(mine, name)
            if not waited:
                waited = True
                both_hold_one.wait(30)
            rename(other, name)

        with app.app_context():
            run_atomically(work)

    threads = [
        threading.Thread(target=crossing, args=(first, second, "up")),
        threading.Thread(target=crossing, args=(second, first, "down")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(set(tries)) == ["down", "up"]
    assert len(tries) > 2, "the one that was ended, and it may meet the other once more"
    assert names(first, second) in (["up", "up"], ["down", "down"])


def test_a_lock_that_cannot_be_had_is_busy_and_nothing_is_done(app: Flask, app_context: None) -> None:
    held, free = make_customer(name="Held"), make_customer(name="Free")

    def work() -> None:
        rename(free, "changed")
        rename(held, "changed")

    refused: list[Conflict] = []

    def other() -> None:
        with app.app_context(), pytest.raises(Conflict) as busy:
            run_atomically(work)
        refused.append(busy.value)

    with transaction():
        rename(held, "Held still")
        waiting = threading.Thread(target=other)
        waiting.start()
        waiting.join()
    assert [(error.code, error.retry_after) for error in refused] == [("BUSY", 1)]
    assert names(held, free) == ["Held still", "Free"]
