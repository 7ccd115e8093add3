"""What the API refuses, with the HTTP status that says so."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A refusal: nothing was changed. `payment` is shown where the caller needs the truth to go on."""

    def __init__(
        self, status: int, kind: str, code: str, message: str, payment: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.code, self.message, self.payment = status, kind, code, message, payment

    def body(self) -> dict[str, Any]:
        error = {"error": {"type": self.kind, "code": self.code, "message": self.message}}
        return error if self.payment is None else {**error, "payment": self.payment}


def invalid(field: str, message: str) -> ApiError:
    return ApiError(400, "invalid_request", "parameter_invalid", f"{field}: {message}")


def not_found(what: str) -> ApiError:
    return ApiError(404, "not_found", "not_found", f"There is no such {what}.")


def conflict(code: str, message: str, payment: dict[str, Any] | None = None) -> ApiError:
    return ApiError(409, "conflict", code, message, payment)
