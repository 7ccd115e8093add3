"""What every edge stands on: request ids, logs, errors, headers, sessions, limits, template words."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app.accounts import passwords
from app.blueprints.common import (
    errors,
    headers,
    languages,
    limits,
    logs,
    metrics,
    pages,
    request_ids,
    sessions,
)


def register(app: Flask) -> None:
    """Bind the common ground to `app`; called before any blueprint is registered."""
    passwords.choose(app.config["PASSWORD_HASHING"])
    proxies = app.config["TRUSTED_PROXIES"]
    if proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies
        )
    app.url_map.merge_slashes = False  # a redirect is no answer for an API client
    for part in (logs, request_ids, errors, headers, metrics, limits, sessions, languages, pages):
        part.register(app)
