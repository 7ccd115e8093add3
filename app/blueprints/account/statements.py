"""The statement of a month as page, CSV and PDF, the balance on any day, and where spent points came from."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from flask import Response, current_app, render_template, request, url_for
from flask_login import current_user, login_required

from app.blueprints.account.blueprint import bp
from app.blueprints.account.origins import origins_of
from app.blueprints.account.statement_pdf import statement_pdf
from app.kernel import clock
from app.kernel.errors import RuleBroken, invalid
from app.rewards.queries.lineage import get_movement
from app.rewards.queries.months import (
    BalanceAt,
    MonthStatement,
    get_balance_at,
    get_month,
    list_months,
    month_as_csv,
)
from app.rewards.queries.statement import StatementRow

# What a month is summed up as; transfers count as adjusted, as everywhere in the statement.
SUMS = (
    ("earn", "Earned"),
    ("redeem", "Used for orders"),
    ("refund", "Returned to you"),
    ("expire", "Expired"),
    ("adjust", "Adjusted and transferred"),
    ("clawback", "Taken back after a refund"),
)
YEARS = range(2000, 2101)


@dataclass(slots=True)
class Asked:
    """The month and the day as typed; `errors` names the fields that cannot be understood."""

    month: str
    day: str
    errors: list[dict[str, str]] = field(default_factory=list)


@bp.get("/miles/statement")
@login_required
def statement() -> str | tuple[str, int]:
    asked = Asked(request.args.get("month", "").strip(), request.args.get("day", "").strip())
    months = list_months(current_user.person.id)
    try:
        year, number = parse_month(asked.month) if asked.month else months[0]
    except RuleBroken as error:
        asked.errors.append({"field": "month", "message": error.message})
        year, number = months[0]
    shown = get_month(current_user.person.id, year=year, month=number)
    html = render_template(
        "pages/account/statement.html",
        month=shown,
        key=f"{year:04}-{number:02}",
        months=_choices(months, (year, number)),
        sums=sums_of(shown),
        day=asked.day,
        on_day=_balance_on(asked),
        errors=asked.errors,
    )
    return (html, 422) if asked.errors else html


@bp.get("/miles/statement.csv")
@login_required
def statement_csv() -> Response:
    """Raises RuleBroken for a month that is none."""
    month, key = _asked_month()
    return _file(
        month_as_csv(month, link=link_of).encode(), "text/csv; charset=utf-8", f"statement-{key}.csv"
    )


@bp.get("/miles/statement.pdf")
@login_required
def statement_as_pdf() -> Response:
    """Raises RuleBroken for a month that is none."""
    month, key = _asked_month()
    drawn = statement_pdf(
        month,
        sums=sums_of(month),
        person=current_user.person,
        shop=current_app.config["SHOP_NAME"],
        unit=current_app.config["POINTS_NAME"],
        link=link_of,
    )
    return _file(drawn, "application/pdf", f"statement-{key}.pdf")


@bp.get("/miles/movements/<uuid:tx_id>")
@login_required
def movement(tx_id: uuid.UUID) -> str:
    row = get_movement(current_user.person.id, tx_id)
    currency = current_app.config["CURRENCY"]
    origins = origins_of(tx_id, customer_id=current_user.person.id, currency=currency)
    return render_template("pages/account/movement.html", row=row, origins=origins)


def parse_month(text: str) -> tuple[int, int]:
    """`2026-11` as (2026, 11). RuleBroken naming `month`."""
    year, _, month = text.partition("-")
    is_one = len(year) == 4 and len(month) == 2 and (year + month).isascii() and (year + month).isdigit()
    if not is_one or int(year) not in YEARS or not 1 <= int(month) <= 12:
        raise invalid("month", "NOT_A_MONTH", "Give the month as 2026-01.")
    return int(year), int(month)


def sums_of(month: MonthStatement) -> Mapping[str, int]:
    """Words -> signed points of the month."""
    totals = month.totals
    return {words: totals.get(kind, 0) for kind, words in SUMS}


def link_of(row: StatementRow) -> str:
    """The order that moved the points, or the movement itself, as an address to open from a file."""
    if row.order_number:
        path = url_for("account.order", number=row.order_number)
    else:
        path = url_for("account.movement", tx_id=row.id)
    return f"{current_app.config['BASE_URL']}{path}"


def _asked_month() -> tuple[MonthStatement, str]:
    text = request.args.get("month", "").strip()
    year, number = parse_month(text) if text else (clock.now().year, clock.now().month)
    return get_month(current_user.person.id, year=year, month=number), f"{year:04}-{number:02}"


def _choices(months: list[tuple[int, int]], shown: tuple[int, int]) -> list[tuple[str, str]]:
    """[(2026-11, November 2026)], newest first, the one that is shown among them."""
    listed = sorted({*months, shown}, reverse=True)
    return [(f"{year:04}-{month:02}", f"{date(year, month, 1):%B %Y}") for year, month in listed]


def _balance_on(asked: Asked) -> BalanceAt | None:
    """At the end of the day, UTC."""
    if not asked.day:
        return None
    try:
        day = date.fromisoformat(asked.day)
        if day.year not in YEARS:
            raise ValueError(asked.day)
    except ValueError:
        asked.errors.append({"field": "day", "message": "Enter a date like 2026-01-31."})
        return None
    until = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    return get_balance_at(current_user.person.id, until)


def _file(content: bytes, content_type: str, name: str) -> Response:
    response = Response(content, content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
