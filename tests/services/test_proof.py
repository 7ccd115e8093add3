"""Seals, certificates and the offline check: what was changed afterwards is found."""

from __future__ import annotations

import copy
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from app.audit import service as audit
from app.kernel import ids
from app.kernel.actor import system
from app.kernel.database import transaction
from app.kernel.errors import NotFound
from app.rewards import certificate, merkle
from app.rewards.service import holds
from app.rewards.service.proof import prove
from app.rewards.service.seals import seal
from tests.factories.people import give_points, make_customer
from tests.factories.shop import end_order, hold_for, make_order

ACTOR = system('test – ⚑ "quoted" \\ back\n\t\x01\x7f')


@pytest.fixture(scope="module")
def sealed(app: Flask) -> uuid.UUID:
    """A customer with four transactions, three of them under the second of two seals, among other members."""
    with app.app_context():
        customer_id = make_customer(points=1_000)
        for _ in range(12):
            make_customer(points=5)
        with transaction():
            audit.record(actor=ACTOR, action="test.done", target_type="test", target_id="1")
            seal()
        order = make_order(customer_id, points=700, number='MPC-"1"')
        with transaction():
            hold_for(order, customer_id, points=700, actor=ACTOR)
            holds.capture(order_id=order[0], actor=ACTOR)
            end_order(order[0], paid=True)
        with transaction():
            seal()
        with transaction():
            give_points(customer_id, 42)
        return customer_id


@pytest.fixture
def document(app: Flask, sealed: uuid.UUID) -> dict[str, Any]:
    with app.app_context(), transaction():
        return json.loads(json.dumps(prove(customer_id=sealed)))


def test_a_certificate_holds_and_is_under_the_seal(document: dict[str, Any]) -> None:
    assert certificate.problems(document) == []
    assert document["balances"] == {"available": 342, "held": 0, "pending": 0, "debt": 0}
    assert (document["version"], document["seal"]["seq"], document["seal"]["leaf_version"]) == (4, 2, 3)
    assert document["seal"]["accounts"] == 13
    assert 3 <= len(document["seal"]["path"]) <= 4


def _changes(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of every number, text and null in the document."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in _changes(item, (*place, key))]
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in _changes(item, (*place, index))]
    return [place]


def test_every_single_change_is_found(document: dict[str, Any]) -> None:
    places = [place for place in _changes(document) if place != ("issued_at",)]
    assert len(places) > 60
    for place in places:
        forged = copy.deepcopy(document)
        target = forged
        for step in place[:-1]:
            target = target[step]
        value = target[place[-1]]
        target[place[-1]] = value + 1 if isinstance(value, int) else f"{value}0" if value else "x"
        assert certificate.problems(forged), f"a change of {place} went unseen"


def test_a_transaction_that_is_left_out_added_or_moved_is_found(document: dict[str, Any]) -> None:
    rows = document["transactions"]
    for forged_rows in (rows[1:], rows[:-1], [*rows, rows[-1]], [rows[1], rows[0], *rows[2:]], []):
        assert certificate.problems({**document, "transactions": forged_rows})


@pytest.mark.parametrize("nonsense", [None, [], {}, "x", {"format": certificate.FORMAT}, {"format": "other"}])
def test_nonsense_is_no_certificate(nonsense: Any) -> None:
    assert certificate.problems(nonsense)


