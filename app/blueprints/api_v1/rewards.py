"""Balances, statement and rules."""

from __future__ import annotations

import uuid
from datetime import date, datetime, time
from typing import Literal

from flask import Blueprint
from msgspec import Struct, field

from app.blueprints.api_v1.answers import Answer, Listing, PageQuery, Points, answer, listing
from app.blueprints.api_v1.contract import current, endpoint
from app.blueprints.api_v1.moments import Moment, instant
from app.rewards import queries
from app.rewards.queries import StatementRow
from app.rewards.queries.months import list_all_expiring
from app.rewards.rules import Rules, last_day

bp = Blueprint("rewards", __name__, url_prefix="/rewards")


class Expiring(Struct):
    points: Points
    expires_on: date


class Hold(Struct):
    """Points promised to an order whose payment is not settled yet. `expires_at`: by when it usually is; they come back
    when it has failed, not at that time."""

    order_number: str
    points: Points
    expires_at: datetime


class Account(Struct):
    """Points. `available` can be spent now; `pending` waits for return windows; `owed` is paid by later earnings.

    `expiring`: all dates, `expires_on` the last day (UTC) on which the points can be spent."""

    available: Points
    held: Points
    pending: Points
    owed: Points
    lifetime_earned: Points
    tier: str
    expiring: list[Expiring]
    holds: list[Hold]


Kind = Literal["earn", "redeem", "refund", "expire", "adjust", "clawback"]


class Transaction(Struct):
    """`points` signed; `balance_after` is available and held points together."""

    id: uuid.UUID
    kind: Kind
    points: Points
    balance_after: Points
    description: str
    order_number: str | None
    created_at: datetime

    @classmethod
    def of(cls, row: StatementRow) -> Transaction:
        return cls(*(getattr(row, name) for name in cls.__struct_fields__))


class TransactionQuery(PageQuery, kw_only=True, forbid_unknown_fields=True):
    """`from` and `to` are days or instants, UTC, both included."""

    kind: Kind | None = None
    since: Moment | None = field(name="from", default=None)
    until: Moment | None = field(name="to", default=None)


class Earning(Struct):
    points_per_100_minor_units: int
    return_window_days: int
    lot_days: int | None


class RulesOut(Struct):
    """The programme's rules in force; orders keep the version that they were priced with."""

    version: int
    unit_name: str
    currency: str
    minor_units_per_100_points: int
    min_points: Points
    step: Points
    max_points_per_order: Points
    max_share_percent: int
    earn: Earning
    quote_ttl_seconds: int
    hold_ttl_seconds: int

    @classmethod
    def of(cls, rules: Rules) -> RulesOut:
        earn = Earning(*(getattr(rules.earn, name) for name in Earning.__struct_fields__))
        plain = {name: getattr(rules, name) for name in cls.__struct_fields__ if name != "earn"}
        return cls(earn=earn, **plain)


@bp.get("/account")
@endpoint("The customer's points", returns={200: Account}, auth="customer")
def show_account() -> Answer:
    customer_id = current().id
    purse = queries.get_purse(customer_id)
    expiring = [Expiring(points, last_day(at)) for points, at in list_all_expiring(customer_id)]
    holds = [Hold(row.order_number, row.points, row.expires_at) for row in queries.list_holds(customer_id)]
    return answer(
        Account(
            available=purse.spendable,
            held=purse.held,
            pending=purse.pending,
            owed=purse.owed,
            lifetime_earned=purse.lifetime_earned,
            tier=purse.tier,
            expiring=expiring,
            holds=holds,
        )
    )


@bp.get("/transactions")
@endpoint(
    "The statement, newest first",
    query=TransactionQuery,
    returns={200: Listing[Transaction]},
    auth="customer",
    errors=["CURSOR_INVALID"],
)
def list_transactions(query: TransactionQuery) -> Answer:
    page = queries.list_transactions(
        current().id,
        kind=query.kind,
        since=instant("from", query.since, time.min),
        until=instant("to", query.until, time.max),
        cursor=query.cursor,
        limit=query.size,
        with_total=query.total,
    )
    return answer(listing(page, Transaction.of))


@bp.get("/rules")
@endpoint("The rules in force", returns={200: RulesOut}, auth="public", cache=60)
def show_rules() -> Answer:
    return answer(RulesOut.of(queries.rules_in_force()))
