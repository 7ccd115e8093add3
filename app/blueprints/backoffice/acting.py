"""Buttons: run one verb in one transaction, say how it went, and lose nothing that was typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from flask import Response, flash, make_response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from app.blueprints.common.errors import status_of
from app.kernel.database import run_atomically
from app.kernel.errors import Conflict, FieldError, RuleBroken, ShopError

Answer = str | BaseResponse
T = TypeVar("T")


@dataclass(frozen=True)
class Attempt:
    """What was tried on a page with several forms: `form` names the one that was sent. Ids of inputs are
    `<form>-<field>`."""

    form: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[FieldError] = ()

    def value(self, form: str, name: str, default: str = "") -> str:
        """What was typed, else `default`."""
        return self.values.get(name, default) if form == self.form else default

    def error(self, form: str, name: str) -> str | None:
        if form != self.form:
            return None
        return next((one.message for one in self.errors if one.field == name), None)

    def summary(self) -> list[dict[str, str]]:
        """For the list at the top: [{field, message}], `field` the id of the input."""
        return [
            {"field": f"{self.form}-{one.field}" if one.field in self.values else "", "message": one.message}
            for one in self.errors
        ]


NOTHING_TRIED = Attempt()


def perform(
    work: Callable[[], T],
    *,
    form: str,
    done: str | Callable[[T], str],
    back: str,
    again: Callable[[Attempt], str],
) -> Answer:
    """`carry_out` in one transaction."""
    return carry_out(lambda: run_atomically(work), form=form, done=done, back=back, again=again)


def carry_out(
    flow: Callable[[], T],
    *,
    form: str,
    done: str | Callable[[T], str],
    back: str,
    again: Callable[[Attempt], str],
) -> Answer:
    """Run a flow that opens its transactions itself: 303 to `back` with the sentence `done`, or with what it says of
    the result; refused: the page `again`, as it was filled in.

    Forbidden, NotFound and what is down are for the error pages.
    """
    try:
        result = flow()
    except (RuleBroken, Conflict) as error:
        return refused(error, form=form, again=again)
    flash(done if isinstance(done, str) else done(result), "success")
    return redirect(back, 303)


def refused(error: ShopError, *, form: str, again: Callable[[Attempt], str]) -> Response:
    errors = error.errors or (FieldError("", error.code, error.message),)
    return make_response(again(Attempt(form, request.form.to_dict(), errors)), status_of(error))


def typed(name: str) -> str:
    """A field of the form that was sent, without NULs, which PostgreSQL's text does not hold."""
    return request.form.get(name, "").replace("\x00", "").replace("\r\n", "\n").strip()
