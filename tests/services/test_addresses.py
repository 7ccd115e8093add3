"""Addresses: one default, at most so many, never somebody else’s."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from app.accounts import queries, rules
from app.accounts import service as accounts
from app.accounts.queries import Person
from app.accounts.rules import AddressData
from app.kernel.database import session, transaction
from app.kernel.errors import NotFound, RuleBroken
from tests.factories.people import make_customer

pytestmark = pytest.mark.usefixtures("app_context")
HOME = AddressData(name="Mei Chan", line1="1 Harbour View", city="Hong Kong", country="HK")
COUNTRIES = ["HK", "SG"]


def somebody() -> Person:
    return queries.get_customer(make_customer())


class TestAddresses:
    def test_the_first_is_the_default_and_there_is_only_one(self) -> None:
        person = somebody()
        first, second = self.create(person), self.create(person)
        assert (first.is_default, second.is_default) == (True, False)
        third = self.create(person, is_default=True)
        assert self.defaults(person) == [third.id]
        with transaction():
            accounts.update_address(
                customer_id=person.id, address_id=first.id, data=HOME, countries=COUNTRIES, is_default=True
            )
        assert self.defaults(person) == [first.id]
        with transaction():
            accounts.delete_address(customer_id=person.id, address_id=first.id)
        assert self.defaults(person) == [third.id]

    def test_somebody_elses_is_not_there(self) -> None:
        mine, stranger = somebody(), somebody()
        row = self.create(mine)
        for act in (self.read, self.change, self.delete):
            with pytest.raises(NotFound), transaction():
                act(stranger, row.id)
        assert [address.line1 for address in queries.list_addresses(mine.id)] == [HOME.line1]

    def test_every_wrong_field_is_named(self) -> None:
        person = somebody()
        wrong = AddressData(name=" ", line1="x" * 201, city="", country="ZZ", phone="call me")
        with pytest.raises(RuleBroken) as refused, transaction():
            accounts.create_address(customer_id=person.id, data=wrong, countries=COUNTRIES)
        assert {error.field for error in refused.value.errors} == {
            "name",
            "line1",
            "city",
            "country",
            "phone",
        }
        assert queries.list_addresses(person.id) == []

    def test_no_more_than_the_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rules, "MAX_ADDRESSES", 2)
        person = somebody()
        self.create(person), self.create(person)
        with pytest.raises(RuleBroken) as refused:
            self.create(person)
        assert refused.value.code == "ADDRESS_LIMIT"
        assert len(queries.list_addresses(person.id)) == 2

    def create(self, person: Person, *, is_default: bool = False):
        with transaction():
            return accounts.create_address(
                customer_id=person.id, data=HOME, countries=COUNTRIES, is_default=is_default
            )

    def defaults(self, person: Person) -> list[uuid.UUID]:
        session().expire_all()
        return [address.id for address in queries.list_addresses(person.id) if address.is_default]

    def read(self, person: Person, address_id: uuid.UUID) -> None:
        queries.get_address(customer_id=person.id, address_id=address_id)

    def change(self, person: Person, address_id: uuid.UUID) -> None:
        data = replace(HOME, line1="Somewhere else")
        accounts.update_address(customer_id=person.id, address_id=address_id, data=data, countries=COUNTRIES)

    def delete(self, person: Person, address_id: uuid.UUID) -> None:
        accounts.delete_address(customer_id=person.id, address_id=address_id)
