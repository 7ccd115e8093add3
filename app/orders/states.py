"""The life of an order; the database enforces the same table (migration 0002)."""

from __future__ import annotations

from app.kernel.states import StateTable

ORDER = StateTable.of(
    "order",
    starts="payment_pending paid",
    edges=(
        "payment_pending>paid payment_pending>payment_failed payment_pending>cancelled payment_pending>needs_review "
        "payment_failed>payment_pending payment_failed>paid payment_failed>cancelled payment_failed>needs_review "
        "cancelled>needs_review needs_review>refunded needs_review>paid "
        "paid>packed paid>cancelled paid>refunded paid>shipped packed>shipped packed>cancelled packed>refunded "
        "shipped>delivered shipped>refunded delivered>refunded"
    ),
)

STAFF_MOVES = frozenset({"packed", "shipped", "delivered"})
"""What staff may set by hand; every other move follows from money or points."""

SENDS = frozenset({"packed", "shipped"})
"""Those of them that goods must be left for."""

CANCELLABLE = frozenset({"payment_pending", "payment_failed", "paid", "packed"})
"""Before it ships."""

REFUNDABLE = frozenset({"paid", "packed", "shipped", "delivered"})
"""Paid, and neither cancelled nor given back already."""

PAYMENT_STATUS = {
    "payment_pending": "pending",
    "paid": "paid",
    "packed": "paid",
    "shipped": "paid",
    "delivered": "paid",
    "payment_failed": "failed",
    "cancelled": "cancelled",
    "refunded": "refunded",
    "needs_review": "review",
}
