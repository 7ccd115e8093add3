"""An empty shop again, a hundred times faster than a new database.

The guards that forbid deleting are off only while this deletes: it is the owner's work, in one transaction.
"""

from __future__ import annotations

from typing import Any

import psycopg

TABLES = """
  SELECT c.relname AS name,
         EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) AS guarded,
         ARRAY(SELECT f.confrelid::regclass::text FROM pg_constraint f
                WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid <> c.oid) AS parents
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = 'public' AND c.relkind = 'r'
"""


class Wiper:
    """Made on a freshly migrated database: what is in it then stays."""

    def __init__(self, owner: psycopg.Connection[Any]) -> None:
        self._owner = owner
        tables = {row["name"]: row for row in owner.execute(TABLES).fetchall()}
        seeded = {name for name in tables if owner.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone()}
        self._order = _children_first(
            {name: set(row["parents"]) for name, row in tables.items() if name not in seeded}
        )
        self._guarded = {name for name in self._order if tables[name]["guarded"]}

    def wipe(self) -> None:
        asked = " UNION ALL ".join(
            f"SELECT '{name}' AS name WHERE EXISTS (SELECT 1 FROM \"{name}\")" for name in self._order
        )
        full = {row["name"] for row in self._owner.execute(asked).fetchall()}
        with self._owner.transaction():
            for name in (name for name in self._order if name in full):
                if name in self._guarded:
                    self._owner.execute(f'ALTER TABLE "{name}" DISABLE TRIGGER USER')
                self._owner.execute(f'DELETE FROM "{name}"')
                if name in self._guarded:
                    self._owner.execute(f'ALTER TABLE "{name}" ENABLE TRIGGER USER')


def _children_first(parents: dict[str, set[str]]) -> list[str]:
    """Tables in an order in which they can be emptied."""
    order: list[str] = []
    left = dict(parents)
    while left:
        free = sorted(name for name in left if not any(name in others for others in left.values()))
        assert free, f"tables refer to each other in a circle: {sorted(left)}"
        order += free
        for name in free:
            del left[name]
    return order
