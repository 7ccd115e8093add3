"""Reads the hand-written product sheets in demo/data.

A sheet begins with its category path. Products follow, separated by blank lines; the first line of each is

    title | vendor code | drawing/style | colour | price [was price] | grams | options | tags

Options read "Colour: Teal, Sand; Size: S, M +50": '+50' adds HKD 50 to a variant with that value. The lines
below it are the text: one paragraph a line, "- " begins a list item.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import product as combinations
from pathlib import Path

DATA = Path(__file__).parent / "data"
VENDORS = {
    "ARL": "Aurelith Audio",
    "BRS": "Brasserton",
    "CRV": "Corvane",
    "DMW": "Domora Works",
    "HBL": "Harbourline",
    "HKN": "Hollin Kiln",
    "LMF": "Lumenfold",
    "LUL": "Lullaway",
    "MRB": "Marrowby & Sons",
    "ODL": "Ondalune",
    "OSV": "Ostervane",
    "PXM": "Pixelmere",
    "SLM": "Sillmoor",
    "SMF": "Saltmarsh & Fenn",
    "TNF": "Tarn & Fettle",
    "TNW": "Tonewick",
    "TSL": "Teasel Lane",
    "VLT": "Voltern",
    "WMK": "Waymarkle",
    "WVH": "Wovenhay",
}


@dataclass(frozen=True)
class Choice:
    """One value of an option and what it adds to the price."""

    value: str
    surcharge: Decimal


@dataclass(frozen=True)
class Product:
    """One line of the shop. Prices are HKD; `options` holds the name and the choices in order."""

    path: str
    title: str
    vendor_code: str
    drawing: str
    style: str
    colour: str
    price: Decimal
    was: Decimal | None
    grams: int
    options: tuple[tuple[str, tuple[Choice, ...]], ...]
    tags: tuple[str, ...]
    paragraphs: tuple[str, ...]
    points: tuple[str, ...]

    @property
    def handle(self) -> str:
        return slug(self.title)

    @property
    def vendor(self) -> str:
        return VENDORS[self.vendor_code]

    @property
    def variants(self) -> list[tuple[Choice, ...]]:
        """Every combination of choices, in the order written; one empty combination without options."""
        return list(combinations(*(choices for _, choices in self.options)))


def slug(text: str) -> str:
    """Lower-case ASCII words joined by hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def _choice(text: str) -> Choice:
    value, _, extra = text.strip().partition(" +")
    return Choice(value, Decimal(extra or 0))


def _options(text: str) -> tuple[tuple[str, tuple[Choice, ...]], ...]:
    found = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, _, values = part.partition(":")
        found.append((name.strip(), tuple(_choice(value) for value in values.split(","))))
    return tuple(found)


def _product(path: str, block: str) -> Product:
    head, *text = block.splitlines()
    cells = [cell.strip() for cell in head.split("|")]
    if len(cells) != 8:
        raise ValueError(f"{cells[0]!r} has {len(cells)} cells instead of 8")
    title, vendor_code, drawing, colour, price, grams, options, tags = cells
    kind, _, style = drawing.partition("/")
    now, _, was = price.partition(" was ")
    return Product(
        path,
        title,
        vendor_code,
        kind,
        style,
        colour,
        Decimal(now),
        Decimal(was) if was else None,
        int(grams),
        _options(options),
        tuple(tag.strip() for tag in tags.split(",") if tag.strip()),
        tuple(line for line in text if not line.startswith("- ")),
        tuple(line[2:] for line in text if line.startswith("- ")),
    )


def products() -> Iterator[Product]:
    """All products, sheet by sheet. Raises ValueError naming the product whose line is malformed."""
    for sheet in sorted(DATA.glob("*.txt")):
        path, *blocks = re.split(r"\n\s*\n", sheet.read_text(encoding="utf-8").strip())
        for block in blocks:
            yield _product(path.strip(), block)
