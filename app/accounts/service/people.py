"""Registering, proving who one is, and changing it."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from app.accounts import errors, passwords, queries, rules
from app.accounts.models import Customer
from app.accounts.queries import Person
from app.audit import service as audit
from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import session
from app.kernel.errors import NotFound, RuleBroken, invalid
from app.outbox import service as outbox
from app.outbox.service import MAIL_QUEUE, Job


def register(*, actor: Actor, email: str, password: str, name: str, locale: str = "en") -> Person:
    """A new customer; a welcome mail in the language `locale` goes into the outbox.

    Raises RuleBroken `VALIDATION_FAILED` naming the field, Conflict `EMAIL_IN_USE`.
    """
    person = _create(email=email, password=password, name=name, role="customer", locale=locale)
    outbox.add(
        Job(
            topic="mail.welcome",
            dedupe_key=f"mail.welcome:{person.id}",
            payload={"customer_id": str(person.id)},
            queue=MAIL_QUEUE,
        ),
        request_id=actor.request_id,
    )
    _audit(actor, "customer.registered", person.id, after={"email": person.email, "name": person.name})
    return person


def create_staff(*, actor: Actor, email: str, password: str, name: str, role: str) -> Person:
    """A new person with a staff role. Raises like `register`, and RuleBroken naming `role`."""
    _check_staff_role(role)
    person = _create(email=email, password=password, name=name, role=role)
    _audit(actor, "staff.created", person.id, after={"email": person.email, "role": role})
    return person


def authenticate(*, email: str, password: str) -> Person:
    """The person with these credentials. Call it outside a transaction: hashing takes its time.

    Raises Unauthenticated `CREDENTIALS_INVALID`, the same for every reason and after the same time.
    """
    stored = select(Customer.id, Customer.password_hash).where(queries.has_email(email))
    row = session().execute(stored).first()
    right = passwords.matches(row.password_hash if row else None, password)
    person = queries.find_customer(row.id) if row is not None and right else None
    if person is None or not person.is_active:
        raise errors.credentials_invalid()
    return person


def change_profile(
    *, actor: Actor, customer_id: uuid.UUID, name: str | None = None, locale: str | None = None
) -> Person:
    """Change what is given. Raises NotFound, RuleBroken naming the field."""
    values: dict[str, Any] = {}
    if name is not None:
        values["name"] = rules.clean_name(name)
    if locale is not None:
        values["locale"] = rules.clean_locale(locale)
    before = queries.get_customer(customer_id)
    changed = {key: value for key, value in values.items() if getattr(before, key) != value}
    if changed:
        _update(customer_id, changed)
        was = {key: getattr(before, key) for key in changed}
        _audit(actor, "customer.changed", customer_id, before=was, after=changed)
    return queries.get_customer(customer_id)


def change_password(*, actor: Actor, customer_id: uuid.UUID, current: str, new: str) -> Person:
    """Every session and token ends. Raises RuleBroken naming `current_password` or `new_password`."""
    person = queries.get_customer(customer_id)
    stored = session().scalar(select(Customer.password_hash).where(Customer.id == customer_id))
    if not passwords.matches(stored, current):
        raise invalid("current_password", "PASSWORD_WRONG", "The current password is wrong.")
    rules.check_password(new, email=person.email, name=person.name, field="new_password")
    hashed = passwords.hash_password(new)
    _update(customer_id, {"password_hash": hashed, "session_epoch": Customer.session_epoch + 1})
    _audit(actor, "customer.password_changed", customer_id)
    return queries.get_customer(customer_id)


def change_role(*, actor: Actor, customer_id: uuid.UUID, role: str, reason: str) -> Person:
    """Sessions end, so that the new role counts at once. Never one's own role: RuleBroken `SELF_CHANGE`."""
    if role not in rules.ROLES:
        raise invalid("role", "ROLE_UNKNOWN", f"The role must be one of: {', '.join(rules.ROLES)}.")
    _not_oneself(actor, customer_id)
    before = queries.get_customer(customer_id)
    _update(customer_id, {"role": role, "session_epoch": Customer.session_epoch + 1})
    audit.record(
        actor=actor,
        action="customer.role_changed",
        target_type="customer",
        target_id=str(customer_id),
        before={"role": before.role},
        after={"role": role},
        reason=reason,
    )
    return queries.get_customer(customer_id)


def deactivate(*, actor: Actor, customer_id: uuid.UUID, reason: str) -> Person:
    """No more signing in; every session and token ends. Raises NotFound, RuleBroken `SELF_CHANGE`."""
    _not_oneself(actor, customer_id)
    return _set_active(actor, customer_id, False, reason)


def reactivate(*, actor: Actor, customer_id: uuid.UUID, reason: str) -> Person:
    return _set_active(actor, customer_id, True, reason)


def _create(*, email: str, password: str, name: str, role: str, locale: str = "en") -> Person:
    email, name, locale = rules.clean_person(email=email, name=name, locale=locale, password=password)
    person = Person(
        id=ids.uuid7(),
        email=email,
        name=name,
        role=role,
        locale=locale,
        is_active=True,
        session_epoch=0,
        created_at=clock.now(),
    )
    values = {name: getattr(person, name) for name in Person.__dataclass_fields__}
    statement = insert(Customer).values(**values, password_hash=passwords.hash_password(password))
    # the unique index decides, not a look before: two registrations at once cannot both pass
    made = session().execute(statement.on_conflict_do_nothing().returning(Customer.id)).first()
    if made is None:
        raise errors.email_in_use()
    return person


def _set_active(actor: Actor, customer_id: uuid.UUID, active: bool, reason: str) -> Person:
    before = queries.get_customer(customer_id)
    if before.is_active != active:
        _update(customer_id, {"is_active": active, "session_epoch": Customer.session_epoch + 1})
        audit.record(
            actor=actor,
            action="customer.reactivated" if active else "customer.deactivated",
            target_type="customer",
            target_id=str(customer_id),
            before={"is_active": before.is_active},
            after={"is_active": active},
            reason=reason,
        )
    return queries.get_customer(customer_id)


def _update(customer_id: uuid.UUID, values: dict[str, Any]) -> None:
    statement = update(Customer).where(Customer.id == customer_id).values(values).returning(Customer.id)
    if session().execute(statement).first() is None:
        raise NotFound("There is no such customer.")


def _check_staff_role(role: str) -> None:
    if role not in rules.ROLES or not rules.is_staff(role):
        staff = ", ".join(name for name in rules.ROLES if rules.is_staff(name))
        raise invalid("role", "ROLE_UNKNOWN", f"The role must be one of: {staff}.")


def _not_oneself(actor: Actor, customer_id: uuid.UUID) -> None:
    if actor.id == customer_id:
        raise RuleBroken("Somebody else must do this for your own account.", code="SELF_CHANGE")


def _audit(
    actor: Actor,
    action: str,
    customer_id: uuid.UUID,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="customer",
        target_id=str(customer_id),
        before=before,
        after=after,
    )
