"""Both ends of an API request: authentication, idempotency key, body, answer, and the faults on the way."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from flask import Response, current_app, request

from sandbox.gateway.bank import Bank
from sandbox.gateway.errors import ApiError, invalid
from sandbox.gateway.payments import Answer
from sandbox.server import ABORT


def bank() -> Bank:
    found = current_app.extensions["bank"]
    assert isinstance(found, Bank)
    return found


def reply(status: int, body: Any, **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(json.dumps(body, separators=(",", ":")), status, names, content_type="application/json")


def refuse(error: ApiError) -> Response:
    return reply(error.status, error.body(), **({"Retry_After": "1"} if error.status == 429 else {}))


def abort_connection(how: str) -> Response:
    request.environ[ABORT] = how
    return Response(b"")


def guard() -> Response | None:
    settings = bank().settings
    if settings.dead == "reset":
        return abort_connection("reset")
    if settings.dead:
        raise ApiError(503, "api_error", "maintenance", "The gateway is down for maintenance.")
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), bank().key.encode()):
        raise ApiError(401, "authentication", "key_invalid", "The API key is wrong or missing.")
    if settings.tuning["latency_ms"]:
        time.sleep(settings.tuning["latency_ms"] / 1000)
    if request.method == "GET":
        fault = settings.pick_answer(f"GET {request.path}", write=False)
        if fault:
            before = strike_before(fault)
            return before if before is not None else strike_after(fault, {})
    return None


def strike_before(fault: str) -> Response | None:
    """The faults that come before anything is done; None: go on (when a delayed request has waited)."""
    if fault == "rate_limited":
        raise ApiError(429, "rate_limit", "rate_limited", "Too many requests; send the same again later.")
    if fault == "error_500":
        raise ApiError(500, "api_error", "internal_error", "Something went wrong.")
    if fault == "reset":
        return abort_connection("reset")
    if fault in ("timeout_before", "delayed"):
        time.sleep(bank().settings.tuning["timeout_seconds"])
    if fault == "timeout_before":
        if bank().settings.tuning["hang_up"]:
            return abort_connection("reset")
        raise ApiError(503, "api_error", "unavailable", "Nothing was done.")
    return None


def strike_after(fault: str, body: dict[str, Any]) -> Response | None:
    """The faults that come when all is done; None: answer as if nothing were."""
    if fault == "timeout_after":
        time.sleep(bank().settings.tuning["timeout_seconds"])
    if fault in ("timeout_after", "delayed") and bank().settings.tuning["hang_up"]:
        return abort_connection("reset")
    if fault == "error_500_after":
        raise ApiError(500, "api_error", "internal_error", "Something went wrong.")
    if fault == "reset_after":
        return abort_connection("reset")
    if fault == "truncated":
        request.environ[ABORT] = "truncate"
        return reply(200, body)
    if fault == "garbage":
        return Response("<html><body>It works!</body></html>", 200, content_type="text/html")
    return None


def money_request(
    key: str, replay: Callable[[], Answer | None], token_fault: str | None, work: Callable[[], Answer]
) -> Response:
    """Run `work` once for `key` with the faults around it; a replay has only the global ones."""
    seen = replay()
    fault = None if seen else token_fault
    if fault in (None, "plain", "hidden"):
        fault = bank().settings.pick_answer(f"{request.method} {request.path} {key}", write=True)
    if fault:
        before = strike_before(fault)
        if before is not None:
            return before
    status, body = work()
    broken = strike_after(fault, body) if fault else None
    if broken is not None:
        return broken
    return reply(status, body, **({"Idempotent_Replayed": "true"} if seen else {}))


def idempotency_key() -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        raise ApiError(400, "invalid_request", "idempotency_key_missing", "Send an Idempotency-Key header.")
    if len(key) > 255 or not all("!" <= letter <= "~" for letter in key):
        raise invalid("Idempotency-Key", "must be 1 to 255 visible ASCII characters")
    return key


def json_body() -> dict[str, Any]:
    body = request.get_json(force=True, silent=True) if request.content_length else {}
    if not isinstance(body, dict):
        raise ApiError(400, "invalid_request", "body_invalid", "Send a JSON object.")
    return body


def fingerprint(body: dict[str, Any]) -> str:
    text = json.dumps([request.path, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
