"""The shopper's points: what there is, what is promised, what expires, and every movement."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from flask import current_app, render_template, request, url_for
from flask_login import current_user, login_required

from app.blueprints.account.blueprint import bp
from app.blueprints.common.points import points_of
from app.kernel.money import Money
from app.kernel.pagination import Page
from app.rewards import queries, rules
from app.rewards.queries import StatementRow
from app.rewards.queries.earnings import list_pending
from app.rewards.queries.months import list_all_expiring

PER_PAGE = 20
KINDS = (
    ("earn", "Earned"),
    ("redeem", "Used for orders"),
    ("refund", "Returned to you"),
    ("expire", "Expired"),
    ("adjust", "Added or taken by us"),
    ("clawback", "Taken back after a refund"),
)


@dataclass(slots=True)
class Filters:
    """As typed; `errors` names the fields that cannot be understood."""

    kind: str
    since: str
    until: str
    errors: list[dict[str, str]] = field(default_factory=list)

    def moment(self, name: str, text: str, of_day: time) -> datetime | None:
        """The start or the end of a day, UTC; None where nothing was asked."""
        if not text:
            return None
        try:
            return datetime.combine(date.fromisoformat(text), of_day, tzinfo=UTC)
        except ValueError:
            self.errors.append({"field": name, "message": "Enter a date like 2026-01-31."})
            return None


@bp.get("/miles")
@login_required
def miles() -> str | tuple[str, int]:
    asked = request.args
    filters = Filters(asked.get("kind", ""), asked.get("from", "").strip(), asked.get("to", "").strip())
    page = _rows(filters)
    account = points_of(current_user.person.id)
    in_force = queries.rules_in_force()
    worth = rules.value_of(account.available, in_force)
    shown = {"kind": filters.kind, "from": filters.since, "to": filters.until}
    html = render_template(
        "pages/account/miles.html",
        account=account,
        tier=queries.get_tier_status(current_user.person.id, rules=in_force.tiers),
        balance_value=Money(worth, current_app.config["CURRENCY"]),
        transactions=page.items,
        expiring=list_all_expiring(current_user.person.id) if account.available + account.cooling else [],
        pending=list_pending(current_user.person.id) if account.pending else [],
        filters=shown,
        kinds=KINDS,
        prev_url=_url(shown, page.prev),
        next_url=_url(shown, page.next),
        errors=filters.errors,
    )
    return (html, 422) if filters.errors else html


def _rows(filters: Filters) -> Page[StatementRow]:
    """Nothing while a filter cannot be understood. Raises RuleBroken `CURSOR_INVALID`."""
    since = filters.moment("from", filters.since, time.min)
    until = filters.moment("to", filters.until, time.max)
    if filters.kind and filters.kind not in dict(KINDS):
        filters.errors.append({"field": "kind", "message": "Choose one of the kinds offered."})
    if filters.errors:
        return Page([], PER_PAGE)
    return queries.list_transactions(
        current_user.person.id,
        kind=filters.kind or None,
        since=since,
        until=until,
        cursor=request.args.get("cursor"),
        limit=PER_PAGE,
    )


def _url(shown: dict[str, str], cursor: str | None) -> str | None:
    if cursor is None:
        return None
    words: dict[str, Any] = {name: value for name, value in shown.items() if value}
    return url_for("account.miles", cursor=cursor, **words)
