"""GET /dev/mails: every mail with sample data, HTML beside text. Not there in production."""

from __future__ import annotations

from flask import Blueprint, Response, abort, current_app
from markupsafe import Markup

from app.blueprints.ops.mail_samples import contexts
from app.notifications.rendering import MESSAGES, Rendered, render

bp = Blueprint("mails", __name__, url_prefix="/dev/mails")
# Mails carry their styles in the page; scripts and everything from elsewhere stay out.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ROW = Markup('<li><a href="{0}.html">{1}</a> (<a href="{0}.txt">text</a>, {0})</li>\n')
LIST = Markup(
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Mails</title><h1>Mails of {}</h1>\n<ul>{}</ul></html>'
)


@bp.get("/")
def index() -> Response:
    rows = Markup("").join(ROW.format(name, _render(name).subject) for name in MESSAGES)
    return _page(LIST.format(current_app.config["SHOP_NAME"], rows))


@bp.get("/<message>.html")
def html(message: str) -> Response:
    return _page(_render(message).html)


@bp.get("/<message>.txt")
def text(message: str) -> Response:
    mail = _render(message)
    return Response(f"Subject: {mail.subject}\n\n{mail.text}", content_type="text/plain; charset=utf-8")


def _render(message: str) -> Rendered:
    config = current_app.config
    shop_url = config["BASE_URL"] + "/"
    samples = contexts(shop_url)
    if message not in samples:
        abort(404)
    frame = {"shop_name": config["SHOP_NAME"], "points_name": config["POINTS_NAME"], "shop_url": shop_url}
    return render(message, frame | dict(samples[message]), environment=current_app.jinja_env)


def _page(body: str) -> Response:
    response = Response(body, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    return response
