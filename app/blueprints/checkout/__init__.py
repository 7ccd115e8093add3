"""The pages around paying. Importing a module hangs its pages on the blueprint."""

from __future__ import annotations

from flask import Flask

from app.blueprints.checkout import again, delivery, pay, result  # noqa: F401 (they add routes)
from app.blueprints.checkout.blueprint import bp


def register(app: Flask) -> None:
    app.register_blueprint(bp)
