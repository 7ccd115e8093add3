"""The statement of a month as PDF.

The fonts that every PDF reader has by itself write Latin letters only (ISO 32000-1, 9.6.2.2). A name in another
script is left out rather than misspelt: the e-mail address beside it says whose statement it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from fpdf import FPDF, XPos, YPos

from app.accounts.queries import Person
from app.kernel import clock
from app.rewards.queries.months import MonthStatement

GREY = (90, 90, 90)
LINES = (200, 200, 200)
WIDTHS = (26, 104, 30, 30)
ROW = 6.5


class _Pages(FPDF):
    """A4, millimetres, every page numbered."""

    def footer(self) -> None:
        self.set_y(-15)
        self.set_font("Helvetica", size=8)
        self.set_text_color(*GREY)
        self.cell(0, 6, f"Page {self.page_no()} of {{nb}}", align="R")


def statement_pdf(
    month: MonthStatement, *, sums: Mapping[str, int], person: Person, shop: str, unit: str
) -> bytes:
    """`sums`: words -> signed points."""
    pdf = _Pages(unit="mm", format="A4")
    pdf.set_creation_date(clock.now())
    pdf.set_lang("en")
    pdf.set_title(_latin(f"{unit.capitalize()} statement, {month.start:%B %Y}"))
    pdf.set_auto_page_break(True, margin=20)
    pdf.add_page()
    _head(pdf, month, person, shop, unit)
    _summary(pdf, month, sums, unit)
    _rows(pdf, month, unit)
    _expiries(pdf, month, unit)
    return bytes(pdf.output())


def _head(pdf: FPDF, month: MonthStatement, person: Person, shop: str, unit: str) -> None:
    last = month.end - timedelta(days=1)
    _line(pdf, f"{unit.capitalize()} statement, {month.start:%B %Y}", size=16, bold=True, height=10)
    name = f"{person.name}, " if _latin(person.name) == person.name else ""
    _line(pdf, f"{shop}, for {name}{person.email}", height=6)
    _line(
        pdf,
        f"{month.start.date()} to {last.date()} (UTC), made {clock.now():%Y-%m-%d %H:%M} UTC",
        height=6,
        grey=True,
    )


def _summary(pdf: FPDF, month: MonthStatement, sums: Mapping[str, int], unit: str) -> None:
    opening, closing = (side.available + side.held for side in (month.opening, month.closing))
    _line(pdf, "In this month", size=12, bold=True, height=12)
    rows = [("Opening balance", f"{opening:,}")]
    rows += [(words, f"{points:+,}") for words, points in sums.items() if points]
    _table(pdf, ("", unit.capitalize()), [*rows, ("Closing balance", f"{closing:,}")], (130, 60), right={1})


def _rows(pdf: FPDF, month: MonthStatement, unit: str) -> None:
    _line(pdf, "Every movement", size=12, bold=True, height=12)
    if not month.rows:
        _line(pdf, f"No {unit} moved in this month.", height=6)
        return
    rows = (
        (f"{row.created_at:%Y-%m-%d}", row.description, f"{row.points:+,}", f"{row.balance_after:,}")
        for row in month.rows
    )
    _table(pdf, ("Date", "What", unit.capitalize(), "Balance"), rows, WIDTHS, right={2, 3})


def _expiries(pdf: FPDF, month: MonthStatement, unit: str) -> None:
    if month.expiring:
        _line(pdf, "What expires when, as of today", size=12, bold=True, height=12)
        rows = [(f"{at.date()}", f"{points:,}") for points, at in month.expiring]
        _table(pdf, ("Date", unit.capitalize()), rows, (130, 60), right={1})


def _line(
    pdf: FPDF, text: str, *, height: float, size: int = 10, bold: bool = False, grey: bool = False
) -> None:
    pdf.set_font("Helvetica", "B" if bold else "", size)
    pdf.set_text_color(*(GREY if grey else (0, 0, 0)))
    pdf.cell(0, height, _latin(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _table(
    pdf: FPDF, head: Sequence[str], rows: Iterable[Sequence[str]], widths: tuple[int, ...], *, right: set[int]
) -> None:
    """`right`: the columns of numbers. Plain cells: the library's own tables take 4 ms a row, these half of one."""
    pdf.set_text_color(0, 0, 0)
    pdf.set_draw_color(*LINES)
    _cells(pdf, head, widths, right, bold=True)
    for row in rows:
        if pdf.will_page_break(ROW):
            pdf.add_page()
            _cells(pdf, head, widths, right, bold=True)
        _cells(pdf, row, widths, right)


def _cells(
    pdf: FPDF, row: Sequence[str], widths: tuple[int, ...], right: set[int], *, bold: bool = False
) -> None:
    pdf.set_font("Helvetica", "B" if bold else "", 9)
    for column, (text, width) in enumerate(zip(row, widths, strict=True)):
        pdf.cell(
            width,
            ROW,
            _fitting(pdf, _latin(text), width - 3),
            border="B",
            align="R" if column in right else "L",
        )
    pdf.ln(ROW)


def _fitting(pdf: FPDF, text: str, width: float) -> str:
    """As much of the beginning as the width holds, millimetres."""
    while pdf.get_string_width(text) > width:
        text = f"{text.removesuffix('...')[:-1]}..."
    return text


def _latin(text: str) -> str:
    return text.encode("latin-1", "replace").decode("latin-1")
