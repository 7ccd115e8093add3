"""What checkout refuses."""

from __future__ import annotations

from app.kernel.errors import Conflict, NotFound, RuleBroken, Unavailable


class CartEmpty(RuleBroken):
    """There is nothing to order."""

    code = "CART_EMPTY"


class QuoteNotFound(NotFound):
    """No such quote, or somebody else's."""


class QuoteExpired(Conflict):
    """Older than its time to live. Details: `quote`, a fresh one."""

    code = "QUOTE_EXPIRED"


class QuoteStale(Conflict):
    """Cart, price, rate or balance changed since. Details: `quote`, a fresh one."""

    code = "QUOTE_STALE"


class OrderNotPayable(Conflict):
    """Only an order whose payment failed can be paid again."""

    code = "ORDER_NOT_PAYABLE"


class OrderTooOld(Conflict):
    """Placed too long ago to be paid again at its prices and by its rules: its items can be ordered anew."""

    code = "ORDER_TOO_OLD"


class PointsAboveDay(RuleBroken):
    """Paid again now, an order would use more points than its customer may use in 24 hours. Details: `left`."""

    code = "POINTS_ABOVE_MAX"


class CardsUnavailable(Unavailable):
    """The card gateway does not answer; nothing was ordered, held or charged. What points pay goes on."""

    code = "CARDS_UNAVAILABLE"
