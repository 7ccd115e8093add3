"""The ledger's benchmark: its reference is the shop's own statements, its history one that verify believes."""

from __future__ import annotations

import re

import psycopg
import pytest

from app.audit import verification
from app.blueprints.ops.commands_rewards_proof import PROBES
from app.kernel.database import transaction
from bench import ledger_history
from bench.ledger_clients import script


def test_the_script_for_pgbench_holds_and_captures_and_leaves_nothing_unbound() -> None:
    made = script(members=10)
    assert made.count("BEGIN;") == made.count("COMMIT;") == 2
    assert "points_hold(" in made
    assert "'captured'" in made
    unbound = set(re.findall(r"(?<!:):([a-z_]+)\b", made)) - {"n", "high", "low", "ord"}
    assert not unbound


@pytest.mark.usefixtures("app_context")
def test_the_history_that_verify_is_measured_over_is_clean_and_gives_the_probes_something_to_read(
    owner: psycopg.Connection,
) -> None:
    ledger_history.fill(owner, members=7, cycles=3)
    with transaction():
        report = verification.run(PROBES)
    assert {check.name: check.samples for check in report.differences} == {}
    examined = {check.name: check.examined for check in report.checks}
    assert examined["from_holds"] == 7 * 3 * ledger_history.STEPS
    nothing = {name for name, rows in examined.items() if not rows}
    assert nothing == {"refunds", "refund_lines", "refund_points"}, "no orders come back in it"
