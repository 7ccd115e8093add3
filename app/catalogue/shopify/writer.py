"""From the catalogue back to the file: what an import of it would read again without a change."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any, TextIO

from app.catalogue import rules
from app.catalogue.queries.whole import WholeProduct, source_columns, whole_products
from app.catalogue.shopify.columns import BODY, HEADER
from app.catalogue.shopify.parser import DEFAULT_VARIANT
from app.kernel.money import format_plain

Quantities = Callable[[Collection[uuid.UUID]], Mapping[uuid.UUID, int]]


def write(stream: TextIO, *, quantities: Quantities, progress: Callable[[int], None]) -> int:
    """Rows written, header aside. `quantities` tells the units on hand; `progress` is told products."""
    header = [*HEADER, *(name for name in source_columns() if name not in HEADER)]
    writer = csv.DictWriter(stream, header, restval="", lineterminator="\n")
    writer.writeheader()
    written = 0
    for batch in whole_products():
        on_hand = quantities([variant.id for whole in batch for variant in whole.variants])
        for whole in batch:
            rows = _rows(whole, on_hand)
            writer.writerows(rows)
            written += len(rows)
        progress(len(batch))
    return written


def _rows(whole: WholeProduct, on_hand: Mapping[uuid.UUID, int]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for index in range(max(len(whole.variants), len(whole.images))):
        row: dict[str, Any] = {"Handle": whole.product.slug}
        if index == 0:
            row |= _head(whole)
        if index < len(whole.variants):
            row |= _variant(whole.variants[index], on_hand)
        if index < len(whole.images):
            image = whole.images[index]
            row |= {"Image Src": image.url, "Image Position": image.position, "Image Alt Text": image.alt}
        rows.append(row)
    return rows


def _head(whole: WholeProduct) -> dict[str, Any]:
    product = whole.product
    head = dict(product.source)
    derived = rules.category_names("", product.tags)
    if "Type" not in head or derived != whole.category:
        head["Type"] = " > ".join(whole.category)
    if product.is_published:
        head["Published"] = "true"
        if "Status" in head:
            head["Status"] = "active"
    else:
        head.setdefault("Published", "false")
    names = product.options or [DEFAULT_VARIANT[0]]
    head |= {f"Option{number} Name": name for number, name in enumerate(names, start=1)}
    return head | {
        "Title": product.name,
        BODY: product.description,
        "Vendor": "" if whole.brand == rules.UNBRANDED else whole.brand,
        "Tags": ", ".join(product.tags),
    }


def _variant(variant: Any, on_hand: Mapping[uuid.UUID, int]) -> dict[str, Any]:
    values = variant.options or [DEFAULT_VARIANT[1]]
    compare = variant.compare_at_price
    return {
        "Variant Grams": variant.grams,
        **variant.source,
        **{f"Option{number} Value": value for number, value in enumerate(values, start=1)},
        "Variant SKU": variant.sku,
        "Variant Inventory Qty": on_hand[variant.id],
        "Variant Price": format_plain(variant.price, variant.currency),
        "Variant Compare At Price": "" if compare is None else format_plain(compare, variant.currency),
        "Variant Barcode": variant.barcode or "",
        "Variant Image": variant.image_url or "",
    }
