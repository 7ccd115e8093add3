"""Who may write everything, triggers off, and hashes what they changed anew: a seal still tells on them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import flask_migrate
import psycopg
import pytest
from flask import Flask

from app.audit import service as audit
from app.kernel.actor import system
from app.kernel.database import session, transaction
from app.kernel.errors import Conflict
from app.rewards.service.seals import seal
from tests.conftest import ROOT
from tests.factories.people import give_points, make_customer
from tests.services.test_verify import found

ACTOR = system("test")
LEDGER = ("points_tx", "points_entry", "points_chain", "points_account", "points_lot")
TABLES = (*LEDGER, "audit_log", "points_seal")
# A hundred times the points of a customer with one transaction, and everything that is derived from it.
FORGE = """
UPDATE points_entry SET amount = amount * 100 WHERE customer_id = %(c)s;
UPDATE points_adjustment SET points = points * 100 WHERE customer_id = %(c)s;
UPDATE points_lot SET available = available * 100, granted = granted * 100 WHERE customer_id = %(c)s;
UPDATE points_chain c SET available_after = available_after * 100, delta = delta * 100,
       hash = sha256(decode(repeat('00', 32), 'hex') || convert_to(jsonb_build_array(
         x.customer_id, c.seq, x.id, x.kind, x.idem_key, x.ref_type, x.ref_id, x.actor, x.description, x.meta::text,
         (extract(epoch FROM x.created_at) * 1000000)::bigint,
         (SELECT jsonb_agg(jsonb_build_array(line, account, lot_id, amount) ORDER BY line)
            FROM points_entry e WHERE e.tx_id = x.id))::text, 'UTF8'))
  FROM points_tx x WHERE x.id = c.tx_id AND c.customer_id = %(c)s;
UPDATE points_account a SET available = available * 100, head = c.hash
  FROM points_chain c WHERE c.customer_id = a.customer_id AND c.seq = a.version AND a.customer_id = %(c)s
"""
LEAF_TOO = """
UPDATE points_seal_leaf l SET head = a.head FROM points_account a
 WHERE a.customer_id = l.customer_id AND l.customer_id = %(c)s
"""

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture
def sealed(app: Flask, owner: psycopg.Connection) -> Iterator[uuid.UUID]:
    """A customer with one transaction and an audited thing with two rows, under a seal; a fresh ledger each."""
    target = uuid.uuid4().hex
    customer_id = make_customer(points=70)
    make_customer(points=5)
    with transaction():
        for number in (1, 2):
            audit.record(
                actor=ACTOR, action="test.done", target_type="test", target_id=target, after={"n": number}
            )
        seal()
    with psycopg.ClientCursor(owner) as cursor:
        cursor.execute("SET timezone = 'UTC'")
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield customer_id
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(
            "TRUNCATE points_seal, points_seal_leaf, points_seal_audit_leaf, audit_log, points_lot, points_tx,"
            " points_entry, points_chain, points_account CASCADE"
        )
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def run(owner: psycopg.Connection, statement: str, customer_id: uuid.UUID | None = None) -> None:
    with psycopg.ClientCursor(owner) as cursor:
        cursor.execute(statement, {"c": customer_id})


def test_a_forged_chain_is_found_even_when_its_leaf_is_forged_too(
    sealed: uuid.UUID, owner: psycopg.Connection
) -> None:
    run(owner, FORGE, sealed)
    assert found() == {"sealed_heads": 1}, "everything but the seal is at one with itself"
    run(owner, LEAF_TOO, sealed)
    assert found() == {"seal_roots": 1}


def test_what_contradicts_the_last_seal_is_not_sealed_over(
    sealed: uuid.UUID, owner: psycopg.Connection
) -> None:
    run(owner, FORGE + ";" + LEAF_TOO, sealed)
    with pytest.raises(Conflict) as refused, transaction():
        seal()
    assert refused.value.code == "SEAL_CONTRADICTED"
    assert owner.execute("SELECT count(*) FROM points_seal").fetchone() == (1,)


def test_a_forged_chain_stays_visible_when_it_goes_on_and_is_sealed_again(
    sealed: uuid.UUID, owner: psycopg.Connection
) -> None:
    run(owner, FORGE, sealed)
    for table in TABLES:
        owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    with transaction():
        give_points(sealed, 1)
    with transaction():
        seal()
    assert found() == {"sealed_heads": 1}


def test_the_newest_audit_rows_of_a_thing_cannot_go(sealed: uuid.UUID, owner: psycopg.Connection) -> None:
    assert found() == {}
    run(owner, "DELETE FROM audit_log WHERE target_type = 'test' AND seq = 2")
    assert found() == {"sealed_audit": 1}
    with transaction():
        seal()
    assert found() == {"sealed_audit": 1}, "the next seal does not bury it"
    run(owner, "UPDATE points_seal_audit_leaf SET seq = 1, head = a.hash FROM audit_log a WHERE a.seq = 1")
    assert found() == {"seal_roots": 1}


def test_a_thing_that_vanished_whole_is_missed(sealed: uuid.UUID, owner: psycopg.Connection) -> None:
    run(owner, "DELETE FROM audit_log WHERE target_type = 'test'")
    assert found() == {"sealed_audit": 1}
    run(owner, "DELETE FROM points_seal_audit_leaf")
    assert found() == {"seal_roots": 1}
    run(owner, "DELETE FROM points_seal")
    assert found() == {"seal_roots": 1}, "heads that no seal was made over"


@pytest.mark.parametrize("table", ["points_seal_leaf", "points_seal_audit_leaf"])
@pytest.mark.parametrize(
    "verb", ["INSERT INTO {0} SELECT * FROM {0}", "UPDATE {0} SET head = ''", "DELETE FROM {0}"]
)
def test_the_shops_role_writes_no_leaf(web_role: psycopg.Connection, table: str, verb: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        web_role.execute(verb.format(table))


def test_chains_of_the_format_before_are_hashed_anew(owner: psycopg.Connection) -> None:
    make_customer(points=70)
    session().rollback()
    was = owner.execute("SELECT hash FROM points_chain ORDER BY customer_id").fetchall()
    folder = str(ROOT / "migrations")
    flask_migrate.downgrade(directory=folder, revision="0046")
    before = owner.execute("SELECT hash FROM points_chain ORDER BY customer_id").fetchall()
    flask_migrate.upgrade(directory=folder)
    assert not set(was) & set(before)
    assert owner.execute("SELECT hash FROM points_chain ORDER BY customer_id").fetchall() == was
    assert found() == {}
