"""Small files to import, and what the catalogue holds before and after."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import psycopg

from app.catalogue.shopify.columns import HEADER

SHOPIFY = Path(__file__).parent / "shopify"
TABLES = ("brand", "category", "product", "variant", "product_image", "stock")


def row(handle: str, **cells: str) -> dict[str, str]:
    """A product of one variant; `Title="x"` or `**{"Variant Price": "9"}` change it."""
    return {
        "Handle": handle,
        "Title": f"Title of {handle}",
        "Vendor": "Maker",
        "Type": "Things",
        "Published": "true",
        "Option1 Name": "Title",
        "Option1 Value": "Default Title",
        "Variant SKU": f"{handle}-1",
        "Variant Inventory Qty": "3",
        "Variant Price": "10.00",
        **cells,
    }


def more(handle: str, **cells: str) -> dict[str, str]:
    """Another row of the same product."""
    return {"Handle": handle, **cells}


def write(path: Path, rows: list[dict[str, str]], header: tuple[str, ...] = tuple(HEADER)) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, header, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def everything(connection: psycopg.Connection) -> dict[str, list[Any]]:
    """Every row of the catalogue and the stock, as text: equal means that nothing at all has changed."""
    return {
        table: sorted(text for (text,) in connection.execute(f"SELECT t::text FROM {table} t").fetchall())
        for table in TABLES
    }
