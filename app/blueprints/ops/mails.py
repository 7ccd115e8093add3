"""GET /dev/mails: every mail with sample data, in every language, HTML beside text. Not there in production."""

from __future__ import annotations

from flask import Blueprint, Response, abort, current_app
from markupsafe import Markup

from app.accounts.rules import LANGUAGES
from app.blueprints.common.mailing import render_mail
from app.blueprints.ops.mail_samples import contexts
from app.notifications.rendering import FOR_STAFF, MESSAGES, Rendered

bp = Blueprint("mails", __name__, url_prefix="/dev/mails")
# Mails carry their styles in the page; scripts and everything from elsewhere stay out.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ROW = Markup('<li><a href="{0}.html">{1}</a> (<a href="{0}.txt">text</a>, {2})</li>\n')
PART = Markup('<section lang="{0}"><h2>{1}</h2>\n<ul>{2}</ul></section>\n')
LIST = Markup(
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Mails</title><h1>Mails of {}</h1>\n{}</html>'
)


@bp.get("/")
def index() -> Response:
    parts = (PART.format(locale, name, _rows(locale)) for locale, name in LANGUAGES.items())
    return _page(LIST.format(current_app.config["SHOP_NAME"], Markup("").join(parts)))


@bp.get("/<message>.html")
@bp.get("/<locale>/<message>.html")
def html(message: str, locale: str = "en") -> Response:
    return _page(_render(message, locale).html)


@bp.get("/<message>.txt")
@bp.get("/<locale>/<message>.txt")
def text(message: str, locale: str = "en") -> Response:
    mail = _render(message, locale)
    return Response(f"Subject: {mail.subject}\n\n{mail.text}", content_type="text/plain; charset=utf-8")


def _rows(locale: str) -> Markup:
    """Staff are written to in English only."""
    folder = "" if locale == "en" else f"{locale}/"
    names = [name for name in MESSAGES if locale == "en" or name not in FOR_STAFF]
    return Markup("").join(ROW.format(folder + name, _render(name, locale).subject, name) for name in names)


def _render(message: str, locale: str) -> Rendered:
    samples = contexts(current_app.config["BASE_URL"] + "/")
    if message not in samples or locale not in LANGUAGES or (locale != "en" and message in FOR_STAFF):
        abort(404)
    return render_mail(message, samples[message], locale=locale)


def _page(body: str) -> Response:
    response = Response(body, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    return response
