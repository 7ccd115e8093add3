"""The one shape of every JSON answer: `status`, `message`, `data` (docs: the API contract)."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Response

from app.kernel.errors import NotFound, ShopError
from app.kernel.money import Money

JSON = "application/json"


def encode(value: Any) -> bytes:
    """JSON, UTF-8. Structs, dataclasses, UUIDs and aware datetimes are understood; Money gets its display."""
    return _encoder.encode(value)


def success(data: Any, message: str) -> bytes:
    return encode({"status": "success", "message": message, "data": data})


def failure(error: ShopError, *, request_id: str) -> bytes:
    """The error with its field errors, the request's id and its details.

    Whatever was not found, the code is one: it must not tell what exists.
    """
    data = {
        "code": NotFound.code if isinstance(error, NotFound) else error.code,
        "errors": [{"field": one.field, "code": one.code, "message": one.message} for one in error.errors],
        "request_id": request_id,
        **presentable(error.details),
    }
    return encode({"status": "error", "message": error.message, "data": data})


def json_response(body: bytes, status: int) -> Response:
    return Response(body, status=status, content_type=JSON)


def presentable(value: Any) -> Any:
    """Plain data with every Money as `{amount, currency, display}`, however deep."""
    if isinstance(value, Money):
        return {"amount": value.amount, "currency": value.currency, "display": value.display}
    if isinstance(value, dict):
        return {key: presentable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [presentable(inner) for inner in value]
    return value


_encoder = msgspec.json.Encoder()
