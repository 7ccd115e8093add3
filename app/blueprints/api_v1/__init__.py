"""The JSON API, version 1. Every module here is a blueprint with its calls; this is the list of them."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, request

from app.blueprints.api_v1 import (
    admin_books,
    admin_customers,
    admin_orders,
    admin_rewards,
    admin_rules,
    auth,
    cart,
    catalogue,
    checkout,
    docs,
    me,
    orders,
    rewards,
)
from app.blueprints.api_v1.decoding import MAX_BODY
from app.blueprints.common import envelope
from app.extensions import csrf

PARTS: tuple[Blueprint, ...] = (
    auth.bp,
    me.bp,
    catalogue.bp,
    cart.bp,
    rewards.bp,
    checkout.bp,
    orders.bp,
    admin_customers.bp,
    admin_orders.bp,
    admin_rewards.bp,
    admin_rules.bp,
    admin_books.bp,
)


def register(app: Flask) -> None:
    """Mount the parts under /api/v1; tokens only, so no CSRF and no cookie counts here."""
    api = Blueprint("api_v1", __name__, url_prefix="/api/v1")
    for part in PARTS:
        csrf.exempt(part)
        api.register_blueprint(part)
    app.register_blueprint(api)
    app.register_blueprint(docs.bp)
    app.before_request(_limit_body)
    app.after_request(_explain_options)


def _limit_body() -> None:
    if request.path.startswith("/api/v1/"):
        # one byte more, because werkzeug cuts a chunked body at the limit without a word: decoding counts
        request.max_content_length = MAX_BODY + 1


def _explain_options(response: Response) -> Response:
    """Flask answers OPTIONS by itself, with nothing inside: say it in the envelope as well."""
    if request.method == "OPTIONS" and request.path.startswith("/api/") and response.status_code == 200:
        methods = sorted(response.headers.get("Allow", "").replace(" ", "").split(","))
        response.set_data(envelope.success({"methods": methods}, "These methods are allowed."))
        response.content_type = envelope.JSON
    return response
