"""The CSV file of adjustments: reading it and writing its result. Computes, never fetches.

Columns: `customer` (e-mail address or id), `points` (signed), `reason_code`, `note`, optionally `expires_at`
(ISO 8601; a date alone means the end of that day, UTC).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from app.kernel.errors import RuleBroken, invalid
from app.rewards.policies import AdjustmentRules, check_adjustment

REQUIRED = ("customer", "points", "reason_code", "note")
OPTIONAL = ("expires_at",)
RESULT = ("row", "customer", "points", "before", "after", "result", "adjustment_id")
MAX_ROWS = 1_000
MAX_BYTES = 1_000_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row; `problem` says what is wrong with it. `line` counts from 2, the header being 1."""

    line: int
    customer: str
    points: int
    reason_code: str
    note: str
    expires_at: datetime | None
    problem: str | None = None


def read(content: bytes, *, now: datetime, rules: AdjustmentRules) -> list[FileRow]:
    """Every row, with its problem if it has one. RuleBroken naming `file` when it cannot be read at all."""
    if len(content) > MAX_BYTES:
        raise invalid("file", "FILE_TOO_LARGE", f"The file is larger than {MAX_BYTES:,} bytes.")
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = tuple(name.strip().lower() for name in reader.fieldnames or ())
        reader.fieldnames = header
        _check_header(header)
        rows = [_row(reader.line_num, row, now, rules) for row in reader if any(row.values())]
    except UnicodeDecodeError as error:
        text = "This file is not in UTF-8. Save it again as CSV in UTF-8."
        raise invalid("file", "FILE_UNREADABLE", text) from error
    except csv.Error as error:
        raise invalid("file", "FILE_UNREADABLE", f"This is not a CSV file: {error}.") from error
    if not 1 <= len(rows) <= MAX_ROWS:
        raise invalid("file", "FILE_ROWS", f"A file has 1 to {MAX_ROWS:,} rows; this one has {len(rows):,}.")
    return rows


def write_result(rows: Iterable[Sequence[object]]) -> str:
    """The result as CSV (RFC 4180), a row per row of the file, in the order of `RESULT`."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(RESULT)
    writer.writerows([_safe(value) for value in row] for row in rows)
    return stream.getvalue()


def _check_header(header: tuple[str, ...]) -> None:
    missing = [name for name in REQUIRED if name not in header]
    unknown = [name for name in header if name not in REQUIRED + OPTIONAL]
    if missing or unknown or len(set(header)) != len(header):
        expected = ", ".join((*REQUIRED, *OPTIONAL))
        found = ", ".join(header) or "nothing"
        raise invalid(
            "file", "FILE_HEADER", f"The first line must name the columns {expected}; found: {found}."
        )


def _row(
    line: int, row: dict[str | None, str | list[str] | None], now: datetime, rules: AdjustmentRules
) -> FileRow:
    written = {name: str(row.get(name) or "").strip() for name in (*REQUIRED, *OPTIONAL)}
    values = {name: text.replace("\0", "") for name, text in written.items()}
    points, expires_at, problem = 0, None, None
    try:
        if values != written:
            raise ValueError("the row has a character that is none (NUL)")
        if None in row or None in row.values():
            raise ValueError("the row has more or fewer columns than the header")
        points = _points(values["points"])
        expires_at = _instant(values["expires_at"])
        check_adjustment(
            points=points,
            reason_code=values["reason_code"],
            note=values["note"],
            expire_at=expires_at,
            now=now,
            rules=rules,
        )
    except RuleBroken as refusal:
        problem = refusal.message
    except ValueError as error:
        problem = f"{str(error)[:1].upper()}{str(error)[1:]}."
    customer = values["customer"].lower()
    return FileRow(line, customer, points, values["reason_code"], values["note"], expires_at, problem)


def _points(text: str) -> int:
    digits = text.removeprefix("-").removeprefix("+") if text[:2] not in {"-+", "+-"} else ""
    if not digits.isascii() or not digits.isdigit() or len(digits) > 12:
        raise ValueError(f"points are a whole number such as 500 or -500, not {text[:20]!r}")
    return int(text)


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        if len(text) <= 10:
            return datetime.combine(at.date() + timedelta(days=1), time(), UTC)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"the expiry is a date such as 2027-12-31, not {text[:30]!r}") from None


def _safe(value: object) -> object:
    """Text that a spreadsheet would run as a formula gets a quote in front (ASVS 5.0, 1.2.10)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
