"""The Flask application of the gateway."""

from __future__ import annotations

from flask import Flask

from sandbox.gateway import api, control, pages
from sandbox.gateway.bank import Bank


def create_app(bank: Bank) -> Flask:
    app = Flask(__name__)
    app.extensions["bank"] = bank
    app.register_blueprint(api.bp)
    app.register_blueprint(pages.bp)
    app.register_blueprint(control.bp)
    return app
