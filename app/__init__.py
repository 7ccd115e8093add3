"""create_app(): the only composition root."""

from __future__ import annotations

from typing import Any

from flask import Flask

import app.models  # noqa: F401 (the mapper needs every table)
import config
from app.extensions import babel, cache, csrf, db, limiter, login_manager, mail, migrate
from app.gateways import gateway_from
from app.kernel.database import listen_for_connections
from app.kernel.shapes import learn_shapes


def create_app(overrides: dict[str, Any] | None = None) -> Flask:
    """The shop as a WSGI application. `overrides` go over the settings of the environment."""
    flask_app = Flask(__name__)
    flask_app.config.from_mapping(config.load())
    flask_app.config.update(overrides or {})
    _bind_extensions(flask_app)
    _register_edges(flask_app)
    learn_shapes()
    return flask_app


def _bind_extensions(flask_app: Flask) -> None:
    db.init_app(flask_app)
    with flask_app.app_context():
        listen_for_connections(db.engine, role=flask_app.config["DATABASE_SET_ROLE"])
    migrate.init_app(flask_app, db, directory="migrations")
    for extension in (login_manager, csrf, cache, limiter, babel, mail):
        extension.init_app(flask_app)
    flask_app.extensions["gateway"] = gateway_from(flask_app.config)


def _register_edges(flask_app: Flask) -> None:
    """Blueprints and commands; each edge registers itself."""
    from app.blueprints import register

    register(flask_app)
