"""Deaths and broken connections, played within one process: armed for one step, at a place counted from there."""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import Engine, event

from app.kernel import crashpoint as points


class Crash(BaseException):
    """The process is gone: nothing that was not committed stays, nobody cleans up. No `except Exception` stops it."""


class Faults:
    """`struck` says what happened, or is empty. Counters are of crash points, statements and commits."""

    def __init__(self, engine: Engine, killer: psycopg.Connection[Any]) -> None:
        self._engine, self._killer = engine, killer
        self._commit = engine.dialect.do_commit
        self.disarm()
        event.listen(engine, "before_cursor_execute", self._before_statement)
        engine.dialect.do_commit = self._commit_then_lose  # type: ignore[method-assign]
        points.strike = self._point

    def close(self) -> None:
        event.remove(self._engine, "before_cursor_execute", self._before_statement)
        self._engine.dialect.do_commit = self._commit  # type: ignore[method-assign]
        points.strike = None

    def disarm(self) -> None:
        self._points = self._statements = self._commits = 0
        self.struck = ""

    def arm(self, kind: str, count: int) -> None:
        """`crash`: at the count-th crash point. `drop`: the backend dies before the count-th statement.
        `lose`: the connection is lost after the count-th commit, which the client never hears of."""
        self.disarm()
        self._points = count if kind == "crash" else 0
        self._statements = count if kind == "drop" else 0
        self._commits = count if kind == "lose" else 0

    def _point(self, name: str) -> None:
        if self._points:
            self._points -= 1
            if not self._points:
                self.struck = name
                raise Crash(name)

    def _before_statement(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if self._statements:
            self._statements -= 1
            if not self._statements:
                self.struck = "connection dropped"
                pid = connection.connection.dbapi_connection.info.backend_pid
                self._killer.execute("SELECT pg_terminate_backend(%s, 2000)", (pid,))

    def _commit_then_lose(self, connection: Any) -> None:
        self._commit(connection)
        if self._commits:
            self._commits -= 1
            if not self._commits:
                self.struck = "commit lost"
                connection.dbapi_connection.close()
                raise psycopg.OperationalError("the connection was lost after COMMIT was sent")
