"""Callbacks of payment gateways: verified, stored once, answered at once; a job does the rest."""

from __future__ import annotations

from flask import Flask

from app.blueprints.webhooks.payments import bp
from app.extensions import csrf


def register(app: Flask) -> None:
    """The signature is what vouches for the sender: no session, no CSRF token."""
    csrf.exempt(bp)
    app.register_blueprint(bp)
