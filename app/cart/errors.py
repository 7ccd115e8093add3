"""What a cart refuses."""

from __future__ import annotations

from app.kernel.errors import Conflict, NotFound


class SkuUnknown(NotFound):
    """No product has this sku."""


class NotEnoughStock(Conflict):
    """Details: `available`, the units that can be sold."""

    code = "STOCK_INSUFFICIENT"


class CartFull(Conflict):
    """A cart takes only so many different products."""

    code = "CART_FULL"
