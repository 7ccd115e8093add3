"""What the preview of the mails fills them with: one order with everything in it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from app.kernel.money import Money
from app.orders.queries import EventView, LineView, OrderView, RefundView
from app.payments.errors import DECLINE_REASONS

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def hkd(amount: int) -> Money:
    return Money(amount, "HKD")


def _order() -> OrderView:
    line = LineView(
        sku="MUG-1",
        slug="stoneware-mug",
        name="Stoneware mug, “tide” glaze",
        options=["Medium"],
        image_url=None,
        quantity=2,
        unit_price=hkd(21_000),
        total=hkd(42_000),
        points=2_000,
        points_value=hkd(20_000),
        card=hkd(25_000),
        refunded_quantity=0,
    )
    return OrderView(
        id=uuid.UUID(int=1),
        customer_id=uuid.UUID(int=2),
        number="MPC-7K3QH-20461",
        status="paid",
        payment_status="paid",
        placed_at=AT,
        updated_at=AT,
        items_total=hkd(42_000),
        shipping=hkd(3_000),
        tax=hkd(0),
        total=hkd(45_000),
        points=2_000,
        points_value=hkd(20_000),
        card_charged=hkd(25_000),
        card_due=hkd(25_000),
        points_earned=250,
        rules_version=1,
        shipping_method="standard",
        email="mei@example.test",
        address={"name": "Mei Chan", "line1": "1 Harbour Road", "city": "Hong Kong", "country": "HK"},
        failure_code=None,
        can_cancel=True,
        attempt=1,
        lines=[line],
        refunds=[
            RefundView(
                500, hkd(6_250), hkd(4_250), "done", "The handle was broken.", AT, uuid.UUID(int=1), hkd(0)
            )
        ],
        timeline=[EventView(AT, "paid", "Your payment is complete.")],
    )


def contexts(shop_url: str) -> Mapping[str, Mapping[str, Any]]:
    """Message to the context of its templates, as `jobs.letters` would give it."""
    order: dict[str, Any] = {"name": "Mei Chan", "order": _order(), "order_url": f"{shop_url}account/orders/"}
    miles_url = f"{shop_url}account/miles"
    miles: dict[str, Any] = {"name": "Mei Chan", "points": 2_000, "statement_url": miles_url}
    statement = {"name": "Mei Chan", "balance": 17_740, "statement_url": f"{shop_url}account/miles"}
    reason = DECLINE_REASONS["CARD_DECLINED"]
    return {
        "welcome": {"name": "Mei Chan"},
        "order_received": order,
        "order_paid": order | {"earn_confirmed_on": date(2026, 12, 22)},
        "order_pending": order,
        "payment_failed": order | {"reason": reason},
        "order_cancelled": order | {"points": 2_000, "card": hkd(24_000), "already": hkd(1_000)},
        "order_refunded": order
        | {"points": 500, "card": hkd(4_250), "already": hkd(2_000), "taken_back": 62}
        | {"reason": "The handle was broken."},
        "refund_elsewhere": order | {"paid": hkd(6_250), "reference": "20261122-0042"},
        "order_revived": order,
        "order_shipped": order,
        "points_adjusted": statement | {"points": -500, "reason": "Correction"},
        "points_expiring": statement | {"points": 1_200, "days": 30, "expires_on": date(2027, 3, 1)},
        "transfer_confirm": miles
        | {"recipient": "kay@example.test", "until": AT, "confirm_url": f"{miles_url}/transfers"},
        "transfer_received": miles | {"sender": "kay@example.test", "spendable_from": AT},
        "staff_alert": {
            "title": "Payment mismatch",
            "text": "Look it up at the gateway; refund it there, or accept it by hand.",
            "facts": [("Reference", "MPC-7K3QH-20461"), ("Gateway", "HK$250.01")],
            "url": f"{shop_url}admin/",
        },
    }
