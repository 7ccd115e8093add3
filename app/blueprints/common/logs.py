"""Structured logs on stdout: JSON in production, readable lines elsewhere. No secret gets into a line."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import structlog
from flask import Flask, Response, g, request

from app.blueprints.common.request_ids import request_id

_SECRET = ("password", "authorization", "cookie", "cvc", "card_number", "secret", "token", "totp", "api_key")
_QUIET = ("/healthz", "/readyz", "/metrics", "/static/")
log = structlog.get_logger("shop.http")


def register(app: Flask) -> None:
    """Route everything, other libraries' lines included, through one formatter."""
    configure(app.config["LOG_FORMAT"], app.config["LOG_LEVEL"])
    app.before_request(_start)
    app.after_request(_line)


def configure(form: str, level: str) -> None:
    """`form`: `json` or `text`. Safe to call again."""
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_id,
        _drop_secrets,
    ]
    last: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if form == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    handler.set_name("shop")
    root = logging.getLogger()
    root.handlers = [*(h for h in root.handlers if h.get_name() != "shop"), handler]
    root.setLevel(level)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)


def _add_request_id(_logger: Any, _method: str, event: Any) -> Any:
    event.setdefault("request_id", request_id())
    return event


def _drop_secrets(_logger: Any, _method: str, event: Any) -> Any:
    """Whatever is called like a secret is masked, and line breaks cannot fake another line."""
    for key, value in event.items():
        if any(word in key.lower() for word in _SECRET):
            event[key] = "***"
        elif isinstance(value, str) and key != "exception":
            event[key] = value.replace("\r", "\\r").replace("\n", "\\n")
    return event


def _start() -> None:
    g.started = time.perf_counter()


def _line(response: Response) -> Response:
    """One line a request. The path goes in without its query, which may hold what people searched for."""
    if not request.path.startswith(_QUIET):
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            ms=round((time.perf_counter() - g.get("started", time.perf_counter())) * 1000, 1),
            endpoint=request.endpoint,
        )
    return response
