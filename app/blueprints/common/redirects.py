"""Where to go next, when the address itself says so: only to a page of this shop (ASVS 5.0, 3.7.2)."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect


def safe_next(default: str) -> str:
    """`next` from the form or the query, if it is a path of ours that can be read; else `default`."""
    target = request.form.get("next") or request.args.get("next") or ""
    return target if _is_ours(target) else default


def _is_ours(target: str) -> bool:
    if not target.startswith("/") or target.startswith("//") or "\\" in target or len(target) > 2000:
        return False
    if any(character <= " " or character == "\x7f" for character in target):
        return False
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return False
    try:
        current_app.create_url_adapter(request).match(parts.path, method="GET")  # type: ignore[union-attr]
    except (HTTPException, RequestRedirect):
        return False
    return True
