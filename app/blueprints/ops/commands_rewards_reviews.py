"""`flask rewards review`: what the programme gives for a review, wherever the shop's customers write theirs."""

from __future__ import annotations

import click

from app.accounts.queries import find_customer_by_email
from app.accounts.rules import is_staff
from app.audit import service as audit
from app.blueprints.ops.commands_rewards import group
from app.kernel.actor import system
from app.kernel.database import transaction
from app.rewards.queries import is_earned, rules_in_force
from app.rewards.service import bonuses

MOST_LETTERS = 200


@group.command("review")
@click.argument("email")
@click.argument("review")
def review_command(email: str, review: str) -> None:
    """Give the customer EMAIL the bonus for a REVIEW: its id or address, which earns once, whoever is named."""
    review = review.strip()
    if not 1 <= len(review) <= MOST_LETTERS or not review.isprintable():
        raise click.ClickException(f"REVIEW takes 1 to {MOST_LETTERS} printable characters.")
    actor = system("rewards.review")
    with transaction():
        customer = find_customer_by_email(email)
        if customer is None:
            raise click.ClickException(f"No customer has the address {email}.")
        if is_staff(customer.role):
            raise click.ClickException(f"{email} belongs to staff: the bonus is for reviews of customers.")
        if not customer.is_active:
            raise click.ClickException(f"The account of {email} is deactivated.")
        points = bonuses.give(
            customer_id=customer.id, action="review", source_id=review, rules=rules_in_force(), actor=actor
        )
        was_given = not points and is_earned(source_type="review", source_id=review)
        if points:
            audit.record(
                actor=actor,
                action="rewards.review_bonus",
                target_type="customer",
                target_id=str(customer.id),
                after={"review": review, "points": points},
            )
    nothing = "this review has earned before." if was_given else "no rule in force gives points for a review."
    click.echo(f"{points} points for {email}" if points else f"Nothing given: {nothing}")
