"""`flask customers …`: people, from the command line."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.accounts import rules
from app.accounts import service as accounts
from app.kernel import actor
from app.kernel.database import transaction
from app.kernel.errors import ShopError

group = AppGroup("customers", help="Customers and staff.")
STAFF_ROLES = [role for role in rules.ROLES if rules.is_staff(role)]


@group.command("create-staff")
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--role", required=True, type=click.Choice(STAFF_ROLES))
@click.password_option(
    help="Asked for when it is not given; SHOP_STAFF_PASSWORD works as well.", envvar="SHOP_STAFF_PASSWORD"
)
def create_staff(email: str, name: str, role: str, password: str) -> None:
    """Make a member of staff: how the first admin comes to be."""
    try:
        with transaction():
            person = accounts.create_staff(
                actor=actor.system("customers.create-staff"),
                email=email,
                name=name,
                role=role,
                password=password,
            )
    except ShopError as error:
        raise click.ClickException(error.message) from None
    click.echo(f"{person.email} is now {person.role}.")
