"""The mailbox in the browser, and as JSON under /api."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, abort, current_app, jsonify, redirect, render_template, request
from flask.blueprints import Blueprint
from werkzeug.wrappers import Response as AnyResponse

from sandbox.mailbox.store import Mailbox, as_json, part_text

bp = Blueprint("mailbox", __name__)
HTML_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "img-src * data:; style-src 'unsafe-inline' *; font-src *"
)
"""A mail runs no script and reaches nothing of the mailbox; its links open in a tab of their own."""


def create_app(mailbox: Mailbox) -> Flask:
    app = Flask(__name__)
    app.extensions["mailbox"] = mailbox
    app.register_blueprint(bp)
    return app


def box() -> Mailbox:
    found = current_app.extensions["mailbox"]
    assert isinstance(found, Mailbox)
    return found


def get(message_id: str) -> dict[str, Any]:
    found = box().find(message_id)
    if found is None:
        abort(404)
    return as_json(*found)


@bp.get("/")
def listing() -> str:
    to = request.args.get("to", "")
    return render_template("list.html", messages=box().summaries(to), to=to)


@bp.get("/messages/<message_id>")
def message(message_id: str) -> str:
    return render_template("message.html", message=get(message_id))


@bp.get("/messages/<message_id>/html")
def html(message_id: str) -> Response:
    found = box().find(message_id)
    if found is None:
        abort(404)
    body = '<base target="_blank">' + part_text(found[1], "html")
    return Response(body, mimetype="text/html", headers={"Content-Security-Policy": HTML_POLICY})


@bp.get("/messages/<message_id>/attachments/<int:number>")
def attachment(message_id: str, number: int) -> Response:
    found = box().find(message_id)
    parts = list(found[1].iter_attachments()) if found else []
    if number >= len(parts):
        abort(404)
    content = parts[number].get_content()
    name = (parts[number].get_filename() or f"attachment-{number}").replace('"', "")
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return Response(content, mimetype=parts[number].get_content_type(), headers=headers)


@bp.post("/delete")
def delete_from_page() -> AnyResponse:
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        abort(403)
    box().clear()
    return redirect("/", 303)


@bp.get("/api/messages")
def api_list() -> Response:
    """Newest first: `?to=` part of a recipient's address, `?limit=` 50."""
    limit = request.args.get("limit", 50, int)
    found = [box().find(one.id) for one in box().summaries(request.args.get("to", ""))[:limit]]
    return jsonify({"messages": [as_json(*one) for one in found if one]})


@bp.get("/api/messages/<message_id>")
def api_message(message_id: str) -> Response:
    return jsonify(get(message_id))


@bp.delete("/api/messages")
def api_delete() -> Response:
    return jsonify({"deleted": box().clear()})
