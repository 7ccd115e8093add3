"""The signed-in person: profile and addresses."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime
from typing import Annotated

from flask import Blueprint, current_app
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from app.accounts import models, queries
from app.accounts import service as accounts
from app.accounts.queries import Person
from app.accounts.rules import AddressData
from app.blueprints.api_v1.answers import Answer, Listing, PageQuery, answer, listing
from app.blueprints.api_v1.contract import current, endpoint
from app.blueprints.common.actors import actor_from_request
from app.kernel.database import transaction
from app.kernel.pagination import page_of_whole

bp = Blueprint("me", __name__, url_prefix="/me")

Line = Annotated[str, Meta(min_length=1, max_length=200)]
OptionalLine = Annotated[str, Meta(max_length=200)] | None


class Customer(Struct):
    id: uuid.UUID
    email: str
    name: str
    locale: str
    role: str
    created_at: datetime

    @classmethod
    def of(cls, person: Person) -> Customer:
        return cls(person.id, person.email, person.name, person.locale, person.role, person.created_at)


class ProfileBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays."""

    name: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    locale: Annotated[str, Meta(min_length=1, max_length=20)] | UnsetType = UNSET


class Address(Struct):
    id: uuid.UUID
    name: str
    line1: str
    line2: str | None
    city: str
    region: str | None
    postcode: str | None
    country: str
    phone: str | None
    is_default: bool

    @classmethod
    def of(cls, address: models.Address) -> Address:
        return cls(*(getattr(address, name) for name in cls.__struct_fields__))


class AddressBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """`country` is ISO 3166-1 alpha-2, one of those that the shop delivers to."""

    name: Line
    line1: Line
    city: Line
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$", examples=["HK"])]
    line2: OptionalLine = None
    region: OptionalLine = None
    postcode: OptionalLine = None
    phone: OptionalLine = None
    is_default: bool = False


class AddressChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays; null empties an optional field."""

    name: Line | UnsetType = UNSET
    line1: Line | UnsetType = UNSET
    city: Line | UnsetType = UNSET
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$")] | UnsetType = UNSET
    line2: OptionalLine | UnsetType = UNSET
    region: OptionalLine | UnsetType = UNSET
    postcode: OptionalLine | UnsetType = UNSET
    phone: OptionalLine | UnsetType = UNSET
    is_default: bool | UnsetType = UNSET


@bp.get("")
@endpoint("Who am I", auth="customer", returns={200: Customer})
def show() -> Answer:
    return answer(Customer.of(current()), message="Your profile.")


@bp.patch("")
@endpoint("Change my profile", auth="customer", body=ProfileBody, returns={200: Customer})
def change(body: ProfileBody) -> Answer:
    with transaction():
        person = accounts.change_profile(
            actor=actor_from_request(),
            customer_id=current().id,
            name=None if body.name is UNSET else body.name,
            locale=None if body.locale is UNSET else body.locale,
        )
    return answer(Customer.of(person), message="Your profile was saved.")


@bp.get("/addresses")
@endpoint(
    "My addresses, the default first",
    auth="customer",
    query=PageQuery,
    returns={200: Listing[Address]},
    errors=["CURSOR_INVALID"],
)
def list_addresses(query: PageQuery) -> Answer:
    page = page_of_whole(
        queries.list_addresses(current().id),
        key=lambda row: [int(row.is_default), row.created_at.isoformat(), str(row.id)],
        width=3,
        descending=True,
        name="addresses",
        cursor=query.cursor,
        limit=query.size,
        with_total=query.total,
    )
    return answer(listing(page, Address.of), message="Your addresses.")


@bp.post("/addresses")
@endpoint(
    "Add an address",
    auth="customer",
    body=AddressBody,
    returns={201: Address},
    errors=("ADDRESS_LIMIT",),
)
def create_address(body: AddressBody) -> Answer:
    values = structs.asdict(body)
    is_default = values.pop("is_default")
    with transaction():
        row = accounts.create_address(
            customer_id=current().id,
            data=AddressData(**values),
            countries=_countries(),
            is_default=is_default,
        )
    return answer(Address.of(row), status=201, message="The address was added.")


@bp.patch("/addresses/<uuid:address_id>")
@endpoint("Change an address", auth="customer", body=AddressChange, returns={200: Address})
def change_address(address_id: uuid.UUID, body: AddressChange) -> Answer:
    changes = {name: value for name, value in structs.asdict(body).items() if value is not UNSET}
    is_default = changes.pop("is_default", None)
    with transaction():
        row = queries.get_address(customer_id=current().id, address_id=address_id)
        before = AddressData(**{name: getattr(row, name) for name in AddressData.__dataclass_fields__})
        row = accounts.update_address(
            customer_id=current().id,
            address_id=address_id,
            data=replace(before, **changes),
            countries=_countries(),
            is_default=is_default,
        )
    return answer(Address.of(row), message="The address was saved.")


@bp.delete("/addresses/<uuid:address_id>")
@endpoint("Delete an address", auth="customer", returns={200: None}, limit="write")
def delete_address(address_id: uuid.UUID) -> Answer:
    with transaction():
        accounts.delete_address(customer_id=current().id, address_id=address_id)
    return answer(None, message="The address was deleted.")


def _countries() -> list[str]:
    countries: list[str] = current_app.config["COUNTRIES"]
    return countries
