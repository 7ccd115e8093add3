"""Why a catalogue file is refused: every problem names file, line and column."""

from __future__ import annotations

from dataclasses import dataclass

from app.kernel.errors import FieldError, RuleBroken


@dataclass(frozen=True, slots=True)
class Problem:
    """`line` counts from 1 and is where the row begins; `column` is the header's name, or None for the row."""

    file: str
    line: int
    column: str | None
    message: str

    def __str__(self) -> str:
        place = f'{self.file}, line {self.line}, column "{self.column}"' if self.column else ""
        return f"{place or f'{self.file}, line {self.line}'}: {self.message}"


class ImportRefused(RuleBroken):
    """Nothing of the file was imported. `count` may be more than the `problems` that were kept."""

    code = "IMPORT_REFUSED"

    def __init__(self, problems: list[Problem], count: int) -> None:
        errors = tuple(FieldError(p.column or "row", "INVALID", str(p)) for p in problems)
        super().__init__(f"The file was not imported: {count} bad rows.", errors=errors)
        self.problems = problems
        self.count = count
