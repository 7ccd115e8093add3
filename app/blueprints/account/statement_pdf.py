"""The statement of a month as PDF.

The fonts that every PDF reader has by itself write Latin letters only (ISO 32000-1, 9.6.2.2). Texts with others are
written in Noto Sans TC, whose glyphs in use come with the file: Chinese, Greek, Cyrillic. A name in a script that this
has not either is left out rather than misspelt: the e-mail address beside it says whose statement it is.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import zip_longest

import pylopdf_fonts_zh_tw
from fpdf import FPDF, XPos, YPos
from fpdf.fonts import TTFFont

from app.accounts.queries import Person
from app.kernel import clock
from app.rewards.queries.months import MonthStatement
from app.rewards.queries.statement import StatementRow

GREY = (90, 90, 90)
LINES = (200, 200, 200)
LINKS = (20, 60, 140)
OTHERS = "noto"
WIDTHS = (26, 104, 30, 30)
ROW = 6.5


class _Pages(FPDF):
    """A4, millimetres, every page numbered."""

    def set_text_font(self, text: str, *, size: float, bold: bool = False) -> str:
        """Choose the font that has the letters of `text`; the text with "?" for what neither has."""
        if _latin(text) == text:
            self.set_font("Helvetica", "B" if bold else "", size)
            return text
        letters = self._others()
        self.set_font(OTHERS, size=size)
        return "".join(letter if ord(letter) in letters else "?" for letter in text)

    def can_write(self, text: str) -> bool:
        return _latin(text) == text or all(ord(letter) in self._others() for letter in text)

    def _others(self) -> Container[int]:
        """Letters of the second font, which is read only for a file that needs it: that takes 0.2 s."""
        if OTHERS not in self.fonts:
            self.add_font(OTHERS, fname=pylopdf_fonts_zh_tw.sans_path())
        font = self.fonts[OTHERS]
        assert isinstance(font, TTFFont)
        return font.cmap

    def footer(self) -> None:
        self.set_y(-15)
        self.set_font("Helvetica", size=8)
        self.set_text_color(*GREY)
        self.cell(0, 6, f"Page {self.page_no()} of {{nb}}", align="R")


def statement_pdf(
    month: MonthStatement,
    *,
    sums: Mapping[str, int],
    person: Person,
    shop: str,
    unit: str,
    link: Callable[[StatementRow], str],
) -> bytes:
    """`sums`: words -> signed points. `link`: where more is said about a row."""
    pdf = _Pages(unit="mm", format="A4")
    pdf.set_creation_date(clock.now())
    pdf.set_lang("en")
    pdf.set_title(f"{unit.capitalize()} statement, {month.start:%B %Y}")
    pdf.set_auto_page_break(True, margin=20)
    pdf.add_page()
    _head(pdf, month, person, shop, unit)
    _summary(pdf, month, sums, unit)
    _rows(pdf, month, unit, link)
    _expiries(pdf, month, unit)
    return bytes(pdf.output())


def _head(pdf: _Pages, month: MonthStatement, person: Person, shop: str, unit: str) -> None:
    last = month.end - timedelta(days=1)
    _line(pdf, f"{unit.capitalize()} statement, {month.start:%B %Y}", size=16, bold=True, height=10)
    name = f"{person.name}, " if pdf.can_write(person.name) else ""
    _line(pdf, f"{shop}, for {name}{person.email}", height=6)
    _line(
        pdf,
        f"{month.start.date()} to {last.date()} (UTC), made {clock.now():%Y-%m-%d %H:%M} UTC",
        height=6,
        grey=True,
    )


def _summary(pdf: _Pages, month: MonthStatement, sums: Mapping[str, int], unit: str) -> None:
    opening, closing = (side.available + side.held for side in (month.opening, month.closing))
    _line(pdf, "In this month", size=12, bold=True, height=12)
    rows = [("Opening balance", f"{opening:,}")]
    rows += [(words, f"{points:+,}") for words, points in sums.items() if points]
    _table(pdf, ("", unit.capitalize()), [*rows, ("Closing balance", f"{closing:,}")], (130, 60), right={1})


def _rows(pdf: _Pages, month: MonthStatement, unit: str, link: Callable[[StatementRow], str]) -> None:
    _line(pdf, "Every movement", size=12, bold=True, height=12)
    if not month.rows:
        _line(pdf, f"No {unit} moved in this month.", height=6)
        return
    rows = (
        (f"{row.created_at:%Y-%m-%d}", row.description, f"{row.points:+,}", f"{row.balance_after:,}")
        for row in month.rows
    )
    head = ("Date", "Reason", unit.capitalize(), "Balance")
    _table(pdf, head, rows, WIDTHS, right={2, 3}, links=map(link, month.rows))


def _expiries(pdf: _Pages, month: MonthStatement, unit: str) -> None:
    if month.expiring:
        _line(pdf, "What expires when, as of today", size=12, bold=True, height=12)
        rows = [(f"{at.date()}", f"{points:,}") for points, at in month.expiring]
        _table(pdf, ("Date", unit.capitalize()), rows, (130, 60), right={1})


def _line(
    pdf: _Pages, text: str, *, height: float, size: int = 10, bold: bool = False, grey: bool = False
) -> None:
    shown = pdf.set_text_font(text, size=size, bold=bold)
    pdf.set_text_color(*(GREY if grey else (0, 0, 0)))
    pdf.cell(0, height, shown, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _table(
    pdf: _Pages,
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    widths: tuple[int, ...],
    *,
    right: set[int],
    links: Iterable[str] = (),
) -> None:
    """`right`: the columns of numbers; `links`: where the second cell of each row leads.

    Plain cells: the library's own tables take 4 ms a row, these half of one.
    """
    pdf.set_text_color(0, 0, 0)
    pdf.set_draw_color(*LINES)
    _cells(pdf, head, widths, right, bold=True)
    for row, link in zip_longest(rows, links, fillvalue=""):
        if pdf.will_page_break(ROW):
            pdf.add_page()
            _cells(pdf, head, widths, right, bold=True)
        _cells(pdf, row, widths, right, link=link)


def _cells(
    pdf: _Pages,
    row: Sequence[str],
    widths: tuple[int, ...],
    right: set[int],
    *,
    bold: bool = False,
    link: str = "",
) -> None:
    for column, (text, width) in enumerate(zip(row, widths, strict=True)):
        shown = pdf.set_text_font(text, size=9, bold=bold)
        leads = link if column == 1 else ""
        pdf.set_text_color(*(LINKS if leads else (0, 0, 0)))
        pdf.cell(
            width,
            ROW,
            _fitting(pdf, shown, width - 3),
            border="B",
            align="R" if column in right else "L",
            link=leads,
        )
    pdf.ln(ROW)


def _fitting(pdf: FPDF, text: str, width: float) -> str:
    """As much of the beginning as the width holds, millimetres."""
    while pdf.get_string_width(text) > width:
        text = f"{text.removesuffix('...')[:-1]}..."
    return text


def _latin(text: str) -> str:
    return text.encode("latin-1", "replace").decode("latin-1")
