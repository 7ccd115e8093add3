"""What may go wrong below the edge. No HTTP here: the edges map kinds to pages and to JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad input: the field's name, a stable code, a sentence for people."""

    field: str
    code: str
    message: str


class ShopError(Exception):
    """A refusal with a stable UPPER_SNAKE `code`, a safe sentence, and details safe to show.

    `retry_after` (seconds) says that the same call may succeed later.
    """

    code = "ERROR"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        errors: tuple[FieldError, ...] = (),
        details: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.errors = errors
        self.details = details or {}
        self.retry_after = retry_after


class NotFound(ShopError):
    """Not there, or not yours: deliberately the same."""

    code = "NOT_FOUND"


class Conflict(ShopError):
    """The world has moved on since the caller looked."""

    code = "CONFLICT"


class RuleBroken(ShopError):
    """The input breaks a rule; nothing was changed."""

    code = "RULE_BROKEN"


class Forbidden(ShopError):
    """Known, but not allowed."""

    code = "FORBIDDEN"


class Unauthenticated(ShopError):
    """Not known."""

    code = "TOKEN_INVALID"


class Unavailable(ShopError):
    """Something that the shop depends on does not answer now."""

    code = "UNAVAILABLE"


class PaymentRefused(ShopError):
    """The card was definitely not charged."""

    code = "CARD_DECLINED"


def invalid(field: str, code: str, message: str) -> RuleBroken:
    """The common refusal: one field is wrong. Error code `VALIDATION_FAILED`, field code `code`."""
    return RuleBroken(message, code="VALIDATION_FAILED", errors=(FieldError(field, code, message),))
