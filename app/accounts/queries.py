"""Reading people: plain frozen data, one statement each."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select

from app.accounts.models import Address, ApiToken, Customer
from app.kernel import ids
from app.kernel.database import count_up_to, session
from app.kernel.errors import NotFound
from app.kernel.pagination import DEFAULT_LIMIT, MAX_TOTAL, Page, decode_cursor, id_in, page_of

_PERSON = (
    Customer.id,
    Customer.email,
    Customer.name,
    Customer.role,
    Customer.locale,
    Customer.is_active,
    Customer.session_epoch,
    Customer.created_at,
)


@dataclass(frozen=True, slots=True)
class Person:
    """A customer or a member of staff, without the password."""

    id: uuid.UUID
    email: str
    name: str
    role: str
    locale: str
    is_active: bool
    session_epoch: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Bearer:
    """An access token as stored, with the person it speaks for. `alive`: neither revoked nor refreshed."""

    token_id: uuid.UUID
    family_id: uuid.UUID
    access_expires_at: datetime
    alive: bool
    person: Person


def find_customer(customer_id: uuid.UUID) -> Person | None:
    return _person(session().execute(select(*_PERSON).where(Customer.id == customer_id)).first())


def get_customer(customer_id: uuid.UUID) -> Person:
    """Raises NotFound."""
    person = find_customer(customer_id)
    if person is None:
        raise NotFound("There is no such customer.")
    return person


def find_customer_by_email(email: str) -> Person | None:
    """`email` in any case."""
    return _person(session().execute(select(*_PERSON).where(has_email(email))).first())


def has_email(email: str) -> ColumnElement[bool]:
    """Whose address it is, in any case; in the words of the unique index, which it therefore can use."""
    return func.lower(Customer.email) == email.strip().lower()


def find_bearer(access_token: str) -> Bearer | None:
    """Whoever the access token was given to: one statement on a unique index. Judges nothing but liveness."""
    row = (
        session()
        .execute(
            select(
                ApiToken.id.label("token_id"),
                ApiToken.family_id,
                ApiToken.access_expires_at,
                ApiToken.session_epoch.label("token_epoch"),
                ApiToken.revoked_at,
                ApiToken.refreshed_at,
                *_PERSON,
            )
            .join(Customer, Customer.id == ApiToken.customer_id)
            .where(ApiToken.access_hash == ids.fingerprint(access_token))
        )
        .first()
    )
    if row is None:
        return None
    person = _made(tuple(row)[6:])
    unused = row.revoked_at is None and row.refreshed_at is None
    current = person.is_active and row.token_epoch == person.session_epoch
    return Bearer(row.token_id, row.family_id, row.access_expires_at, unused and current, person)


def list_customers(
    *,
    text: str = "",
    cursor: str | None = None,
    limit: int = DEFAULT_LIMIT,
    with_total: bool = False,
) -> Page[Person]:
    """Newest first. `text` is an id, or part of an e-mail address or a name. Raises RuleBroken `CURSOR_INVALID`."""
    filters = {"customers": text}
    statement = select(*_PERSON)
    if text:
        pattern = f"%{text.lower().translate(_LIKE)}%"
        found: list[ColumnElement[bool]] = [
            Customer.email.like(pattern, escape="\\"),
            Customer.name.ilike(pattern, escape="\\"),
        ]
        if (customer_id := _uuid(text)) is not None:
            found.append(Customer.id == customer_id)
        statement = statement.where(or_(*found))
    total = count_up_to(statement, MAX_TOTAL) if with_total else None
    backwards = False
    if cursor is not None:
        (key,), backwards = decode_cursor(cursor, filters=filters, width=1)
        boundary = id_in(key)
        statement = statement.where(Customer.id > boundary if backwards else Customer.id < boundary)
    order = Customer.id.asc() if backwards else Customer.id.desc()
    rows = session().execute(statement.order_by(order).limit(limit + 1)).all()
    page = page_of(
        rows,
        limit=limit,
        key=lambda row: [str(row.id)],
        filters=filters,
        backwards=backwards,
        first=cursor is None,
        total=total,
    )
    return page.showing(_made)


def list_addresses(customer_id: uuid.UUID) -> Sequence[Address]:
    """The default first, then newest first; at most rules.MAX_ADDRESSES, so no pages."""
    statement = (
        select(Address)
        .where(Address.customer_id == customer_id)
        .order_by(Address.is_default.desc(), Address.created_at.desc(), Address.id.desc())
    )
    return session().scalars(statement).all()


def find_address(*, customer_id: uuid.UUID, address_id: uuid.UUID) -> Address | None:
    """None as well when it is somebody else's."""
    statement = select(Address).where(Address.id == address_id, Address.customer_id == customer_id)
    return session().scalars(statement).first()


def get_address(*, customer_id: uuid.UUID, address_id: uuid.UUID) -> Address:
    """Raises NotFound, also when it is somebody else's."""
    address = find_address(customer_id=customer_id, address_id=address_id)
    if address is None:
        raise NotFound("There is no such address.")
    return address


_LIKE = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})


def _person(row: Any) -> Person | None:
    return None if row is None else _made(row)


def _made(row: Any) -> Person:
    return Person(*row)


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
