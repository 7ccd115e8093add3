"""Keyset pages with opaque cursors. A cursor remembers which filters it was made for."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from app.kernel.errors import FieldError, RuleBroken

T = TypeVar("T")
Row = TypeVar("Row")
Shown = TypeVar("Shown")
DEFAULT_LIMIT = 24
MAX_LIMIT = 100
MAX_TOTAL = 10_000


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`items` in display order; `next`/`prev` are cursors or None."""

    items: Sequence[T]
    limit: int
    next: str | None = None
    prev: str | None = None
    total: int | None = None
    total_is_lower_bound: bool = False

    def showing(self, present: Callable[[T], Shown]) -> Page[Shown]:
        """The same page with every item presented."""
        items = [present(item) for item in self.items]
        return Page(items, self.limit, self.next, self.prev, self.total, self.total_is_lower_bound)


def page_of(
    rows: Sequence[Row],
    *,
    limit: int,
    key: Callable[[Row], Sequence[Any]],
    filters: Any,
    backwards: bool,
    first: bool,
    total: int | None = None,
) -> Page[Row]:
    """Cut `rows`, fetched as limit + 1 in reading direction, into a page in display order.

    `first`: no cursor was given. `total` is the count up to MAX_TOTAL + 1, where it was asked for.
    """
    more, kept = len(rows) > limit, list(rows[:limit])
    if backwards:
        kept.reverse()
    has_next, has_prev = (True, more) if backwards else (more, not first)
    return Page(
        items=kept,
        limit=limit,
        next=encode_cursor(key(kept[-1]), filters=filters) if kept and has_next else None,
        prev=encode_cursor(key(kept[0]), filters=filters, backwards=True) if kept and has_prev else None,
        total=None if total is None else min(total, MAX_TOTAL),
        total_is_lower_bound=total is not None and total > MAX_TOTAL,
    )


def page_of_whole(
    items: Sequence[Row],
    *,
    key: Callable[[Row], list[str | int]],
    width: int,
    name: str,
    cursor: str | None,
    limit: int,
    with_total: bool,
    descending: bool = False,
) -> Page[Row]:
    """A page of a short list that is there as a whole, in the order of `key`, which has `width` parts.

    `name` tells the cursors of one list from another's. Raises RuleBroken `CURSOR_INVALID`.
    """
    rows = sorted(items, key=key, reverse=descending)
    backwards = False
    if cursor is not None:
        boundary, backwards = decode_cursor(cursor, filters=name, width=width)
        try:
            less = descending != backwards
            rows = [row for row in rows if (key(row) < boundary if less else key(row) > boundary)]
        except TypeError:
            raise bad_cursor() from None
        if backwards:
            rows.reverse()
    return page_of(
        rows,
        limit=limit,
        key=key,
        filters=name,
        backwards=backwards,
        first=cursor is None,
        total=len(items) if with_total else None,
    )


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
    """(key, backwards). RuleBroken `CURSOR_INVALID` when it is not ours or was made for other filters.

    It is signed by nobody, so a key may be anything that the database can hold: `moment_in`, `id_in` and
    `number_in` are for what it has to mean.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key, digest, backwards = json.loads(raw)
    except (ValueError, TypeError, RecursionError):
        raise bad_cursor() from None
    fits = isinstance(key, list) and len(key) == width and all(_is_storable(part) for part in key)
    if not fits or digest != filters_digest(filters) or backwards not in (0, 1):
        raise bad_cursor()
    return key, bool(backwards)


def moment_in(part: Any) -> datetime:
    """The part of a cursor's key that is a moment, in UTC. Raises RuleBroken `CURSOR_INVALID`."""
    try:
        moment = datetime.fromisoformat(str(part))
        if moment.tzinfo is None:
            raise bad_cursor()
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise bad_cursor() from None


def id_in(part: Any) -> uuid.UUID:
    """The part of a cursor's key that is an id. Raises RuleBroken `CURSOR_INVALID`."""
    try:
        return uuid.UUID(str(part))
    except ValueError:
        raise bad_cursor() from None


def number_in(part: Any) -> int:
    """The part of a cursor's key that is a number. Raises RuleBroken `CURSOR_INVALID`."""
    if not isinstance(part, int):
        raise bad_cursor()
    return part


def bad_cursor() -> RuleBroken:
    """The refusal of a cursor that is not ours."""
    message = "This page link is not valid for these filters. Start again from the first page."
    return RuleBroken(
        message, code="CURSOR_INVALID", errors=(FieldError("cursor", "CURSOR_INVALID", message),)
    )


def _is_storable(part: Any) -> bool:
    """A bigint, or a text that PostgreSQL holds: no NUL, no half of a surrogate pair."""
    if isinstance(part, str):
        return not any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in part)
    return isinstance(part, int) and not isinstance(part, bool) and -(2**63) <= part < 2**63
