"""Words of every template: filters, the shop's names, and what the frame of each page shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from flask import Flask, current_app, g, has_request_context, request
from markupsafe import Markup

from app.accounts.rules import country_name
from app.kernel.money import Money

# What the frame shows when no edge has registered anything, or when the database cannot be asked.
DEFAULTS: dict[str, Any] = {"cart_count": 0, "balance": None, "categories": ()}


def register(app: Flask) -> None:
    app.extensions["page_values"] = {}
    app.jinja_env.globals.update(shop_name=app.config["SHOP_NAME"], points_name=app.config["POINTS_NAME"])
    app.jinja_env.filters.update(money=money, points=points, date=day, datetime=moment, country=country_name)
    app.context_processor(_frame)


def page_value(app: Flask, name: str, compute: Callable[[], Any]) -> None:
    """`name` in every page template: `compute()`, once a request."""
    app.extensions["page_values"][name] = compute


def money(value: Money) -> str:
    return value.display


def points(value: int) -> str:
    return f"{value:,}"


def day(value: date) -> str:
    """`22 November 2026`."""
    return f"{value.day} {value:%B %Y}"


def moment(value: datetime) -> Markup:
    """`22 November 2026, 09:30`, in UTC, with the machine's form beside it."""
    return Markup('<time datetime="{}">{}</time>').format(
        value.isoformat(), f"{value.day} {value:%B %Y, %H:%M} UTC"
    )


def _frame() -> dict[str, Any]:
    """Nothing for mails and for the back office, which have another frame."""
    if not has_request_context() or request.path.startswith(("/admin", "/api/")):
        return {}
    if g.get("page_without_database"):
        return dict(DEFAULTS)
    if "page_frame" not in g:
        values = current_app.extensions["page_values"]
        g.page_frame = {**DEFAULTS, **{name: compute() for name, compute in values.items()}}
    return dict(g.page_frame)
