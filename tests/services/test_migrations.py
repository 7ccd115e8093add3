"""The schema goes up, down and up again, and is what the models say."""

from __future__ import annotations

import flask_migrate
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import create_engine

from app.kernel.database import Base
from tests.conftest import ROOT

CATALOGUE = """
  SELECT 'column', table_name, column_name, data_type || is_nullable || coalesce(column_default, '')
    FROM information_schema.columns WHERE table_schema = 'public'
  UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
  UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
  UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL SELECT 'function', '', proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL SELECT 'grant', table_name, privilege_type, grantee
    FROM information_schema.role_table_grants WHERE table_schema = 'public' AND grantee = 'shop_app'
  ORDER BY 1, 2, 3, 4
"""


def test_up_down_up_leaves_no_difference(app: Flask, owner: psycopg.Connection) -> None:
    before = owner.execute(CATALOGUE).fetchall()
    with app.app_context():
        flask_migrate.downgrade(directory=str(ROOT / "migrations"), revision="base")
        left = owner.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        ).fetchone()
        assert left == (1,), "only alembic's own table stays"
        flask_migrate.upgrade(directory=str(ROOT / "migrations"))
    assert owner.execute(CATALOGUE).fetchall() == before
    assert len(before) > 200


def test_the_models_are_the_schema(app: Flask) -> None:
    engine = create_engine(app.config["DATABASE_OWNER_URL"])
    with engine.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()
    assert difference == []


@pytest.mark.parametrize("table", ["points_tx", "points_entry", "points_chain", "audit_log"])
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE", "TRUNCATE"])
def test_the_shops_role_owns_nothing_and_cannot_rewrite_history(
    web_role: psycopg.Connection, owner: psycopg.Connection, table: str, verb: str
) -> None:
    statements = {"UPDATE": f"UPDATE {table} SET hash = hash", "DELETE": f"DELETE FROM {table}"}
    statements["TRUNCATE"] = f"TRUNCATE {table} CASCADE"
    if table in {"points_tx", "points_entry"}:
        statements["UPDATE"] = f"UPDATE {table} SET customer_id = customer_id"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        web_role.execute(statements[verb])
    owned = owner.execute(
        "SELECT count(*) FROM pg_tables WHERE tableowner IN ('shop_app', 'shop_web')"
    ).fetchone()
    assert owned == (0,)
