"""`flask demo seed` and `flask demo customer`: the demo shop, never in production."""

from __future__ import annotations

from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import func, select

from app.accounts import service as accounts
from app.accounts.models import Customer
from app.blueprints.ops.commands_catalogue import import_file
from app.blueprints.ops.demo_people import PEOPLE
from app.blueprints.ops.demo_shop import SEEDER, add_address, add_person, give
from app.kernel.database import end_reading, session, transaction
from app.kernel.errors import ShopError
from app.outbox.models import EffectDone
from app.outbox.service import first_time

CATALOGUE = Path(__file__).resolve().parents[3] / "demo" / "catalogue.csv"
BEGUN, FINISHED = "demo.seed.begun", "demo.seed.finished"

group = AppGroup("demo", help="The demo shop (development and testing only).")


@group.command("seed")
def seed() -> None:
    """Load the demo catalogue and its people into an empty database; one that is not empty is left alone."""
    _refuse_production()
    if not _may_seed():
        click.echo("The database has people already; nothing was seeded.")
        return
    report, _ = import_file(CATALOGUE)
    click.echo(f"Catalogue: {report.products_created} products created.")
    for person in PEOPLE:
        add_person(person)
        click.echo(f"  {person.email}")
    with transaction():
        first_time(FINISHED)


@group.command("customer")
@click.option("--email", required=True)
@click.option("--password", required=True)
@click.option("--points", type=click.IntRange(0, 10_000_000), default=0, show_default=True)
def customer(email: str, password: str, points: int) -> None:
    """Make a customer with an address and POINTS, for load tests and trials."""
    _refuse_production()
    try:
        with transaction():
            who = accounts.register(actor=SEEDER, email=email, password=password, name=email.split("@")[0])
            add_address(who, line1="1 Trial Street")
        give(who, "trial", points, None)
    except ShopError as error:
        raise click.ClickException(error.message) from None
    click.echo(f"{who.email} has {points:,} points.")


def _refuse_production() -> None:
    if current_app.config["SHOP_ENV"] == "production":
        raise click.ClickException("The demo shop is for development and testing only.")


def _may_seed() -> bool:
    """Empty, or begun by a seed that did not finish."""
    with transaction():
        done = set(
            session().scalars(
                select(EffectDone.dedupe_key).where(EffectDone.dedupe_key.in_([BEGUN, FINISHED]))
            )
        )
        people = session().scalar(select(func.count()).select_from(Customer)) or 0
        allowed = FINISHED not in done and (people == 0 or BEGUN in done)
        if allowed:
            first_time(BEGUN)
    end_reading()
    return allowed