def test_the_commands_work_and_checking_needs_no_database(
    app: Flask, sealed: uuid.UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = app.test_cli_runner().invoke(args=["rewards", "prove", str(sealed)])
    assert printed.exit_code == 0, printed.output
    file = tmp_path / "certificate.json"
    file.write_text(printed.output, encoding="utf-8")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:nothing@127.0.0.1:1/nowhere")
    from app import create_app

    offline = create_app().test_cli_runner()
    kept = json.loads(printed.output)["seal"]["hash"]
    checked = offline.invoke(args=["rewards", "check", str(file), "--seal", kept.upper()])
    assert checked.exit_code == 0, checked.output
    assert f"This is the certificate of customer {sealed}." in checked.output
    sealed_at = datetime.fromtimestamp(json.loads(printed.output)["seal"]["sealed_at_us"] // 10**6, UTC)
    assert (
        f"It holds under seal 2 of {sealed_at:%Y-%m-%d %H:%M} UTC: available 300, held 0, pending 0, debt 0"
        " after 3 transactions." in checked.output
    )
    assert "1 more came after the seal, to available 342" in checked.output
    alone = offline.invoke(args=["rewards", "check", str(file)])
    assert alone.exit_code == 0, alone.output
    assert "It agrees with itself: available 342" in alone.output
    assert "Nothing but the file was asked" in alone.output
    assert "It holds" not in alone.output
    file.write_text(printed.output.replace('"available": 342', '"available": 343'), encoding="utf-8")
    refused = offline.invoke(args=["rewards", "check", str(file)])
    assert refused.exit_code == 1
    assert "343" in refused.output


def test_who_never_had_points_has_no_certificate(app: Flask) -> None:
    with app.app_context():
        with pytest.raises(NotFound), transaction():
            prove(customer_id=ids.uuid7())
        nobody = make_customer()
    for customer in (nobody, ids.uuid7()):
        refused = app.test_cli_runner().invoke(args=["rewards", "prove", str(customer)])
        assert refused.exit_code == 1
        assert refused.output == "Error: This customer never had points.\n"


def test_a_certificate_is_no_proof_for_another_customer(
    app: Flask, document: dict[str, Any], sealed: uuid.UUID, tmp_path: Path
) -> None:
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    check = ["rewards", "check", str(file), "--seal", document["seal"]["hash"], "--customer"]
    assert app.test_cli_runner().invoke(args=[*check, str(sealed)]).exit_code == 0
    refused = app.test_cli_runner().invoke(args=[*check, str(ids.uuid7())])
    assert refused.exit_code == 1
    assert f"This is the certificate of another customer: {sealed}." in refused.output
    assert "It holds" not in refused.output


def test_a_certificate_made_from_nothing_is_under_no_seal_that_was_kept(
    app: Flask, document: dict[str, Any], tmp_path: Path
) -> None:
    kept = document["seal"]["hash"]
    made_up = _made_up(document["seal"])
    assert certificate.problems(made_up) == [], "it agrees with itself"
    unsealed = {**document, "seal": None}
    assert certificate.problems(document, seal=kept) == []
    for forged in (made_up, unsealed, {**made_up, "seal": None}):
        assert len(certificate.problems(forged, seal=kept)) == 1
        file = tmp_path / "certificate.json"
        file.write_text(json.dumps(forged), encoding="utf-8")
        checked = app.test_cli_runner().invoke(args=["rewards", "check", str(file), "--seal", kept])
        assert checked.exit_code == 1
        assert "seal" in checked.output
    refused = app.test_cli_runner().invoke(args=["rewards", "check", str(file), "--seal", "abc"])
    assert refused.exit_code == 2
    assert "64 hexadecimal digits" in refused.output


def test_a_seal_keeps_its_number(document: dict[str, Any]) -> None:
    """What is hashed begins with the seal before: no figure of the number may be read as a part of that."""
    seal = {**document["seal"], "seq": 12}
    seal["hash"] = certificate.seal_hash(bytes.fromhex(seal["prev_hash"]), seal).hex()
    twelfth = {**document, "seal": seal}
    assert certificate.problems(twelfth, seal=seal["hash"]) == []
    moved = {**seal, "seq": 2, "prev_hash": seal["prev_hash"] + b"1".hex()}
    assert certificate.seal_hash(bytes.fromhex(moved["prev_hash"]), moved).hex() == seal["hash"]
    said = "The seal has been changed: its hash is not the hash of what it says."
    assert certificate.problems({**twelfth, "seal": moved}, seal=seal["hash"]) == [said]


def _made_up(seal: dict[str, Any]) -> dict[str, Any]:
    """A million points that nobody ever had, under a tree of one leaf."""
    customer = str(ids.uuid7())
    row = {
        "seq": 1, "id": str(ids.uuid7()), "kind": "adjust", "idem_key": "x", "ref_type": "adjustment", "ref_id": "x",
        "actor": "x", "description": "x", "meta": "{}", "created_at_us": 1,
        "entries": [[1, "adjusted", None, -1_000_000], [2, "available", customer, 1_000_000]],
    }  # fmt: skip
    head = certificate.link(certificate.START, customer, row)
    tree = {"root": merkle.leaf(uuid.UUID(customer), 1, head).hex(), "path": [], "leaf_version": 1}
    tree = {**seal, **tree}
    tree["hash"] = certificate.seal_hash(bytes.fromhex(tree["prev_hash"]), tree).hex()
    return {
        "format": certificate.FORMAT, "customer_id": customer, "issued_at": "", "version": 1, "head": head.hex(),
        "balances": {"available": 1_000_000, "held": 0, "pending": 0, "debt": 0},
        "transactions": [{**row, "hash": head.hex()}], "seal": tree,
    }  # fmt: skip


def test_seals_are_append_only(
    sealed: uuid.UUID, web_role: psycopg.Connection, owner: psycopg.Connection
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        web_role.execute("INSERT INTO points_seal SELECT * FROM points_seal")
    for statement in ("UPDATE points_seal SET accounts = 1", "DELETE FROM points_seal"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            web_role.execute(statement)
        with pytest.raises(psycopg.errors.RestrictViolation):
            owner.execute(statement)


def test_what_works_as_the_owner_is_closed_to_everybody(owner: psycopg.Connection) -> None:
    functions = owner.execute(
        """SELECT oid::regprocedure::text, has_function_privilege('public', oid, 'EXECUTE'),
                  has_function_privilege('shop_app', oid, 'EXECUTE')
             FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace ORDER BY 1"""
    ).fetchall()
    assert functions == [
        ("audit_chain()", False, False),
        ("points_apply_entries()", False, False),
        ("points_make_seal()", False, True),
    ]


def test_a_seal_made_by_the_shops_role_itself_is_a_seal_like_any_other(
    app: Flask, sealed: uuid.UUID, web_role: psycopg.Connection
) -> None:
    from tests.services.test_verify import found

    with app.app_context():
        before = web_role.execute("SELECT max(seq) FROM points_seal").fetchone()
        assert before is not None
        with transaction():
            give_points(sealed, 1)
        web_role.execute("SELECT points_make_seal()")
        assert found() == {}
        with transaction():
            assert seal()["seq"] == before[0] + 2
        seals = merkle.root(_leaves(web_role))
        assert web_role.execute("SELECT root FROM points_seal ORDER BY seq DESC LIMIT 1").fetchone() == (
            seals,
        )
        assert found() == {}


def _leaves(web_role: psycopg.Connection) -> list[bytes]:
    rows = web_role.execute("SELECT customer_id, version, head FROM points_seal_leaf ORDER BY customer_id")
    return [merkle.leaf(*row) for row in rows]


def test_verify_finds_a_seal_or_a_sealed_head_that_was_changed(
    app: Flask, sealed: uuid.UUID, owner: psycopg.Connection
) -> None:
    from tests.services.test_verify import found

    with app.app_context():
        assert found() == {}
        owner.execute("ALTER TABLE points_seal DISABLE TRIGGER USER")
        owner.execute("UPDATE points_seal SET accounts = accounts + 1 WHERE seq = 1")
        assert found() == {"seal_chain": 1}
        owner.execute("UPDATE points_seal SET accounts = accounts - 1 WHERE seq = 1")
        owner.execute("ALTER TABLE points_seal ENABLE TRIGGER USER")
        owner.execute("UPDATE points_seal_leaf SET version = version - 1 WHERE customer_id = %s", (sealed,))
        assert found() == {"sealed_heads": 1, "seal_roots": 1}
        owner.execute("UPDATE points_seal_leaf SET version = version + 1 WHERE customer_id = %s", (sealed,))
        assert found() == {}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=8), min_size=1, max_size=70), st.data())
def test_every_leaf_has_a_path_to_the_root(contents: list[bytes], data: st.DataObject) -> None:
    leaves = [merkle.leaf_hash(content) for content in contents]
    index = data.draw(st.integers(0, len(leaves) - 1))
    steps = merkle.path(leaves, index)
    assert merkle.climb(leaves[index], steps) == merkle.root(leaves)
    assert merkle.climb(merkle.leaf_hash(b"another one"), steps) != merkle.root(leaves)


def test_the_tree_is_the_one_of_the_rfc() -> None:
    """RFC 6962, 2.1.3: seven leaves, by hand."""
    hashed = [merkle.leaf_hash(bytes([number])) for number in range(7)]

    def node(left: bytes, right: bytes) -> bytes:
        import hashlib

        return hashlib.sha256(b"\x01" + left + right).digest()

    four = node(node(hashed[0], hashed[1]), node(hashed[2], hashed[3]))
    three = node(node(hashed[4], hashed[5]), hashed[6])
    assert merkle.root(hashed) == node(four, three)
    assert merkle.root([]) == merkle.EMPTY
