"""Become a customer: on a page or by the API, with whatever the programme gives for it."""

from __future__ import annotations

from app.accounts import service as accounts
from app.accounts.queries import Person
from app.blueprints.common.languages import preferred
from app.kernel.actor import Actor
from app.rewards.queries import rules_in_force
from app.rewards.service import bonuses


def join(*, actor: Actor, email: str, password: str, name: str) -> Person:
    """In the caller's transaction and request: mails get its language. Raises what `accounts.service.register` does."""
    person = accounts.register(actor=actor, email=email, password=password, name=name, locale=preferred())
    bonuses.give(
        customer_id=person.id,
        action="sign_up",
        source_id=str(person.id),
        rules=rules_in_force(),
        actor=actor,
    )
    return person
