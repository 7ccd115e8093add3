"""The reference of the ledger's benchmark is made of the shop's own statements."""

from __future__ import annotations

import re

from bench.ledger_clients import script


def test_the_script_for_pgbench_holds_and_captures_and_leaves_nothing_unbound() -> None:
    made = script(members=10)
    assert made.count("BEGIN;") == made.count("COMMIT;") == 2
    assert "points_hold(" in made
    assert "'captured'" in made
    unbound = set(re.findall(r"(?<!:):([a-z_]+)\b", made)) - {"n", "high", "low", "ord"}
    assert not unbound
