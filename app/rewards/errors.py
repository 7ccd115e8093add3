"""What the rewards room refuses."""

from __future__ import annotations

from app.kernel.errors import Conflict, NotFound


class PointsInsufficient(Conflict):
    """The spendable balance is smaller than what was asked for. Details: `available`."""

    code = "POINTS_INSUFFICIENT"


class AlreadyPosted(Conflict):
    """This effect is in the ledger already: the same idempotency key was posted before."""

    code = "ALREADY_POSTED"


class HoldNotFound(NotFound):
    """The order has no live hold."""

    code = "HOLD_NOT_FOUND"
