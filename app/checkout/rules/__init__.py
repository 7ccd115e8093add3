"""What an order costs and how points and card share it: computed once, the same for pages, API and re-check."""

from app.checkout.rules.clawback import Earned, Left, first_order_bonus, unearned, with_clawback
from app.checkout.rules.quoting import (
    SHIPPING_METHODS,
    Basis,
    Item,
    Quote,
    QuoteLine,
    ShippingMethod,
    Terms,
    compute,
    cost_items,
    earned_all_by_card,
    shipping_method,
)
from app.checkout.rules.tenders import Tendered, TenderLine, limits_of, tender

__all__ = [
    "SHIPPING_METHODS",
    "Basis",
    "Earned",
    "Item",
    "Left",
    "Quote",
    "QuoteLine",
    "ShippingMethod",
    "TenderLine",
    "Tendered",
    "Terms",
    "compute",
    "cost_items",
    "earned_all_by_card",
    "first_order_bonus",
    "limits_of",
    "shipping_method",
    "tender",
    "unearned",
    "with_clawback",
]
