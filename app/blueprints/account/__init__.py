"""Pages of one's own: signing in, profile, addresses. Importing a module hangs its pages on the blueprint."""

from __future__ import annotations

from flask import Flask
from flask_login import current_user

from app.blueprints.account import (  # noqa: F401 (they add routes)
    addresses,
    miles,
    orders,
    overview,
    profile,
    signing_in,
    statements,
    transfers,
)
from app.blueprints.account.blueprint import bp
from app.blueprints.common.pages import page_value
from app.rewards.queries import get_spendable


def register(app: Flask) -> None:
    app.register_blueprint(bp)
    page_value(app, "balance", _balance)


def _balance() -> int | None:
    """What the frame of every page shows to whoever is signed in."""
    return get_spendable(current_user.person.id) if current_user.is_authenticated else None
