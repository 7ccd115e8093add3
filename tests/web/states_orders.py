"""The states of a shopper's orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.blueprints.account.orders import ComesBack
from app.rewards.queries.earnings import OrderEarned
from tests.web import samples
from tests.web.samples import hkd
from tests.web.states_account import ORDERS
from tests.web.states_shop import Context, State


def order(status: str, **changes: Any) -> Context:
    return {
        "order": samples.order(status),
        "can_cancel": status == "paid",
        "confirm_cancel": False,
        "comes_back": None,
        "idempotency_key": "k-3",
        "earned": OrderEarned(645, 210 * (status == "refunded"), samples.NOW, False),
        "owed": {},
        "waiting": {},
    } | changes


def asked(comes_back: ComesBack) -> Callable[[], Context]:
    """Whether the order is to be cancelled."""
    return lambda: order("paid", confirm_cancel=True, comes_back=comes_back)


ORDER_PAGES: dict[str, State] = {
    "orders": (
        "pages/account/orders.html",
        lambda: {"orders": ORDERS, "prev_url": "/", "next_url": "/"},
        True,
    ),
    "orders-none": (
        "pages/account/orders.html",
        lambda: {"orders": [], "prev_url": None, "next_url": None},
        True,
    ),
    "order": ("pages/account/order.html", lambda: order("paid"), True),
    "order-disputed": (
        "pages/account/order.html",
        lambda: order("paid", earned=OrderEarned(645, 210, samples.NOW, True)),
        True,
    ),
    "order-cancel": ("pages/account/order.html", asked(ComesBack(6000, hkd(60000), hkd(4500))), True),
    "order-cancel-nothing": ("pages/account/order.html", asked(ComesBack(0, hkd(0), hkd(0))), True),
    "order-cancel-refused": (
        "pages/account/order.html",
        asked(ComesBack(0, hkd(0), hkd(0), "A bank decides.")),
        True,
    ),
    "order-refunded": (
        "pages/account/order.html",
        lambda: order("refunded", order=samples.order("refunded", refunded=True)),
        True,
    ),
    "order-refund-not-arrived": (
        "pages/account/order.html",
        lambda: order("paid", order=samples.order("paid", refunded=True), owed={6000: hkd(15000)}),
        True,
    ),
    "order-refund-waits": (
        "pages/account/order.html",
        lambda: order(
            "paid",
            order=samples.order("paid", refunded=True),
            owed={6000: hkd(15000), 21000: hkd(21000)},
            waiting={6000: True, 21000: False},
        ),
        True,
    ),
    "order-pending": ("pages/account/order.html", lambda: order("payment_pending"), True),
}
