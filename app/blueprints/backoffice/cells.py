"""How values look in lists and details: escaped, in words, with the machine's form where it helps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import url_for
from markupsafe import Markup

from app.kernel.clock import now
from app.kernel.money import display_amount

Cell = Callable[[Any], Any]
NOTHING = "–"
# state -> kind of badge; what is not here is neutral
KINDS = {
    **dict.fromkeys(("paid", "packed", "shipped", "delivered", "captured", "applied", "succeeded"), "good"),
    **dict.fromkeys(
        ("processed", "auto_fixed", "resolved", "done", "in_stock", "published", "active", "won"), "good"
    ),
    **dict.fromkeys(
        ("payment_pending", "needs_review", "awaiting_approval", "unknown", "submitting"), "warn"
    ),
    **dict.fromkeys(("requires_action", "authorized", "open", "low_stock", "running", "queued"), "warn"),
    **dict.fromkeys(("payment_failed", "declined", "rejected", "dead", "failed", "stuck", "late"), "bad"),
    **dict.fromkeys(("sold_out", "deactivated", "lost"), "bad"),
}


def words(state: str) -> str:
    """`awaiting_approval` as `Awaiting approval`."""
    return state.replace("_", " ").capitalize()


def badge(state: str) -> Markup:
    kind = KINDS.get(state)
    return Markup('<span class="badge{}">{}</span>').format(f" badge--{kind}" if kind else "", words(state))


def link(text: Any, endpoint: str, **values: Any) -> Markup:
    return Markup('<a href="{}">{}</a>').format(url_for(endpoint, **values), text)


def order_link(number: str) -> Markup:
    """Never broken in the middle of the number."""
    url = url_for("admin_orders.show", number=number)
    return Markup('<a class="order-number" href="{}">{}</a>').format(url, number)


def breakable(name: str) -> Markup:
    """A machine's name such as `points.adjustment_approved`: broken between its words when there is no room,
    never within one."""
    parts = re.findall(r"[^._:]+[._:]*|[._:]+", name)
    return Markup('<span class="words">{}</span>').format(Markup("<wbr>").join(parts))


def amount(value: int | None, currency: str) -> str:
    return NOTHING if value is None else display_amount(value, currency)


def points(value: int) -> str:
    return f"{value:,}"


def signed(value: int) -> str:
    """With a true minus."""
    return f"+{value:,}" if value > 0 else f"{value:,}".replace("-", "−")


def moment(value: datetime | None) -> Markup | str:
    """`22 Nov 2026, 09:30`, UTC."""
    if value is None:
        return NOTHING
    shown = f"{value.day} {value:%b %Y, %H:%M}"
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), shown)


def ago(value: datetime | None) -> str:
    """`3 h`, the age of something that waits."""
    if value is None:
        return NOTHING
    seconds = int((now() - value).total_seconds())
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{max(0, seconds)} s"


def plain(value: Any) -> str:
    """A value out of JSON, as text."""
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def differences(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Field by field: {field, before, after, is_changed}, texts or None where a side has no such field."""
    left, right = before or {}, after or {}
    names = [*left, *(name for name in right if name not in left)]
    return [
        {
            "field": name,
            "before": plain(left[name]) if name in left else None,
            "after": plain(right[name]) if name in right else None,
            "is_changed": left.get(name) != right.get(name) or (name in left) != (name in right),
        }
        for name in names
    ]
