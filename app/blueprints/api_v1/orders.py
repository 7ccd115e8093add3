"""A customer's orders."""

from __future__ import annotations

from flask import Blueprint

from app.blueprints.api_v1.answers import Answer, Listing, PageQuery, answer, listing
from app.blueprints.api_v1.contract import current, endpoint
from app.blueprints.api_v1.order_shapes import Order
from app.orders import queries

bp = Blueprint("orders", __name__, url_prefix="/orders")


@bp.get("")
@endpoint(
    "The customer's orders, newest first", query=PageQuery, returns={200: Listing[Order]}, auth="customer"
)
def list_orders(query: PageQuery) -> Answer:
    page = queries.list_orders(current().id, cursor=query.cursor, limit=query.size, with_total=query.total)
    return answer(listing(page, Order.of))


@bp.get("/<number>")
@endpoint("One order", returns={200: Order}, auth="customer")
def show_order(number: str) -> Answer:
    return answer(Order.of(queries.get_order_view(number, customer_id=current().id)))
