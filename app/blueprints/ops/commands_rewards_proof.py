"""`flask rewards verify`: recompute everything that the database keeps, in one snapshot, and say what differs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from app.audit import verification
from app.audit.verification import CheckResult, Verification
from app.blueprints.ops.commands_rewards import group
from app.checkout.verification import SHOP
from app.kernel.database import transaction
from app.rewards.service.verify import LEDGER

PROBES = (*LEDGER, *SHOP, verification.AUDIT)


@group.command("verify")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of the table.")
def verify_command(as_json: bool) -> None:
    """Check balances, lots, holds, chains, orders, money, stock and audit log. Exit code 1 when anything differs."""
    with transaction():
        report = verification.run(PROBES, progress=None if as_json else _show)
    if as_json:
        click.echo(json.dumps(_as_data(report), indent=2))
    else:
        count = len(report.differences)
        verdict = (
            "all clean" if report.ok else f"{count} {'check differs' if count == 1 else 'checks differ'}"
        )
        click.echo(f"{len(report.checks)} checks in {report.seconds:.1f} s: {verdict}.")
    if not report.ok:
        sys.exit(1)


def _show(check: CheckResult) -> None:
    mark = "ok  " if not check.found else "DIFF"
    click.echo(f"{mark} {check.name:<24} {check.found:>9,} of {check.examined:>12,}   {check.what}")
    for sample in check.samples:
        click.echo(f"       {sample}")


def _as_data(report: Verification) -> dict[str, object]:
    return {
        "at": report.at.isoformat(),
        "ok": report.ok,
        "seconds": round(report.seconds, 3),
        "checks": [asdict(check) for check in report.checks],
    }
