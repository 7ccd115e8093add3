"""Two imports at once take turns, and none fails."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import psycopg
from flask import Flask

from app.blueprints.ops.commands_catalogue import import_file
from tests.catalogue.files import row, write


def test_two_imports_at_once_take_turns(app: Flask, owner: psycopg.Connection, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [row(f"at-once-{n}", Vendor=f"At once {n}") for n in range(30)])
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with app.app_context():
                import_file(path)
        except BaseException as error:
            failures.append(error)

    threads = [Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert owner.execute("SELECT count(*) FROM product WHERE slug LIKE 'at-once-%'").fetchone() == (30,)
    assert owner.execute("SELECT count(*) FROM brand WHERE name LIKE 'At once %'").fetchone() == (30,)
