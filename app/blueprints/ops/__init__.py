"""Operations: health, metrics, and the commands of `flask`."""

from __future__ import annotations

from flask import Flask

from app.blueprints.ops import (
    commands_catalogue,
    commands_customers,
    commands_demo,
    commands_jobs,
    commands_rewards_proof,
    commands_rewards_reviews,
    commands_rewards_rules,
    demo_people,
    health,
    mails,
)


def register(app: Flask) -> None:
    app.register_blueprint(health.bp)
    if app.config["SHOP_ENV"] in ("development", "testing"):
        app.register_blueprint(mails.bp)
    app.cli.add_command(commands_customers.group)
    commands_catalogue.register(app)
    commands_jobs.register(app)
    app.cli.add_command(commands_demo.group)
    if app.config["SHOP_ENV"] == "development":  # the sign-in page offers them
        app.config["DEMO_PEOPLE"] = [(person.email, person.name) for person in demo_people.PEOPLE]
        app.config["DEMO_PASSWORD"] = demo_people.PASSWORD
    for commands in (
        commands_rewards_proof,
        commands_rewards_reviews,
        commands_rewards_rules,
    ):  # they share one group
        app.cli.add_command(commands.group)
