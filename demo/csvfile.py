"""The catalogue as a Shopify product CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from html import escape
from random import Random

from demo.draw.picture import seeded
from demo.products import Choice, Product, slug

COLUMNS = (
    "Handle",
    "Title",
    "Body (HTML)",
    "Vendor",
    "Type",
    "Tags",
    "Published",
    "Option1 Name",
    "Option1 Value",
    "Option2 Name",
    "Option2 Value",
    "Option3 Name",
    "Option3 Value",
    "Variant SKU",
    "Variant Grams",
    "Variant Inventory Tracker",
    "Variant Inventory Qty",
    "Variant Inventory Policy",
    "Variant Fulfillment Service",
    "Variant Price",
    "Variant Compare At Price",
    "Variant Requires Shipping",
    "Variant Taxable",
    "Variant Barcode",
    "Image Src",
    "Image Position",
    "Image Alt Text",
    "Gift Card",
    "SEO Title",
    "SEO Description",
    "Google Shopping / Google Product Category",
    "Google Shopping / Gender",
    "Google Shopping / Age Group",
    "Google Shopping / MPN",
    "Google Shopping / AdWords Grouping",
    "Google Shopping / AdWords Labels",
    "Google Shopping / Condition",
    "Google Shopping / Custom Product",
    "Google Shopping / Custom Label 0",
    "Google Shopping / Custom Label 1",
    "Google Shopping / Custom Label 2",
    "Google Shopping / Custom Label 3",
    "Google Shopping / Custom Label 4",
    "Variant Image",
    "Variant Weight Unit",
    "Variant Tax Code",
    "Cost per item",
)
Row = dict[str, str]


def check_digit(twelve: str) -> str:
    """The thirteenth digit of an EAN-13 (GS1 General Specifications 7.9.1: weights 1 and 3 from the left)."""
    total = sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(twelve))
    return str(-total % 10)


def barcode(sku: str) -> str:
    """An EAN-13 of the range 20-29, which GS1 leaves to every shop for its own use."""
    random = seeded("barcode", sku)
    twelve = f"2{random.randint(0, 9)}{random.randrange(10**10):010d}"
    return twelve + check_digit(twelve)


def sku(product: Product, choices: tuple[Choice, ...]) -> str:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    random = seeded("sku", product.handle)
    serial = "".join(random.choice(letters) for _ in range(5))
    parts = [slug(choice.value).replace("-", "").upper()[:10] for choice in choices]
    return "-".join([product.vendor_code, serial, *parts])


def stock(random: Random) -> int:
    """Pieces on the shelf: one variant in fourteen is sold out, one in eight nearly so."""
    chance = random.random()
    if chance < 0.07:
        return 0
    if chance < 0.19:
        return random.randint(1, 4)
    return random.randint(6, 90)


def has_second_view(product: Product) -> bool:
    return seeded("view", product.handle).random() < 0.32


def body(product: Product) -> str:
    text = "".join(f"<p>{escape(line, quote=False)}</p>" for line in product.paragraphs)
    if product.points:
        items = "".join(f"<li>{escape(point, quote=False)}</li>" for point in product.points)
        text += f"<ul>{items}</ul>"
    return text


def _variant(product: Product, choices: tuple[Choice, ...]) -> Row:
    surcharge = sum(choice.surcharge for choice in choices)
    code = sku(product, choices)
    row = {
        "Variant SKU": code,
        "Variant Grams": str(product.grams),
        "Variant Inventory Tracker": "shopify",
        "Variant Inventory Qty": str(stock(seeded("stock", code))),
        "Variant Inventory Policy": "deny",
        "Variant Fulfillment Service": "manual",
        "Variant Price": f"{product.price + surcharge:.2f}",
        "Variant Compare At Price": f"{product.was + surcharge:.2f}" if product.was else "",
        "Variant Requires Shipping": "true",
        "Variant Taxable": "true",
        "Variant Barcode": barcode(code),
        "Variant Weight Unit": "g",
    }
    for at, choice in enumerate(choices, start=1):
        row[f"Option{at} Value"] = choice.value
    return row


def _images(product: Product) -> list[Row]:
    views = [(1, "", f"{product.title}, drawn in {product.colour}")]
    if has_second_view(product):
        views.append((2, "-2", f"{product.title} seen closer, from the other side"))
    return [
        {
            "Image Src": f"/static/demo/{product.handle}{suffix}.svg",
            "Image Position": str(at),
            "Image Alt Text": alt,
        }
        for at, suffix, alt in views
    ]


def rows(product: Product) -> list[Row]:
    """The product's lines: the first carries its texts, and further pictures ride on later lines."""
    variants = [_variant(product, choices) for choices in product.variants]
    images = _images(product)
    head = {
        "Title": product.title,
        "Body (HTML)": body(product),
        "Vendor": product.vendor,
        "Type": product.path,
        "Tags": ", ".join(product.tags),
        "Published": "true",
        "Gift Card": "false",
    }
    if product.options:
        head |= {f"Option{at} Name": name for at, (name, _) in enumerate(product.options, start=1)}
    else:
        head |= {"Option1 Name": "Title", "Option1 Value": "Default Title"}
    lines: list[Row] = [{} for _ in range(max(len(variants), len(images)))]
    for at, line in enumerate(lines):
        line["Handle"] = product.handle
        line.update(head if at == 0 else {})
        line.update(variants[at] if at < len(variants) else {})
        line.update(images[at] if at < len(images) else {})
    return lines


def catalogue(every: Iterable[Product]) -> str:
    """The whole CSV as text, with '\\n' line ends."""

    def lines() -> Iterator[Row]:
        for product in every:
            yield from rows(product)

    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines())
    return out.getvalue()
