"""SQLite storage: every acknowledged change is committed first, and survives a SIGKILL of this process.

Objects are JSON documents with the few columns that are searched by. One connection, one writer: under one
lock a second request with the same key waits for the first, and sequences have no holes that fill later. In
WAL mode `synchronous=NORMAL` writes to the operating system at each commit (a killed process loses nothing)
and skips the fsync that only a power cut would need.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS settings(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS objects(
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, key TEXT, parent TEXT, sequence INTEGER NOT NULL,
  created REAL NOT NULL, updated REAL NOT NULL, booked REAL, fingerprint TEXT, answer TEXT,
  doc TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS object_key ON objects(kind, key) WHERE key IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS object_sequence ON objects(kind, sequence);
CREATE INDEX IF NOT EXISTS object_booked ON objects(booked) WHERE booked IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_parent ON objects(parent, kind) WHERE parent IS NOT NULL;
CREATE TABLE IF NOT EXISTS events(
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, payment TEXT,
  created REAL NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS event_payment ON events(payment);
CREATE TABLE IF NOT EXISTS deliveries(
  id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, state TEXT NOT NULL, flaw TEXT, due REAL NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS delivery_open ON deliveries(state, due);
CREATE INDEX IF NOT EXISTS delivery_event ON deliveries(event);
CREATE TABLE IF NOT EXISTS attempts(
  id INTEGER PRIMARY KEY, delivery INTEGER NOT NULL, at REAL NOT NULL, status INTEGER, error TEXT,
  milliseconds REAL);
CREATE INDEX IF NOT EXISTS attempt_delivery ON attempts(delivery);
CREATE TABLE IF NOT EXISTS timers(
  id INTEGER PRIMARY KEY, due REAL NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS timer_due ON timers(due);
"""


_ahead = 0.0


def now() -> float:
    """Seconds since the epoch, by this gateway's own clock."""
    return datetime.now(UTC).timestamp() + _ahead


def set_ahead(seconds: float) -> None:
    """Let the gateway's clock run so far ahead of the machine's, until it ends or is reset."""
    global _ahead
    _ahead = seconds


def rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _dump(doc: dict[str, Any]) -> str:
    return json.dumps(doc, separators=(",", ":"))


class Store:
    """`on_work` is called after each commit: there may be something to send or to do."""

    def __init__(self, folder: Path, seed: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.seed = seed
        self.lock = threading.RLock()
        self.on_work: Callable[[], None] = lambda: None
        self.db = sqlite3.connect(folder / "gateway.sqlite3", check_same_thread=False, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.db.executescript(SCHEMA)
        self.sequence = self.one("SELECT coalesce(max(sequence), 0) AS n FROM objects")["n"]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self.lock:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")
        self.on_work()

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        with self.lock:
            return self.db.execute(sql, values)

    def all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self.lock:
            return self.db.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> Any:
        with self.lock:
            return self.db.execute(sql, values).fetchone()

    def derive(self, prefix: str, name: str) -> str:
        """An id of the seed and the name alone: the same history makes the same ids in any order."""
        return f"{prefix}_{hashlib.sha256(f'{self.seed}:{prefix}:{name}'.encode()).hexdigest()[:24]}"

    def chance(self, name: str) -> float:
        """A number in [0, 1) that depends on the seed and the name only."""
        return int(hashlib.sha256(f"{self.seed}:chance:{name}".encode()).hexdigest()[:13], 16) / 16**13

    # documents
    def insert(
        self, doc: dict[str, Any], *, key: str | None, parent: str | None, fingerprint: str | None
    ) -> None:
        created = now()
        doc["created_at"] = rfc3339(created)
        self._stamp(doc, created)
        self.execute(
            "INSERT INTO objects(id, kind, key, parent, sequence, created, updated, fingerprint, doc) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            doc["id"],
            doc["object"],
            key,
            parent,
            self.sequence,
            created,
            created,
            fingerprint,
            _dump(doc),
        )

    def save(self, doc: dict[str, Any], booked: float | None = None) -> None:
        """Write the document with the next sequence number: a walk over the list meets it again."""
        updated = now()
        self._stamp(doc, updated)
        self.execute(
            "UPDATE objects SET sequence = ?, updated = ?, booked = ifnull(?, booked), doc = ? WHERE id = ?",
            self.sequence,
            updated,
            booked,
            _dump(doc),
            doc["id"],
        )

    def _stamp(self, doc: dict[str, Any], updated: float) -> None:
        self.sequence += 1
        doc["sequence"], doc["updated_at"] = self.sequence, rfc3339(updated)

    def find(self, kind: str, object_id: str) -> dict[str, Any] | None:
        row = self.one("SELECT doc FROM objects WHERE id = ? AND kind = ?", object_id, kind)
        return json.loads(row["doc"]) if row else None

    def find_by_key(self, kind: str, key: str) -> Any:
        """The row with `doc`, `fingerprint` and `answer`, or None."""
        return self.one("SELECT doc, fingerprint, answer FROM objects WHERE kind = ? AND key = ?", kind, key)

    def remember_answer(self, object_id: str, status: int, body: dict[str, Any]) -> None:
        self.execute("UPDATE objects SET answer = ? WHERE id = ?", json.dumps([status, body]), object_id)

    # settings
    def setting(self, name: str, default: Any) -> Any:
        row = self.one("SELECT value FROM settings WHERE name = ?", name)
        return json.loads(row["value"]) if row else default

    def set_setting(self, name: str, value: Any) -> None:
        self.execute("INSERT OR REPLACE INTO settings(name, value) VALUES (?, ?)", name, json.dumps(value))

    def clear(self) -> None:
        """Forget every object, event and timer. Numbers go on: an old cursor skips no new row."""
        with self.transaction():
            self.execute("DELETE FROM objects")
            self.execute("DELETE FROM events")
            self.execute("DELETE FROM deliveries")
            self.execute("DELETE FROM attempts")
            self.execute("DELETE FROM timers")
