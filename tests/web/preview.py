"""Every page template in every state, from sample data: `python -m tests.web.preview` serves them for the eye."""

from __future__ import annotations

import sys
from pathlib import Path

from flask import Flask, Response, render_template, request
from flask_babel import Babel
from flask_wtf import CSRFProtect
from jinja2 import StrictUndefined

from app.blueprints.common import languages
from app.blueprints.common.pages import FILTERS
from tests.web.answers import ANSWERS, frame
from tests.web.states import STATES

ROOT = Path(__file__).parents[2]
ENDPOINTS = {
    "shop": "home category/<slug> brand/<slug> product/<slug> listing search "
    "cart cart_add cart_update cart_remove help/<topic>",
    "account": "sign_in register sign_out overview orders order/<number> order_cancel/<number> "
    "miles statement statement_csv statement_as_pdf movement/<tx_id> transfers transfer_cancel/<transfer_id> "
    "transfer_confirm/<token> transfer_confirmed/<token> "
    "addresses address_new address_edit/<address_id> address_delete/<address_id> profile",
    "checkout": "start address pay result/<number> status/<number> retry/<number> again/<number>",
}


def _stub(**values: str) -> str:
    return "stub"


def create_preview() -> Flask:
    app = Flask("preview", root_path=str(ROOT), template_folder="app/templates", static_folder="app/static")
    app.config.update(
        SECRET_KEY="preview",
        POINTS_NAME="miles",
        TESTING=True,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_ENABLED=False,
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.globals.update(shop_name="Miles Plus Cash", points_name="miles")
    app.jinja_env.filters.update(FILTERS)
    CSRFProtect(app)
    Babel(app)
    languages.register(app)
    for room, rules in ENDPOINTS.items():
        for rule in rules.split():
            endpoint = f"{room}.{rule.partition('/')[0]}"
            app.add_url_rule(f"/{room}/{rule}", endpoint, _stub, methods=["GET", "POST"])
    app.view_functions.update(ANSWERS)
    app.add_url_rule("/preview/<state>", "preview", _render)
    app.add_url_rule("/picture/<int:number>.svg", "picture", _picture)
    app.add_url_rule("/", "index", _index)
    app.after_request(_policy)
    return app


def _render(state: str) -> str:
    template, build, signed_in = STATES[state]
    return render_template(template, **(frame(signed_in) | build()))


def _picture(number: int) -> Response:
    hue = number * 47 % 360
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8">'
        f'<rect width="8" height="8" fill="hsl({hue} 30% 88%)"/>'
        f'<rect x="2.5" y="2" width="3" height="4.2" rx=".5" fill="hsl({hue} 40% 45%)"/></svg>'
    )
    return Response(drawing, mimetype="image/svg+xml")


def _index() -> str:
    return "<ul>" + "".join(f'<li><a href="/preview/{name}">{name}</a></li>' for name in STATES) + "</ul>"


def _policy(response: Response) -> Response:
    if request.path.startswith("/preview/mail-"):
        return response  # a mail client has no such policy, and mails carry their styles
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; script-src 'self'; style-src 'self'; object-src 'none'; base-uri 'none'"
    )
    return response


if __name__ == "__main__":
    create_preview().run(port=int(sys.argv[1]), debug=False)
