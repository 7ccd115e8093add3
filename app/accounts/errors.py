"""What may go wrong with people and their credentials."""

from __future__ import annotations

from app.kernel.errors import Conflict, FieldError, Unauthenticated


def email_in_use() -> Conflict:
    message = "This e-mail address already has an account. Sign in instead."
    return Conflict(message, code="EMAIL_IN_USE", errors=(FieldError("email", "EMAIL_IN_USE", message),))


def credentials_invalid() -> Unauthenticated:
    """One answer for an unknown address, a wrong password and a deactivated account."""
    return Unauthenticated("The e-mail address or the password is wrong.", code="CREDENTIALS_INVALID")


def token_invalid() -> Unauthenticated:
    return Unauthenticated("The token is missing or not valid. Sign in again.", code="TOKEN_INVALID")


def token_expired() -> Unauthenticated:
    return Unauthenticated("The token has expired. Refresh it or sign in again.", code="TOKEN_EXPIRED")
