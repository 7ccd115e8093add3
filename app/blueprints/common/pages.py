"""Words of every template: filters, the shop's names, and what the frame of each page shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from babel.dates import format_date
from babel.numbers import format_decimal
from flask import Flask, current_app, g, has_request_context, request
from flask_babel import gettext
from markupsafe import Markup

from app.accounts.rules import country_name
from app.blueprints.common.languages import DEFAULT, points_name, spoken, spoken_to_babel
from app.kernel.money import Money, display_amount
from app.rewards.rules import last_day

# What the frame shows when no edge has registered anything, or when the database cannot be asked.
DEFAULTS: dict[str, Any] = {"cart_count": 0, "balance": None, "categories": ()}


def register(app: Flask) -> None:
    app.extensions["page_values"] = {}
    app.jinja_env.globals.update(shop_name=app.config["SHOP_NAME"], points_name=app.config["POINTS_NAME"])
    app.jinja_env.filters.update(FILTERS)
    app.context_processor(_frame)


def page_value(app: Flask, name: str, compute: Callable[[], Any]) -> None:
    """`name` in every page template: `compute()`, once a request."""
    app.extensions["page_values"][name] = compute


def money(value: Money) -> str:
    return display_amount(value.amount, value.currency, spoken_to_babel())


def points(value: int) -> str:
    return f"{value:,}" if spoken() == DEFAULT else format_decimal(value, locale=spoken_to_babel())


def in_points(value: int) -> str:
    """`1,500 miles`."""
    return f"{points(value)} {points_name()}"


def in_unit(sentence: str) -> str:
    """A stored sentence as pages say it: code and API call the unit points, pages call it what the shop does."""
    return re.sub(r"\bpoints\b", points_name(), sentence)


def day(value: date) -> str:
    """`22 November 2026`; in other languages as Unicode's CLDR writes a long date."""
    if spoken() == DEFAULT:
        return f"{value.day} {value:%B %Y}"
    return format_date(value, "long", locale=spoken_to_babel())


def moment_text(value: datetime) -> str:
    """`22 November 2026, 09:30 UTC`."""
    if spoken() == DEFAULT:
        return f"{day(value)}, {value:%H:%M} UTC"
    return str(gettext("%(date)s, %(time)s UTC", date=day(value), time=f"{value:%H:%M}"))


def moment(value: datetime) -> Markup:
    """The same with the machine's form beside it."""
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), moment_text(value))


FILTERS: dict[str, Callable[..., Any]] = {
    "money": money,
    "points": points,
    "in_points": in_points,
    "in_unit": in_unit,
    "date": day,
    "last_day": last_day,
    "datetime": moment,
    "datetime_text": moment_text,
    "country": country_name,
}


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
