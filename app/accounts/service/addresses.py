"""Addresses: the first one is the default, and there is a default as long as there is any."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import asdict

from sqlalchemy import delete, func, select, update

from app.accounts import queries, rules
from app.accounts.models import Address, Customer
from app.accounts.rules import AddressData
from app.kernel import clock, ids
from app.kernel.database import session
from app.kernel.errors import NotFound, RuleBroken


def create_address(
    *, customer_id: uuid.UUID, data: AddressData, countries: Collection[str], is_default: bool = False
) -> Address:
    """`countries`: where the shop delivers. Raises RuleBroken naming every wrong field, `ADDRESS_LIMIT`."""
    clean = rules.clean_address(data, countries=countries)
    _lock_customer(customer_id)
    count = session().scalar(select(func.count()).where(Address.customer_id == customer_id)) or 0
    if count >= rules.MAX_ADDRESSES:
        message = f"You can keep {rules.MAX_ADDRESSES} addresses. Delete one first."
        raise RuleBroken(message, code="ADDRESS_LIMIT")
    chosen = is_default or count == 0
    if chosen:
        _clear_default(customer_id)
    address = Address(
        id=ids.uuid7(), customer_id=customer_id, is_default=chosen, created_at=clock.now(), **asdict(clean)
    )
    session().add(address)
    session().flush()
    return address


def update_address(
    *,
    customer_id: uuid.UUID,
    address_id: uuid.UUID,
    data: AddressData,
    countries: Collection[str],
    is_default: bool | None = None,
) -> Address:
    """Replace the address's data. `is_default=False` on the default changes nothing: choose another instead.

    Raises NotFound (also when it is somebody else's), RuleBroken naming every wrong field.
    """
    clean = rules.clean_address(data, countries=countries)
    _lock_customer(customer_id)
    address = queries.get_address(customer_id=customer_id, address_id=address_id)
    for name, value in asdict(clean).items():
        setattr(address, name, value)
    if is_default and not address.is_default:
        _clear_default(customer_id)
        address.is_default = True
    session().flush()
    return address


def delete_address(*, customer_id: uuid.UUID, address_id: uuid.UUID) -> None:
    """The newest one left becomes the default, if this was it. Raises NotFound."""
    _lock_customer(customer_id)
    address = queries.get_address(customer_id=customer_id, address_id=address_id)
    was_default = address.is_default
    session().execute(delete(Address).where(Address.id == address_id))
    session().expunge(address)
    remaining = queries.list_addresses(customer_id)
    if was_default and remaining:
        remaining[0].is_default = True
        session().flush()


def _lock_customer(customer_id: uuid.UUID) -> None:
    """One change of the address book at a time, so that there is never a second default."""
    row = session().execute(select(Customer.id).where(Customer.id == customer_id).with_for_update()).first()
    if row is None:
        raise NotFound("There is no such customer.")


def _clear_default(customer_id: uuid.UUID) -> None:
    session().execute(
        update(Address)
        .where(Address.customer_id == customer_id, Address.is_default)
        .values(is_default=False)
        .execution_options(synchronize_session="fetch")
    )
