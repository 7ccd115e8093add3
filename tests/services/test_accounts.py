"""People: what is accepted, what is refused, and what then must not have happened."""

from __future__ import annotations

import uuid

import psycopg
import pytest

from app.accounts import passwords, queries, rules
from app.accounts import service as accounts
from app.accounts.queries import Person
from app.accounts.rules import AddressData
from app.accounts.service.tokens import Lifetimes
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.kernel.errors import Conflict, RuleBroken, Unauthenticated
from tests.factories.people import actor_of, make_customer

pytestmark = pytest.mark.usefixtures("app_context")
PASSWORD = "four quiet harbour lamps"
LIFETIMES = Lifetimes(access=900, refresh=86400)
HOME = AddressData(name="Mei Chan", line1="1 Harbour View", city="Hong Kong", country="HK")
COUNTRIES = ["HK", "SG"]


def register(**changes: str) -> Person:
    values = {"email": f"{uuid.uuid4().hex}@example.test", "password": PASSWORD, "name": "Mei Chan"} | changes
    with transaction():
        return accounts.register(actor=system("test"), **values)


def count(table: str, where: str, *arguments: object) -> int:
    connection = session().connection().connection
    return connection.execute(f"SELECT count(*) FROM {table} WHERE {where}", arguments).fetchone()[0]


class TestRegister:
    def test_makes_a_customer_a_mail_and_an_audit_row(self) -> None:
        person = register(email="  Mixed.Case@Example.TEST ", name="  Mei \t Chan ")
        assert (person.email, person.name, person.role) == ("mixed.case@example.test", "Mei Chan", "customer")
        assert person.locale == "en"
        assert queries.get_customer(person.id) == person
        assert count("outbox", "dedupe_key = %s AND queue = 'mail'", f"mail.welcome:{person.id}") == 1
        assert count("audit_log", "target_id = %s AND action = 'customer.registered'", str(person.id)) == 1

    def test_the_language_of_mails_is_one_that_the_shop_has(self) -> None:
        assert queries.get_customer(register(locale="zh-Hant").id).locale == "zh-Hant"
        before = count("customer", "true"), count("outbox", "true"), count("audit_log", "true")
        with pytest.raises(RuleBroken) as refused:
            register(locale="zh-CN")
        assert [error.field for error in refused.value.errors] == ["locale"]
        assert (count("customer", "true"), count("outbox", "true"), count("audit_log", "true")) == before

    def test_everything_that_is_wrong_is_said_at_once(self) -> None:
        before = count("customer", "true")
        with pytest.raises(RuleBroken) as refused:
            register(name=" ", email="nope", password="short")
        assert [error.field for error in refused.value.errors] == ["name", "email", "password"]
        assert count("customer", "true") == before

    def test_an_address_in_use_is_refused_in_any_case(self) -> None:
        taken = register()
        before = count("customer", "true"), count("outbox", "true"), count("audit_log", "true")
        with pytest.raises(Conflict) as refused:
            register(email=taken.email.upper())
        assert refused.value.code == "EMAIL_IN_USE"
        assert (count("customer", "true"), count("outbox", "true"), count("audit_log", "true")) == before

    @pytest.mark.parametrize(
        "email",
        [
            "",
            "x",
            "a@b",
            "a b@c.example",
            "a@@b.example",
            ".a@b.example",
            "a..b@c.example",
            "a@b..example",
            "a@-b.example",
            "a@b.example\n",
            "\u200ba@b.example",
            "a" * 65 + "@b.example",
            "ä@b.example",
        ],
    )
    def test_no_address(self, email: str) -> None:
        if email.endswith("\n"):
            assert rules.clean_email(email) == "a@b.example"
            return
        with pytest.raises(RuleBroken) as refused:
            register(email=email)
        assert [error.field for error in refused.value.errors] == ["email"]

    @pytest.mark.parametrize(
        ("password", "code"),
        [
            ("short", "PASSWORD_TOO_SHORT"),
            ("elevenchars", "PASSWORD_TOO_SHORT"),
            ("x" * 129, "PASSWORD_TOO_LONG"),
            ("password1234", "PASSWORD_COMMON"),
            ("P@ssw0rd!2026", "PASSWORD_COMMON"),
            ("qwertyuiop123", "PASSWORD_COMMON"),
            ("123456789012", "PASSWORD_COMMON"),
            ("aaaaaaaaaaaaa", "PASSWORD_COMMON"),
            ("abababababab", "PASSWORD_COMMON"),
            ("rosalind.franklin", "PASSWORD_COMMON"),
            ("rosalind.franklin1920", "PASSWORD_COMMON"),
        ],
    )
    def test_weak_passwords(self, password: str, code: str) -> None:
        email = "rosalind.franklin@example.test"
        with pytest.raises(RuleBroken) as refused:
            register(password=password, email=email)
        assert [(error.field, error.code) for error in refused.value.errors] == [("password", code)]
        assert queries.find_customer_by_email(email) is None

    @pytest.mark.parametrize(
        "password", ["twelve-chars", "miles-plus-cash-demo", "四条安静的港口灯光在夜里亮着", "x y z " * 21]
    )
    def test_good_passwords(self, password: str) -> None:
        person = register(password=password)
        assert accounts.authenticate(email=person.email, password=password).id == person.id


