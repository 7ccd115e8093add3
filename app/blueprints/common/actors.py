"""The edge's one way to say who acts."""

from __future__ import annotations

from flask import g, request
from flask_login import current_user

from app.accounts import rules
from app.accounts.queries import Person
from app.blueprints.common.request_ids import request_id
from app.kernel.actor import Actor

STAFF_PATHS = ("/admin", "/api/v1/admin")


def current_person() -> Person | None:
    """The token's owner in the API, the session's on the pages."""
    if request.path.startswith("/api/"):
        return g.get("person")
    return current_user.person if current_user.is_authenticated else None


def actor_from_request(person: Person | None = None) -> Actor:
    """Whoever is signed in, or `person`. Staff act as staff in the back office, as customers in the shop."""
    person = person or current_person()
    agent = (request.user_agent.string or "")[:300] or None
    if person is None:
        return Actor("customer", None, "visitor", None, request_id(), request.remote_addr, agent)
    staff = rules.is_staff(person.role) and request.path.startswith(STAFF_PATHS)
    kind = "staff" if staff else "customer"
    return Actor(
        "staff" if staff else "customer",
        person.id,
        f"{kind}:{person.id}",
        person.role,
        request_id(),
        request.remote_addr,
        agent,
    )
