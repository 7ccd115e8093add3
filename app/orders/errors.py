"""What the orders room refuses."""

from __future__ import annotations

from app.kernel.errors import Conflict, NotFound


class OrderNotFound(NotFound):
    """No such order, or somebody else's."""


class OrderNotCancellable(Conflict):
    """It has shipped, or has already ended."""

    code = "ORDER_NOT_CANCELLABLE"


class NothingToSend(Conflict):
    """Everything in it has been given back, even if the money is still on its way."""

    code = "NOTHING_TO_SEND"
