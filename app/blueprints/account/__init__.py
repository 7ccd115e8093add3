"""Pages of one's own: signing in, profile, addresses. Importing a module hangs its pages on the blueprint."""

from __future__ import annotations

from flask import Flask

from app.blueprints.account import (  # noqa: F401 (they add routes)
    addresses,
    miles,
    orders,
    overview,
    profile,
    signing_in,
)
from app.blueprints.account.blueprint import bp


def register(app: Flask) -> None:
    app.register_blueprint(bp)
