"""The ground every test stands on: real PostgreSQL and Redis, one fresh database per test module.

A module's database is a copy of a migrated template (about 0.1 s), dropped after it. Tests of one module
share it: make your own customers and products, do not count rows of others.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings
from playwright.sync_api import expect
from sqlalchemy.engine import make_url

from embedded import services

ROOT = Path(__file__).resolve().parents[1]
DAY = 24 * 3600
# The same examples every time, however long one takes: a run says something about the shop, not about luck or load.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
expect.set_options(timeout=30_000)
ENVIRONMENT = {
    "SHOP_ENV": "testing",
    "SECRET_KEY": "a-key-for-tests-only-0123456789abcdef",
    "PASSWORD_HASHING": "cheap",
    "RATE_LIMITS": "off",
    "SANDBOX_GATEWAY_URL": "http://127.0.0.1:9",
    "SANDBOX_GATEWAY_KEY": "sk_sandbox_tests",
    "SANDBOX_WEBHOOK_SECRET": "whsec_tests",
}


@pytest.fixture(autouse=True)
def one_day() -> None:
    """No test begins in the last seconds of a day (UTC): what it pays and the report that it asks for share one."""
    left = DAY - time.time() % DAY
    if left < 30:
        time.sleep(left + 0.1)


@pytest.fixture(scope="session")
def endpoints() -> services.Endpoints:
    """The embedded servers of the test profile; they stay up between runs."""
    return services.start(ROOT / "var" / "test", profile="test")


@pytest.fixture(scope="session")
def template(endpoints: services.Endpoints) -> str:
    """The name of a migrated, empty database, made once per state of the migrations."""
    return template_of(endpoints)


@pytest.fixture(scope="module")
def database(endpoints: services.Endpoints, template: str) -> Iterator[services.Endpoints]:
    """A fresh migrated database; its endpoints."""
    name = f"t_{uuid.uuid4().hex[:16]}"
    with psycopg.connect(_plain(endpoints.database_owner_url), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock_shared(hashtext('template'))")
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield _in_database(endpoints, name)
    with psycopg.connect(_plain(endpoints.database_owner_url), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def app(database: services.Endpoints) -> Iterator[Flask]:
    """The shop on this module's database."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ENVIRONMENT, **database.environment()}.items():
            patch.setenv(name, value)
        from app import create_app
        from app.kernel.database import db

        flask_app = create_app({"CACHE_KEY_PREFIX": f"test:{uuid.uuid4().hex}:"})
        yield flask_app
        with flask_app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def app_context(app: Flask) -> Iterator[None]:
    """An application context around a test that calls services directly."""
    with app.app_context():
        yield


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="module")
def owner(database: services.Endpoints) -> Iterator[psycopg.Connection]:
    """A connection as the owner of the tables, autocommit: to look, and to break things on purpose."""
    with psycopg.connect(_plain(database.database_owner_url), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def web_role(database: services.Endpoints) -> Iterator[psycopg.Connection]:
    """A connection as the shop's own database role, autocommit."""
    with psycopg.connect(_plain(database.database_url), autocommit=True) as connection:
        yield connection


def template_of(endpoints: services.Endpoints) -> str:
    """As the fixture `template`."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "migrations").rglob("*.py")):
        digest.update(path.read_bytes())
    name = f"template_{digest.hexdigest()[:16]}"
    with psycopg.connect(_plain(endpoints.database_owner_url), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('template'))")
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            draft = f"draft_{uuid.uuid4().hex[:12]}"
            connection.execute(f'CREATE DATABASE "{draft}"')
            _migrate(endpoints, draft)
            connection.execute(f'ALTER DATABASE "{draft}" RENAME TO "{name}"')
    return name


def _migrate(endpoints: services.Endpoints, name: str) -> None:
    target = _in_database(endpoints, name)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in {**ENVIRONMENT, **target.environment()}.items():
            patch.setenv(key, value)
        import flask_migrate

        from app import create_app
        from app.kernel.database import db

        flask_app = create_app()
        with flask_app.app_context():
            flask_migrate.upgrade(directory=str(ROOT / "migrations"))
            db.engine.dispose()


def _in_database(endpoints: services.Endpoints, name: str) -> services.Endpoints:
    def moved(url: str) -> str:
        return make_url(url).set(database=name).render_as_string(hide_password=False)

    return services.Endpoints(
        moved(endpoints.database_url), moved(endpoints.database_owner_url), endpoints.redis_url
    )


def _plain(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="postgresql"))
