"""`flask rewards simulate|publish|versions|recompute`: the programme's rules, before and after they count."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from flask import current_app

from app.blueprints.ops.commands_rewards import group
from app.checkout import replay, simulating
from app.checkout.simulating import Comparison, Simulation
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import transaction
from app.kernel.errors import ShopError
from app.kernel.money import display_amount
from app.orders import history
from app.rewards.queries import list_rules_versions
from app.rewards.queries.spending import DAY
from app.rewards.queries.versions import RulesByVersion, list_sign_ups
from app.rewards.rules import Rules, check_draft
from app.rewards.service import rules_versions

MONEY = {"earn_cost", "redeemed_value"}
NAMES = {
    "orders": "Orders",
    "earned": "Points earned",
    "earn_cost": "worth when spent",
    "redeemed": "Points spent",
    "redeemed_value": "worth",
}


class Age(click.ParamType):
    """`90d`, `12h`: how far back; converted to the moment."""

    name = "age"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        if isinstance(value, datetime):
            return value
        units = {"d": "days", "h": "hours"}
        number, unit = str(value)[:-1], str(value)[-1:]
        if not number.isascii() or not number.isdigit() or unit not in units or len(number) > 5:
            self.fail("say 90d for 90 days or 12h for 12 hours", param, ctx)
        return clock.now() - timedelta(**{units[unit]: int(number)})


@group.command("simulate")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--since", type=Age(), default="90d", show_default=True, help="How far back: 90d, 12h.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of the tables.")
def simulate_command(file: Path, since: datetime, as_json: bool) -> None:
    """Replay past orders through the draft in FILE and show the difference in points, cost and per tier."""
    draft = _checked(_load(file))
    with transaction():
        result = simulating.simulate(
            history.iterate_paid(since=since),
            draft=draft,
            versions=RulesByVersion(),
            day_before=history.iterate_paid(since=since - DAY, until=since),
            sign_ups=list_sign_ups(since=since, limit=None),
        )
    if as_json:
        click.echo(json.dumps(_as_data(result), indent=2))
        return
    click.echo(
        f"{result.total.was.orders:,} paid orders and {result.sign_ups:,} sign-ups since {since:%Y-%m-%d %H:%M} UTC,"
        " none of them touched. Bonuses are counted; balances, tiers and what people buy are as they were."
    )
    _table("All customers", result.total, draft.currency)
    for tier, comparison in sorted(result.by_tier.items()):
        _table(f"Tier {tier}", comparison, draft.currency)
    for title, points in (("Points by rule", result.by_rule), ("On trial, not given", result.dry_runs)):
        if points:
            click.echo(f"\n{title}")
            for rule, given in sorted(points.items(), key=lambda item: -item[1]):
                click.echo(f"  {rule:<32}{given:>16,}")
    click.echo(
        f"\n{result.changed:,} orders would earn otherwise; "
        f"{result.fewer_points_usable:,} could not use all the points that they used."
    )


@group.command("publish")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "start", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="Default: now.")
@click.option("--reason", required=True)
def publish_command(file: Path, start: datetime | None, reason: str) -> None:
    """Make FILE the next version of the rules. Versions are never edited: simulate first."""
    body = _load(file)
    _checked(body)
    try:
        with transaction():
            version = rules_versions.publish(
                body=body, effective_from=start, reason=reason, actor=system("flask.rewards.publish")
            )
    except ShopError as error:
        raise click.ClickException(error.message) from error
    click.echo(f"Version {version} is published.")


@group.command("versions")
def versions_command() -> None:
    """List every version, the latest start first."""
    for version in list_rules_versions():
        click.echo(
            f"{version.version:>4}  {version.state:<9}  from {version.effective_from:%Y-%m-%d %H:%M} UTC"
            f"  by {version.created_by}"
        )


@group.command("recompute")
@click.option("--since", type=Age(), default="90d", show_default=True, help="How far back: 90d, 12h.")
def recompute_command(since: datetime) -> None:
    """Price paid orders again by their own version. Exit code 1 when one comes out otherwise than it was."""
    seen, wrong = 0, 0
    with transaction():
        versions = RulesByVersion()
        for order in history.iterate_paid(since=since):
            seen += 1
            found = replay.differences(order, versions[order.rules_version])
            wrong += bool(found)
            for difference in found:
                click.echo(f"{order.number}  {difference}")
    click.echo(f"{seen:,} orders recomputed, {wrong:,} differ.")
    sys.exit(1 if wrong else 0)


def _load(file: Path) -> dict[str, Any]:
    try:
        body = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"{file} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise click.ClickException(f"{file} must hold one JSON object.")
    return body


def _checked(body: dict[str, Any]) -> Rules:
    try:
        return check_draft(body, currency=current_app.config["CURRENCY"])
    except ShopError as error:
        raise click.ClickException(error.message) from error


def _table(title: str, comparison: Comparison, currency: str) -> None:
    click.echo(f"\n{title:<20}{'was':>20}{'draft':>20}{'difference':>20}")
    was, draft = asdict(comparison.was), asdict(comparison.draft)
    for name, label in NAMES.items():
        shown = [
            _number(name, value, currency) for value in (was[name], draft[name], draft[name] - was[name])
        ]
        click.echo(f"  {label:<18}{shown[0]:>20}{shown[1]:>20}{shown[2]:>20}")


def _number(name: str, value: int, currency: str) -> str:
    return display_amount(value, currency) if name in MONEY else f"{value:,}"


def _as_data(result: Simulation) -> dict[str, Any]:
    def compared(comparison: Comparison) -> dict[str, Any]:
        return {**asdict(comparison), "difference": comparison.difference}

    return {
        "total": compared(result.total),
        "by_tier": {tier: compared(comparison) for tier, comparison in result.by_tier.items()},
        "by_rule": result.by_rule,
        "dry_runs": result.dry_runs,
        "changed": result.changed,
        "fewer_points_usable": result.fewer_points_usable,
        "sign_ups": result.sign_ups,
    }
