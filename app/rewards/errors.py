"""What the rewards room refuses."""

from __future__ import annotations

from app.kernel.errors import Conflict, Forbidden, NotFound, RuleBroken


class PointsInsufficient(Conflict):
    """The spendable balance is smaller than what was asked for. Details: `available`."""

    code = "POINTS_INSUFFICIENT"


class AlreadyPosted(Conflict):
    """This effect is in the ledger already: the same idempotency key was posted before."""

    code = "ALREADY_POSTED"


class HoldNotFound(NotFound):
    """The order has no live hold."""

    code = "HOLD_NOT_FOUND"


class AdjustmentNotFound(NotFound):
    """No adjustment, or no file of adjustments, has this id."""

    code = "ADJUSTMENT_NOT_FOUND"


class AdjustmentDuplicate(Conflict):
    """The same adjustment waits for approval already, or the same file was booked before."""

    code = "ADJUSTMENT_DUPLICATE"


class SelfApproval(Forbidden):
    """Who asked, and who would receive, never decides."""

    code = "SELF_APPROVAL"


class BelowZero(RuleBroken):
    """The customer has fewer points than an adjustment would take. Details: `available`."""

    code = "POINTS_INSUFFICIENT"


class PointsOwed(Conflict):
    """A member with a debt sends nobody points."""

    code = "POINTS_OWED"


class TransferNotFound(NotFound):
    """No transfer has this id, or it is somebody else's."""

    code = "TRANSFER_NOT_FOUND"


class TransferPending(Conflict):
    """The sender has a transfer that waits for its confirmation."""

    code = "TRANSFER_PENDING"


class RulesVersionNotFound(NotFound):
    """No such version of the rules."""

    code = "RULES_VERSION_NOT_FOUND"