class TestAuthenticate:
    def test_the_same_refusal_for_every_reason(self) -> None:
        person = register()
        gone = register()
        with transaction():
            accounts.deactivate(actor=system("test"), customer_id=gone.id, reason="test")
        refusals = []
        for email, password in [
            (person.email, "wrong" * 3),
            ("nobody@example.test", PASSWORD),
            (gone.email, PASSWORD),
        ]:
            with pytest.raises(Unauthenticated) as refused:
                accounts.authenticate(email=email, password=password)
            refusals.append((refused.value.code, refused.value.message))
        assert len(set(refusals)) == 1

    def test_an_unknown_address_costs_a_hash_as_well(self, monkeypatch: pytest.MonkeyPatch) -> None:
        verified: list[str] = []

        class Counting:
            def verify(self, stored: str, password: str) -> bool:
                verified.append(stored)
                return hasher.verify(stored, password)

            def hash(self, password: str) -> str:
                return hasher.hash(password)

        hasher = passwords._hasher
        monkeypatch.setattr(passwords, "_hasher", Counting())
        with pytest.raises(Unauthenticated):
            accounts.authenticate(email="nobody@example.test", password=PASSWORD)
        (stored,) = verified
        assert stored.startswith("$argon2")

    def test_argon2id_at_or_above_the_minimum(self) -> None:
        hasher = passwords._SCHEMES["argon2id"]
        assert hasher.type.name == "ID"
        assert hasher.memory_cost >= 19 * 1024
        assert hasher.time_cost >= 2


