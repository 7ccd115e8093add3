"""What the stock room refuses."""

from __future__ import annotations

from app.kernel.errors import Conflict


class StockInsufficient(Conflict):
    """Less can be sold than was asked for. Details: `lines` of {sku or variant_id, available}."""

    code = "STOCK_INSUFFICIENT"
