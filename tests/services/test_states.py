"""Every state table: code and database list the same edges, and each refuses every other one."""

from __future__ import annotations

import importlib
import pkgutil
from itertools import product

import psycopg
import pytest

import app as shop
from app.kernel.errors import Conflict
from app.kernel.states import StateTable


def _tables() -> dict[str, StateTable]:
    """By the table's own name: every StateTable of every `states.py`."""
    found: dict[str, StateTable] = {}
    for info in pkgutil.iter_modules(shop.__path__, "app."):
        room = importlib.import_module(info.name)
        if info.ispkg and any(module.name == "states" for module in pkgutil.iter_modules(room.__path__)):
            states = importlib.import_module(f"{info.name}.states")
            found |= {table.name: table for table in vars(states).values() if isinstance(table, StateTable)}
    return found


TABLES = _tables()
IN_THE_DATABASE = {"order": "orders"}
WITHOUT_A_TABLE_IN_CODE = {"stock_reservation", "idempotency_key", "order_refund"}


def _guards(owner: psycopg.Connection) -> dict[str, list[str]]:
    """Table -> [column, starts, edges] as its trigger has them."""
    rows = owner.execute(
        "SELECT tgrelid::regclass::text, tgargs FROM pg_trigger WHERE tgname = 'only_edges'"
    ).fetchall()
    return {str(table): bytes(arguments).decode().split("\0")[:3] for table, arguments in rows}


def test_there_is_a_guard_for_every_table_and_a_table_for_every_guard(owner: psycopg.Connection) -> None:
    names = {IN_THE_DATABASE.get(name, name) for name in TABLES}
    assert names == set(_guards(owner)) - WITHOUT_A_TABLE_IN_CODE
    assert len(names) >= 10


@pytest.mark.parametrize("name", TABLES)
def test_code_and_database_allow_the_same_and_refuse_the_rest(owner: psycopg.Connection, name: str) -> None:
    table = TABLES[name]
    column, starts, edges = _guards(owner)[IN_THE_DATABASE.get(name, name)]
    assert (set(starts.split()), sorted(edges.split())) == (set(table.starts), table.edge_list())
    with owner.transaction(force_rollback=True):
        owner.execute(f"CREATE TEMP TABLE tried ({column} text)")
        owner.execute(
            f"CREATE TRIGGER only_edges BEFORE INSERT OR UPDATE ON tried FOR EACH ROW "
            f"EXECUTE FUNCTION only_edges('{column}', '{starts}', '{edges}')"
        )
        for state in table.states:
            assert _accepted(owner, f"INSERT INTO tried VALUES ('{state}')") == (state in table.starts)
        for source, target in product(table.states, repeat=2):
            owner.execute("ALTER TABLE tried DISABLE TRIGGER only_edges")
            owner.execute(f"TRUNCATE tried; INSERT INTO tried VALUES ('{source}')")
            owner.execute("ALTER TABLE tried ENABLE TRIGGER only_edges")
            allowed = (
                table.allows(source, target) or source == target
            )  # an update of another column is no move
            assert _accepted(owner, f"UPDATE tried SET {column} = '{target}'") == allowed, (source, target)


@pytest.mark.parametrize("name", TABLES)
def test_the_setter_names_both_ends_of_what_it_refuses(name: str) -> None:
    table = TABLES[name]
    refused = 0
    for source, target in product(table.states, repeat=2):
        if table.allows(source, target):
            table.check(source, target)
        else:
            with pytest.raises(Conflict, match=f"is {said(source)} and cannot become {said(target)}"):
                table.check(source, target)
            refused += 1
    assert refused > 0


def said(state: str) -> str:
    return state.replace("_", " ")


def _accepted(owner: psycopg.Connection, statement: str) -> bool:
    try:
        with owner.transaction():
            owner.execute(statement)
    except psycopg.errors.CheckViolation:
        return False
    return True
