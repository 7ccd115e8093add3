"""What narrows a list: plain fields of a GET form, so that a list can be bookmarked and needs no script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, Protocol

from sqlalchemy import Select

from app.kernel.errors import invalid

Rows = Select[*tuple[Any, ...]]
"""Any statement that selects something."""


class Filter(Protocol):
    """`kind` is how the form asks: choice, text or day. `apply` raises RuleBroken naming the field."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def kind(self) -> str: ...
    def apply(self, statement: Rows, value: str) -> Rows: ...


@dataclass(frozen=True)
class Choice:
    """One of a few values of a column; `choices`: value -> words."""

    name: str
    label: str
    column: Any
    choices: Mapping[str, str]
    kind: str = field(default="choice", init=False)

    def apply(self, statement: Rows, value: str) -> Rows:
        """Raises RuleBroken naming the field."""
        if value not in self.choices:
            raise invalid(self.name, "VALUE_INVALID", f"{self.label}: choose one from the list.")
        return statement.where(self.column == _typed(value))


@dataclass(frozen=True)
class Exactly:
    """A column's whole text."""

    name: str
    label: str
    column: Any
    kind: str = field(default="text", init=False)

    def apply(self, statement: Rows, value: str) -> Rows:
        return statement.where(self.column == value)


@dataclass(frozen=True)
class Day:
    """A first or last day, UTC, included."""

    name: str
    label: str
    column: Any
    is_last: bool = False
    kind: str = field(default="day", init=False)

    def apply(self, statement: Rows, value: str) -> Rows:
        """Raises RuleBroken naming the field."""
        moment = instant(self.name, value, time.max if self.is_last else time.min)
        return statement.where(self.column <= moment if self.is_last else self.column >= moment)


def days(column: Any) -> tuple[Day, Day]:
    return Day("from", "From", column), Day("to", "To", column, is_last=True)


def instant(name: str, value: str, of_day: time) -> datetime:
    """A day as `2026-01-31`, at `of_day` UTC. RuleBroken naming the field."""
    try:
        return datetime.combine(date.fromisoformat(value), of_day, tzinfo=UTC)
    except ValueError:
        raise invalid(name, "NOT_A_DAY", "Give the day as 2026-01-31.") from None


def _typed(value: str) -> Any:
    """Choices of a yes-or-no column are spelt `true` and `false`."""
    return {"true": True, "false": False}.get(value, value)
