"""Rate limits by token and by address, in Redis; without Redis each process counts for itself."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import msgspec
from flask import Flask, Response, request
from limits import RateLimitItem, parse

from app.blueprints.common.errors import is_api
from app.extensions import limiter
from app.kernel import ids

# A class is one budget for all its routes together.
CLASSES = {
    "read": "600 per minute",
    "write": "120 per minute",
    "checkout": "30 per minute",
    "register": "30 per minute",
    "sign_in": "60 per minute",
}
# Sign-in counts failures, not successes (ASVS 5.0, 6.3.1): per account, and wider per address.
FAILURES_PER_ACCOUNT = "10 per 5 minutes"
FAILURES_PER_ADDRESS = "50 per 5 minutes"
_READ = parse(CLASSES["read"])


def limited(view: Callable[..., Any], name: str) -> Callable[..., Any]:
    """`view` under the budget of the class `name`."""
    view = limiter.shared_limit(CLASSES[name], scope=f"class:{name}", key_func=client_key)(view)
    if name == "sign_in":
        for budget, key in ((FAILURES_PER_ACCOUNT, _account_key), (FAILURES_PER_ADDRESS, _address_key)):
            view = limiter.shared_limit(
                budget, scope=f"failures:{budget}", key_func=key, methods=["POST"], deduct_when=_has_failed
            )(view)
    return view


def client_key() -> str:
    """Who is counted: the token, unverified (a wrong one gets its own 401s), else the address."""
    authorization = request.headers.get("Authorization", "")
    if is_api() and authorization:
        return f"token:{ids.fingerprint(authorization).hex()[:32]}"
    return _address_key()


def register(app: Flask) -> None:
    app.after_request(_tell)


def _tell(response: Response) -> Response:
    """X-RateLimit-* on every API answer and on every 429."""
    if not (is_api() or response.status_code == 429):
        return response
    limit, remaining, reset = _window()
    response.headers["X-RateLimit-Limit"] = str(limit.amount)
    response.headers["X-RateLimit-Remaining"] = str(remaining)
    response.headers["X-RateLimit-Reset"] = str(reset)
    if response.status_code == 429:
        response.headers["Retry-After"] = str(max(1, reset))
    return response


def _window() -> tuple[RateLimitItem, int, int]:
    """(limit, requests left, seconds until it starts anew) of what was counted, else of the read budget."""
    if not limiter.enabled:  # nothing is counted, so the whole budget is always left
        return _READ, _READ.amount, _READ.get_expiry()
    counted = limiter.current_limit
    item, key = (counted.limit, counted.request_args) if counted else (_READ, [client_key(), "class:read"])
    try:
        stats = limiter.limiter.get_window_stats(item, *key)
    except Exception:  # Redis went away after the count: say the whole budget rather than fail the answer
        return item, item.amount, item.get_expiry()
    reset = math.ceil(stats.reset_time - time.time())
    return item, max(0, stats.remaining), min(item.get_expiry(), max(0, reset))


def _has_failed(response: Response) -> bool:
    return response.status_code == 401


def _address_key() -> str:
    return f"address:{request.remote_addr}"


def _account_key() -> str:
    """The account that somebody tries to enter, whoever asks."""
    if is_api():
        try:
            body = msgspec.json.decode(request.get_data(cache=True))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return _address_key()
        email = body.get("email") if isinstance(body, dict) else None
    else:
        email = request.form.get("email")
    if not isinstance(email, str):
        return _address_key()
    return f"account:{ids.fingerprint(email.strip().lower().encode(errors='replace')).hex()[:32]}"
