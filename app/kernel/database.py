"""The declarative base, the session, and the one way to write: `with transaction():`.

The Flask-SQLAlchemy object lives here and not in `app.extensions` because `transaction()` needs its session
and the kernel is the lowest room (docs/adr/0001).
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    BigInteger,
    DateTime,
    Engine,
    LargeBinary,
    MetaData,
    Select,
    Text,
    Uuid,
    event,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session

from app.kernel.errors import Conflict

T = TypeVar("T")

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table. Python types say the column types: int is bigint, datetime is timestamptz."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {
        int: BigInteger,
        str: Text,
        bytes: LargeBinary,
        datetime: DateTime(timezone=True),
        uuid.UUID: Uuid,
        dict[str, Any]: JSONB,
        list[str]: JSONB,
        list[dict[str, Any]]: JSONB,
    }


db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False})

# Serialization failure, deadlock: the whole unit of work may be run again (PostgreSQL, 13.5).
RETRYABLE = frozenset({"40001", "40P01"})
LOCK_TIMEOUT = "55P03"
# The connection, the server that is told to stop, its means: by class (PostgreSQL, appendix A).
AWAY = ("08", "57P", "53")


def session() -> Session:
    """The session of this application context."""
    return db.session()


@contextmanager
def transaction() -> Iterator[Session]:
    """Commit on exit, roll back on any exception. Refuses to nest: one unit of work has one owner."""
    current = db.session()
    if current.info.get("transaction_open"):
        raise RuntimeError("transaction() does not nest: only the edge opens one")
    current.info["transaction_open"] = True
    try:
        yield current
        current.commit()
    except BaseException:
        current.rollback()
        raise
    finally:
        current.info["transaction_open"] = False


def end_reading() -> None:
    """End the implicit read transaction, so that nothing is held while we wait for the network."""
    current = db.session()
    if current.info.get("transaction_open"):
        raise RuntimeError("a unit of work is still open")
    current.rollback()


def in_transaction() -> bool:
    """Whether this context holds a database transaction, reading or writing."""
    return db.session().in_transaction()


def run_atomically(work: Callable[[], T], *, attempts: int = 5) -> T:
    """Run `work` inside `transaction()`, again on deadlock or serialization failure.

    Raises Conflict `BUSY` (retry_after 1 second) when it stays that way or a lock cannot be had in time.
    """
    for attempt in range(attempts):
        try:
            with transaction():
                return work()
        except DBAPIError as error:
            state = sqlstate(error)
            if state == LOCK_TIMEOUT or (state in RETRYABLE and attempt == attempts - 1):
                raise busy() from error
            if state not in RETRYABLE:
                raise
            time.sleep(random.uniform(0.005, 0.03) * (attempt + 1))
    raise AssertionError("unreachable")


def count_up_to(statement: Select[*tuple[Any, ...]], most: int) -> int:
    """How many rows `statement` has, counting no further than `most` + 1."""
    bounded = statement.order_by(None).limit(most + 1).subquery()
    return int(db.session.scalar(select(func.count()).select_from(bounded)) or 0)


def busy() -> Conflict:
    return Conflict("Another change to the same thing is in progress. Try again.", code="BUSY", retry_after=1)


def is_outage(error: Exception) -> bool:
    """The database is away or the session is misused: no row that was worked on is to blame."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, InvalidRequestError)
    state = sqlstate(error)
    if state is None:  # what never got to a server has no state of it
        return error.connection_invalidated or isinstance(error, OperationalError)
    return error.connection_invalidated or state.startswith(AWAY)


def sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def constraint_of(error: IntegrityError) -> str | None:
    """The violated constraint's name: the border between database and shop translates by it."""
    return getattr(getattr(error.orig, "diag", None), "constraint_name", None)


def listen_for_connections(engine: Engine, *, role: str | None) -> None:
    """Make every new connection work as `role`, where one login does everything (config.py)."""
    if role is None:
        return

    @event.listens_for(engine, "connect")
    def _set_role(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f'SET ROLE "{role}"')
        connection.commit()
