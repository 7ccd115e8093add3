"""Calls of no use but to the tests: each shows one side of the contract layer."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from flask import Blueprint
from msgspec import Meta, Struct
from sqlalchemy import text

from app.blueprints.api_v1.answers import Answer, Listing, Money, PageInfo, PageQuery, answer
from app.blueprints.api_v1.contract import current, endpoint
from app.blueprints.api_v1.idempotent import IdempotentRequest, once
from app.kernel.database import session
from app.kernel.errors import Conflict
from app.kernel.money import Money as KernelMoney

bp = Blueprint("probe", __name__, url_prefix="/api/v1/probe")
Quantity = Annotated[int, Meta(ge=1, le=99)]


class Line(Struct, kw_only=True, forbid_unknown_fields=True):
    sku: Annotated[str, Meta(min_length=1, max_length=40)]
    quantity: Quantity


class ProbeBody(Struct, kw_only=True, forbid_unknown_fields=True):
    points: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    lines: list[Line] = []
    note: str | None = None


class ProbeQuery(PageQuery, kw_only=True, forbid_unknown_fields=True):
    q: str | None = None
    brand: list[str] = []
    in_stock: bool = False


class Echo(Struct):
    points: int
    price: Money


@bp.get("/list")
@endpoint("List", auth="public", query=ProbeQuery, returns={200: Listing[str]}, cache=60)
def probe_list(query: ProbeQuery) -> Answer:
    items = [query.q or "", *query.brand, str(query.in_stock), str(query.size)]
    return answer(Listing(items, PageInfo(limit=query.size)))


@bp.post("/things")
@endpoint("Add", auth="customer", body=ProbeBody, returns={201: Echo})
def probe_things(body: ProbeBody) -> Answer:
    return answer(Echo(body.points, Money.of(KernelMoney(12345, "HKD"))), status=201)


@bp.post("/count/<name>")
@endpoint("Count", auth="customer", body=ProbeBody, returns={201: Echo}, idempotent=True)
def probe_count(name: str, body: ProbeBody, key: IdempotentRequest) -> Answer:
    def work() -> Answer:
        session().execute(
            text("INSERT INTO effect_done (dedupe_key, done_at) VALUES (:key, now())"),
            {"key": f"{name}:{uuid.uuid4()}"},
        )
        if body.note == "refuse":
            raise Conflict("No.", code="STOCK_INSUFFICIENT", details={"available": 1})
        if body.note == "later":
            raise Conflict("Later.", code="BUSY", retry_after=1)
        return answer(Echo(body.points, Money.of(KernelMoney(1, "HKD"))), status=201)

    return once(key, work)


@bp.get("/staff")
@endpoint("Staff", auth="staff", permission="audit.read", returns={200: None})
def probe_staff() -> Answer:
    return answer(None, message=str(current().id))


@bp.get("/wrong")
@endpoint("Wrong", auth="public", returns={200: Echo})
def probe_wrong() -> Answer:
    return answer(PageInfo(limit=1))


@bp.get("/broken")
@endpoint("Broken", auth="public", returns={200: None})
def probe_broken() -> Answer:
    session().execute(text("SELECT secret_column FROM nowhere"))
    return answer(None)


def codes(answer: Any) -> dict[str, str]:
    """{field: code} of a refusal; asserts the envelope on the way."""
    body = answer.json
    assert set(body) == {"status", "message", "data"}
    assert body["status"] == "error"
    assert body["data"]["request_id"] == answer.headers["X-Request-Id"]
    return {error["field"]: error["code"] for error in body["data"]["errors"]}
