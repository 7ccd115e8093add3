"""From a file to rows with line numbers, streaming. What makes a whole file unusable is found here."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.catalogue.errors import ImportRefused, Problem
from app.catalogue.shopify.columns import BODY, REQUIRED

MAX_CELL = 1024 * 1024
MAX_KEPT_PROBLEMS = 1000
_BINARY = (b"PK\x03\x04", b"\x89PNG", b"\xff\xd8\xff", b"\x1f\x8b", b"%PDF", b"GIF8", b"RIFF")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
Row = dict[str, str]


@dataclass
class Problems:
    """Collects what is wrong, so that one run shows all of it."""

    file: str
    kept: list[Problem] = field(default_factory=list)
    count: int = 0

    def add(self, line: int, column: str | None, message: str) -> None:
        self.count += 1
        if len(self.kept) < MAX_KEPT_PROBLEMS:
            self.kept.append(Problem(self.file, line, column, message))

    def refusal(self) -> ImportRefused:
        return ImportRefused(self.kept, self.count)

    def fatal(self, line: int, column: str | None, message: str) -> ImportRefused:
        """For what cannot be skipped: the whole file is unusable."""
        self.add(line, column, message)
        return self.refusal()


def read(
    path: Path, problems: Problems, progress: Callable[[int], None] | None = None
) -> Iterator[tuple[int, Row]]:
    """Yield (line, row); bad rows go to `problems` instead. `progress` is told bytes as they are read.

    Raises ImportRefused for a file that is empty, binary, not CSV, or lacks a column.
    """
    _refuse_binary(path, problems)
    csv.field_size_limit(MAX_CELL)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        lines = _counted(stream, progress) if progress else stream
        reader = csv.reader(lines, strict=True)
        line = 1
        try:
            header = _header(next(reader, []), problems)
            line = reader.line_num + 1
            for cells in reader:
                if any(cells):
                    row = _row(header, cells, line, problems)
                    if row:
                        yield line, row
                line = reader.line_num + 1
        except csv.Error as error:
            raise problems.fatal(line, None, f"this is not CSV from here on ({error})") from None


def _refuse_binary(path: Path, problems: Problems) -> None:
    with path.open("rb") as stream:
        head = stream.read(4096)
    if not head.strip():
        raise problems.fatal(1, None, "the file is empty")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise problems.fatal(1, None, "the text is UTF-16; save it as UTF-8")
    if head.startswith(_BINARY) or b"\0" in head:
        raise problems.fatal(1, None, "this is a binary file, not a CSV file")


def _header(cells: list[str], problems: Problems) -> list[str]:
    names = [cell.strip() for cell in cells]
    for name in names:
        if _undecodable(name) or _CONTROL.search(name):
            raise problems.fatal(1, None, "the header is not UTF-8 text")
        if not name or names.count(name) > 1:
            raise problems.fatal(
                1, name, "the column has no name" if not name else "the column is there twice"
            )
    missing = [name for name in REQUIRED if name not in names]
    for name in missing:
        problems.add(1, name, "the column is missing")
    if missing:
        raise problems.refusal()
    return names


def _row(header: list[str], cells: list[str], line: int, problems: Problems) -> Row | None:
    if len(cells) != len(header):
        column = header[len(cells)] if len(cells) < len(header) else None
        problems.add(line, column, f"the row has {len(cells)} cells, the header has {len(header)}")
        return None
    whole = "".join(cells)
    if not whole.isprintable():  # the quick answer; line breaks make it False as well
        for name, cell in zip(header, cells, strict=True):
            if _undecodable(cell):
                problems.add(line, name, "the text is not UTF-8")
                return None
            if _CONTROL.search(cell):
                problems.add(line, name, "the text holds control characters")
                return None
    row = dict(zip(header, map(str.strip, cells), strict=True))
    row[BODY] = cells[header.index(BODY)]  # a text is kept to the last blank
    return row


def _undecodable(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text)


def _counted(stream: Iterator[str], progress: Callable[[int], None]) -> Iterator[str]:
    """Tell `progress` about every 64 KB: a call for each line would cost more than reading it."""
    pending = 0
    for text in stream:
        pending += len(text)
        if pending >= 65536:
            progress(pending)
            pending = 0
        yield text
    progress(pending)
