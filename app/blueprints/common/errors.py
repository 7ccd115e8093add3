"""From what went wrong to what the client sees: the same code as JSON under /api/, as a page elsewhere."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, Response, g, redirect, render_template, request, url_for
from flask_limiter.errors import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from redis.exceptions import ConnectionError as RedisDown
from redis.exceptions import TimeoutError as RedisSlow
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response as BaseResponse

from app.blueprints.common import envelope
from app.blueprints.common.request_ids import request_id
from app.extensions import login_manager
from app.kernel import database
from app.kernel.errors import (
    Conflict,
    Forbidden,
    NotFound,
    PaymentRefused,
    RuleBroken,
    ShopError,
    Unauthenticated,
    Unavailable,
)

log = structlog.get_logger("shop.errors")


class BadRequest(ShopError):
    """The request itself cannot be read."""

    code = "BODY_INVALID"


class TooLarge(ShopError):
    code = "BODY_TOO_LARGE"


class NotJson(ShopError):
    code = "UNSUPPORTED_MEDIA_TYPE"


STATUS: dict[type[ShopError], int] = {
    BadRequest: 400,
    Unauthenticated: 401,
    PaymentRefused: 402,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    NotJson: 415,
    RuleBroken: 422,
    Unavailable: 503,
}
# What HTTP itself refuses, in our words: status -> (code, sentence)
HTTP_ERRORS: dict[int, tuple[str, str]] = {
    400: ("BAD_REQUEST", "The request cannot be understood."),
    401: ("TOKEN_INVALID", "Sign in first."),
    403: ("FORBIDDEN", "You are not allowed to do this."),
    404: ("NOT_FOUND", "There is nothing at this address."),
    405: ("METHOD_NOT_ALLOWED", "This address does not take this method."),
    413: ("BODY_TOO_LARGE", "The request is too large."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "The content type is not supported."),
    429: ("RATE_LIMITED", "Too many requests. Wait a moment and try again."),
}
_CONNECTION_LOST = ("08", "53", "57")  # SQLSTATE classes: connection, resources, operator intervention


def register(app: Flask) -> None:
    app.register_error_handler(ShopError, answer_shop_error)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(CSRFError, _answer_csrf)
    app.register_error_handler(RateLimitExceeded, _answer_limit)
    app.register_error_handler(SQLAlchemyError, _answer_database)
    app.register_error_handler(RedisDown, _answer_redis)
    app.register_error_handler(RedisSlow, _answer_redis)
    app.register_error_handler(Exception, _answer_bug)


def status_of(error: ShopError) -> int:
    """The HTTP status of the error's kind."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def is_api() -> bool:
    return request.path.startswith("/api/")


def answer_shop_error(error: ShopError) -> BaseResponse:
    status = status_of(error)
    if status == 401 and not is_api():
        return redirect(url_for("account.sign_in", next=request.full_path if _is_read() else None))
    response = answer(error, status)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    elif status == 503:
        response.headers["Retry-After"] = "5"
    return response


def answer(error: ShopError, status: int) -> Response:
    """JSON under /api/, a page elsewhere."""
    if is_api():
        response = envelope.json_response(envelope.failure(error, request_id=request_id()), status)
        if status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response
    return Response(_page(error, status), status=status, content_type="text/html; charset=utf-8")


def _page(error: ShopError, status: int) -> str:
    """The error page. Nothing on it asks the database, which may be what has failed."""
    g.page_without_database = True
    g._login_user = login_manager.anonymous_user()
    try:
        return render_template(
            "errors/error.html",
            status=status,
            message=error.message,
            money_note=error.details.get("money_note"),
            retry_after=error.retry_after,
            request_id=request_id(),
        )
    except Exception:
        log.exception("error page failed", status=status)
        return (
            "<!doctype html><html lang=en><meta charset=utf-8><title>Sorry, there is a problem</title>"
            f"<h1>Sorry, there is a problem with the service</h1><p>Reference: {request_id()}</p>"
            '<p><a href="/">Go to the shop</a></p></html>'
        )


def _answer_http(error: HTTPException) -> Any:
    if isinstance(error, RequestRedirect) or error.response is not None or error.code is None:
        return error
    code, message = HTTP_ERRORS.get(error.code, ("BAD_REQUEST", "The request was refused."))
    response = answer(ShopError(message, code=code), error.code)
    for name, value in error.get_headers(request.environ):
        if name in {"Allow", "Retry-After", "WWW-Authenticate"}:
            response.headers[name] = value
    return response


def _answer_csrf(error: CSRFError) -> Response:
    message = "This form is no longer valid. Go back, reload the page and try again. Nothing was changed."
    return answer(ShopError(message, code="CSRF_INVALID"), 400)


def _answer_limit(error: RateLimitExceeded) -> Response:
    code, message = HTTP_ERRORS[429]
    return answer(ShopError(message, code=code), 429)  # common.limits adds Retry-After to every 429


def _answer_database(error: SQLAlchemyError) -> BaseResponse:
    """Down or overloaded: 503. Locked for too long: try again. Anything else is a bug of ours."""
    state = database.sqlstate(error) if isinstance(error, DBAPIError) else None
    if state in database.RETRYABLE or state == database.LOCK_TIMEOUT:
        return answer_shop_error(database.busy())
    lost = isinstance(error, DBAPIError) and (error.connection_invalidated or _never_connected(error, state))
    if lost or isinstance(error, PoolTimeout) or (state or "").startswith(_CONNECTION_LOST):
        log.error("database unavailable", error=type(error).__name__, sqlstate=state)
        return answer_shop_error(_unavailable())
    return _answer_bug(error)


def _never_connected(error: DBAPIError, state: str | None) -> bool:
    return state is None and type(error.orig).__name__ in {"OperationalError", "ConnectionTimeout"}


def _answer_redis(error: Exception) -> BaseResponse:
    log.error("redis unavailable", error=type(error).__name__)
    return answer_shop_error(_unavailable())


def _unavailable() -> Unavailable:
    return Unavailable("The shop cannot answer right now. Nothing was changed. Try again in a moment.")


def _answer_bug(error: Exception) -> Response:
    log.error("unhandled error", exc_info=error, path=request.path, method=request.method)
    message = "Sorry, there is a problem with the service. Try again later."
    return answer(ShopError(message, code="INTERNAL_ERROR"), 500)


def _is_read() -> bool:
    return request.method in {"GET", "HEAD"}
