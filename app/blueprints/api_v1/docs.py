"""The OpenAPI document and the page that people read, both made from the declarations."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, render_template

from app.blueprints.api_v1 import errors, openapi
from app.blueprints.common import envelope

bp = Blueprint("api_docs", __name__, url_prefix="/api")


@bp.get("/v1/openapi.json")
def document() -> Response:
    response = envelope.json_response(envelope.encode(_document()), 200)
    response.headers["Cache-Control"] = "public, max-age=300"
    response.add_etag()
    return response


@bp.get("/docs")
def page() -> Response:
    html = render_template(
        "pages/api/docs.html",
        document=_document(),
        groups=openapi.by_tag(_document()),
        errors=errors.CATALOGUE,
        shop_name=current_app.config["SHOP_NAME"],
    )
    response = Response(html, content_type="text/html; charset=utf-8")
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


def _document() -> dict[str, Any]:
    """Made once per process: routes do not change while it runs."""
    if "openapi" not in current_app.extensions:
        current_app.extensions["openapi"] = openapi.document(current_app)
    made: dict[str, Any] = current_app.extensions["openapi"]
    return made
