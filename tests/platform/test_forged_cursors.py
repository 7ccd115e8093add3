"""A cursor is signed by nobody: whatever stands in one is refused, or harmless, in every list that takes one."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from flask import Flask

from app.accounts.queries import list_customers
from app.audit.reading import Wanted, list_entries
from app.catalogue.queries.filters import Filters
from app.catalogue.queries.products import list_products
from app.kernel import pagination
from app.kernel.errors import RuleBroken
from app.kernel.pagination import encode_cursor
from app.orders.queries import list_orders
from app.orders.staff_queries import list_for_staff
from app.payments.failures import list_failures
from app.payments.queries import list_issues, list_payments
from app.rewards.queries import list_transactions
from app.rewards.queries.adjustments import list_adjustments, list_batches
from tests.web.desk import Desk, caller

WHO = uuid.UUID("01a20565-7e22-7e68-a695-7daf02e5dce1")
MOMENT = "2026-01-31T12:00:00+00:00"
SORTS = {"newest": MOMENT, "price": 5, "-price": 5, "name": "Bag"}
STATEMENT = {"customer": str(WHO), "kind": None, "since": None, "until": None}
ADJUSTMENTS = dict.fromkeys(("state", "customer_id", "requested_by", "batch_id")) | {
    "of": "points_adjustment"
}
BATCHES = {"state": None, "of": "points_adjustment_batch"}
STAFF_ORDERS = {"orders": "all", "status": None, "q": None}
# name -> (the list, what its cursors are made for, a key as its own cursors have it)
LISTS: dict[str, tuple[Callable[..., Any], Any, list[Any]]] = {
    "customers": (list_customers, {"customers": ""}, [str(WHO)]),
    "audit": (
        lambda **page: list_entries(Wanted(), **page),
        {field.name: None for field in fields(Wanted)},
        [str(WHO)],
    ),
    "orders": (lambda **page: list_orders(WHO, **page), {"customer": str(WHO)}, [MOMENT, str(WHO)]),
    "staff orders": (list_for_staff, STAFF_ORDERS, [MOMENT, str(WHO)]),
    "failures": (list_failures, ["failures", None], [MOMENT, str(WHO)]),
    "payments": (lambda **page: list_payments(state=None, **page), ["payments", None], [MOMENT, str(WHO)]),
    "issues": (list_issues, "issues", [MOMENT, "orphan_payment", "pay_1"]),
    "statement": (lambda **page: list_transactions(WHO, **page), STATEMENT, [5]),
    "adjustments": (list_adjustments, ADJUSTMENTS, [str(WHO)]),
    "batches": (list_batches, BATCHES, [str(WHO)]),
} | {
    f"products by {sort}": (
        lambda *, sort=sort, **page: list_products(Filters(), sort=sort, **page),
        {"sort": sort, **Filters().as_json()},
        [key, str(WHO)],
    )
    for sort, key in SORTS.items()
}
ODD_MOMENT, ODD_ID = "2026-01-31T12:00:00+00:00:00.5", "{01a20565-7e22-7e68-a695-7daf02e5dce1}"
KINDS: dict[Any, list[Any]] = {MOMENT: [ODD_MOMENT], str(WHO): [ODD_ID, str(WHO)]}  # all others are texts
UNSTORABLE: list[Any] = ["a\0b", "\ud800", 2**63, -(2**63) - 1, 10**400]
FORGED: list[Any] = [
    *UNSTORABLE, "abc", "", "0", "9" * 20, "١٢", 0, -5, 5, 2**63 - 1, True, None, 1.5, [], {},
    "2026-01-31", "2026-01-31T12:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
    ODD_MOMENT, ODD_ID, str(WHO),
]  # fmt: skip


@pytest.mark.usefixtures("app_context")
@pytest.mark.parametrize("name", LISTS)
def test_every_list_refuses_or_bears_it(name: str) -> None:
    ask, filters, own = LISTS[name]
    for backwards in (False, True):
        ask(
            cursor=encode_cursor(own, filters=filters, backwards=backwards), limit=5
        )  # this is how they are made
        for part in range(len(own)):
            for value in FORGED:
                key = [*own[:part], value, *own[part + 1 :]]
                forged = encode_cursor(key, filters=filters, backwards=backwards)
                if not _fits(own[part], value):
                    with pytest.raises(RuleBroken) as refused:
                        ask(cursor=forged, limit=5)
                    assert refused.value.code == "CURSOR_INVALID", (part, value)
                else:
                    ask(cursor=forged, limit=5)


def _fits(own: Any, value: Any) -> bool:
    """Whether `value` is something of the kind that stands there in a cursor of ours."""
    if isinstance(value, bool) or not isinstance(value, int | str) or value in UNSTORABLE:
        return False
    if isinstance(own, int):
        return isinstance(value, int)
    return value in KINDS.get(own, FORGED)


@pytest.mark.parametrize(
    "text",
    ["5", "null", '"abc"', "[1,2]", "{}", "[" * 3000, "9" * 5000, '[["x"],"x",[]]', "\xff", '[[5],"x",0]'],
)
def test_what_is_no_cursor(text: str) -> None:
    cursor = base64.urlsafe_b64encode(text.encode("latin-1")).decode().rstrip("=")
    with pytest.raises(RuleBroken) as refused:
        pagination.decode_cursor(cursor, filters="x", width=1)
    assert refused.value.code == "CURSOR_INVALID"


@pytest.mark.parametrize("cursor", ["é", "*", "a" * 5, "\0"])
def test_what_is_no_base64(cursor: str) -> None:
    with pytest.raises(RuleBroken) as refused:
        pagination.decode_cursor(cursor, filters="x", width=1)
    assert refused.value.code == "CURSOR_INVALID"


def test_a_shopper_gets_no_error_of_the_server(app: Flask) -> None:
    client, page = caller(app, "customer"), Desk(app, "customer")
    calls: list[tuple[Callable[[str], Any], str, dict[str, Any], list[Any]]] = [
        (lambda path: client.call("GET", path), "/rewards/transactions", STATEMENT | _of(client.id), ["abc"]),
        (lambda path: client.call("GET", path), "/orders", _of(client.id), ["x", "y"]),
        (page.get, "/account/miles", STATEMENT | _of(page.id), ["9" * 20]),
        (page.get, "/account/orders", _of(page.id), ["x", "y"]),
    ]
    for get, path, filters, forged in calls:
        own = [5] if len(forged) == 1 else [MOMENT, str(WHO)]
        assert get(f"{path}?cursor={encode_cursor(own, filters=filters)}").status_code == 200
        answer = get(f"{path}?cursor={encode_cursor(forged, filters=filters)}")
        assert answer.status_code == 422, (path, answer.text)


def _of(customer_id: uuid.UUID) -> dict[str, Any]:
    return {"customer": str(customer_id)}
