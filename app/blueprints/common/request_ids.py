"""One id per request, in every response, log line and audit row. A sane incoming one is kept."""

from __future__ import annotations

import re
from typing import cast

from flask import Flask, Response, g, has_request_context, request

from app.kernel import ids

_SANE = re.compile(r"[A-Za-z0-9._-]{8,128}")


def request_id() -> str:
    """The id of this request; `-` outside one."""
    if not has_request_context():
        return "-"
    if "request_id" not in g:
        incoming = request.headers.get("X-Request-Id", "")
        g.request_id = incoming if _SANE.fullmatch(incoming) else str(ids.uuid7())
    return cast(str, g.request_id)


def register(app: Flask) -> None:
    app.after_request(_answer)


def _answer(response: Response) -> Response:
    response.headers["X-Request-Id"] = request_id()
    return response
