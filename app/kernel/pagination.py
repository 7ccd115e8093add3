"""Keyset pages with opaque cursors. A cursor remembers which filters it was made for."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from app.kernel.errors import FieldError, RuleBroken

T = TypeVar("T")
DEFAULT_LIMIT = 24
MAX_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`items` in display order; `next`/`prev` are cursors or None."""

    items: Sequence[T]
    limit: int
    next: str | None = None
    prev: str | None = None
    total: int | None = None
    total_is_lower_bound: bool = False


def filters_digest(filters: Any) -> str:
    """A short stable digest of JSON-able filters."""
    text = json.dumps(filters, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def encode_cursor(key: Sequence[Any], *, filters: Any, backwards: bool = False) -> str:
    """`key` is the sort key of the boundary row: JSON-able scalars, the last one unique."""
    body = [list(key), filters_digest(filters), int(backwards)]
    raw = json.dumps(body, separators=(",", ":"), default=str).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_cursor(cursor: str, *, filters: Any, width: int) -> tuple[list[Any], bool]:
    """(key, backwards). RuleBroken `CURSOR_INVALID` when it is not ours or was made for other filters."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key, digest, backwards = json.loads(raw)
    except (ValueError, binascii.Error, UnicodeDecodeError):
        raise bad_cursor() from None
    scalars = isinstance(key, list) and all(isinstance(k, str | int) and not isinstance(k, bool) for k in key)
    if not scalars or len(key) != width or digest != filters_digest(filters) or backwards not in (0, 1):
        raise bad_cursor()
    return key, bool(backwards)


def bad_cursor() -> RuleBroken:
    """The refusal of a cursor that is not ours."""
    message = "This page link is not valid for these filters. Start again from the first page."
    return RuleBroken(
        message, code="CURSOR_INVALID", errors=(FieldError("cursor", "CURSOR_INVALID", message),)
    )