class TestTokens:
    def test_only_fingerprints_are_stored(self, owner: psycopg.Connection) -> None:
        person = register()
        with transaction():
            issued = accounts.issue_tokens(person=person, lifetimes=LIFETIMES, user_agent="test")
        stored = str(owner.execute("SELECT * FROM api_token WHERE customer_id = %s", (person.id,)).fetchall())
        assert issued.access_token not in stored
        assert issued.refresh_token not in stored
        assert accounts.get_bearer(issued.access_token).person == person

    def test_expiry(self) -> None:
        person = register()
        with transaction():
            issued = accounts.issue_tokens(person=person, lifetimes=LIFETIMES, user_agent=None)
        with clock.travel(seconds=899):
            assert accounts.get_bearer(issued.access_token).person.id == person.id
        with clock.travel(seconds=901), pytest.raises(Unauthenticated) as refused:
            accounts.get_bearer(issued.access_token)
        assert refused.value.code == "TOKEN_EXPIRED"
        with clock.travel(seconds=86401), transaction():
            refused_refresh = accounts.refresh_tokens(
                refresh_token=issued.refresh_token, lifetimes=LIFETIMES, user_agent=None
            )
        assert refused_refresh is None

    def test_refresh_kills_the_old_pair_and_reuse_kills_the_family(self) -> None:
        first = self.issue()
        second = self.refresh(first.refresh_token)
        assert second is not None
        with pytest.raises(Unauthenticated) as refused:
            accounts.get_bearer(first.access_token)
        assert refused.value.code == "TOKEN_INVALID"
        assert accounts.get_bearer(second.access_token)
        assert self.refresh(first.refresh_token) is None
        with pytest.raises(Unauthenticated):
            accounts.get_bearer(second.access_token)
        assert self.refresh(second.refresh_token) is None

    def test_reuse_leaves_other_devices_alone(self) -> None:
        person = register()
        phone, tablet = self.issue(person), self.issue(person)
        self.refresh(phone.refresh_token)
        self.refresh(phone.refresh_token)
        assert accounts.get_bearer(tablet.access_token).person == person

    @pytest.mark.parametrize("how", ["deactivate", "password", "role"])
    def test_sessions_end(self, how: str) -> None:
        person = register()
        issued = self.issue(person)
        actor = system("test")
        with transaction():
            if how == "deactivate":
                accounts.deactivate(actor=actor, customer_id=person.id, reason="test")
            elif how == "password":
                accounts.change_password(
                    actor=actor, customer_id=person.id, current=PASSWORD, new="another harbour lamp"
                )
            else:
                accounts.change_role(actor=actor, customer_id=person.id, role="support", reason="test")
        with pytest.raises(Unauthenticated) as refused:
            accounts.get_bearer(issued.access_token)
        assert refused.value.code == "TOKEN_INVALID"
        assert self.refresh(issued.refresh_token) is None

    def test_reactivating_brings_no_old_token_back(self) -> None:
        person = register()
        issued = self.issue(person)
        with transaction():
            accounts.deactivate(actor=system("test"), customer_id=person.id, reason="test")
            accounts.reactivate(actor=system("test"), customer_id=person.id, reason="test")
        with pytest.raises(Unauthenticated):
            accounts.get_bearer(issued.access_token)
        assert accounts.authenticate(email=person.email, password=PASSWORD).is_active

    def issue(self, person: Person | None = None) -> accounts.IssuedTokens:
        person = person or register()
        with transaction():
            return accounts.issue_tokens(person=person, lifetimes=LIFETIMES, user_agent=None)

    def refresh(self, token: str) -> accounts.IssuedTokens | None:
        with transaction():
            return accounts.refresh_tokens(refresh_token=token, lifetimes=LIFETIMES, user_agent=None)


class TestRoles:
    def test_customers_may_nothing_and_every_permission_has_someone(self) -> None:
        assert rules.PERMISSIONS["customer"] == frozenset()
        assert set(rules.PERMISSIONS) == set(rules.ROLES)
        assert {"rewards.approve", "audit.read", "orders.refund"} <= rules.ALL_PERMISSIONS

    def test_an_unknown_permission_is_a_bug(self) -> None:
        with pytest.raises(KeyError):
            rules.may("admin", "everything")

    def test_nobody_changes_their_own_role(self) -> None:
        admin = make_customer(role="admin")
        with pytest.raises(RuleBroken) as refused, transaction():
            accounts.change_role(
                actor=actor_of(admin, role="admin"), customer_id=admin, role="auditor", reason="test"
            )
        assert refused.value.code == "SELF_CHANGE"
        assert queries.get_customer(admin).role == "admin"


def test_customers_are_found_and_paged() -> None:
    name = f"Paged {uuid.uuid4().hex}"
    made = [make_customer(name=name) for _ in range(5)]
    seen: list[uuid.UUID] = []
    cursor = None
    while True:
        page = queries.list_customers(text=name.upper(), cursor=cursor, limit=2)
        seen += [person.id for person in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert seen == sorted(made, reverse=True)
    assert page.prev is not None
    before = queries.list_customers(text=name.upper(), cursor=page.prev, limit=2)
    assert [person.id for person in before.items] == seen[2:4]
    assert queries.list_customers(text="100%_\\").items == []
    assert [person.id for person in queries.list_customers(text=str(made[0])).items] == [made[0]]
