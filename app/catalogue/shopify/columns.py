"""The columns of the format: which the shop uses, which describe a variant, and the order of an export."""

from __future__ import annotations

import re

# fmt: off
HEADER = (
    "Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags", "Published", "Option1 Name",
    "Option1 Value", "Option2 Name", "Option2 Value", "Option3 Name", "Option3 Value", "Variant SKU",
    "Variant Grams", "Variant Inventory Tracker", "Variant Inventory Qty", "Variant Inventory Policy",
    "Variant Fulfillment Service", "Variant Price", "Variant Compare At Price",
    "Variant Requires Shipping", "Variant Taxable", "Variant Barcode", "Image Src", "Image Position",
    "Image Alt Text", "Gift Card", "SEO Title", "SEO Description",
    "Google Shopping / Google Product Category", "Google Shopping / Gender", "Google Shopping / Age Group",
    "Google Shopping / MPN", "Google Shopping / AdWords Grouping", "Google Shopping / AdWords Labels",
    "Google Shopping / Condition", "Google Shopping / Custom Product", "Google Shopping / Custom Label 0",
    "Google Shopping / Custom Label 1", "Google Shopping / Custom Label 2",
    "Google Shopping / Custom Label 3", "Google Shopping / Custom Label 4", "Variant Image",
    "Variant Weight Unit", "Variant Tax Code",
)
# fmt: on

BODY = "Body (HTML)"
# Without one of these a file cannot say what it means: a blank cell clears a value, an absent column must not.
REQUIRED = (
    "Handle",
    "Title",
    BODY,
    "Vendor",
    "Type",
    "Tags",
    "Published",
    "Option1 Name",
    "Option1 Value",
    "Variant SKU",
    "Variant Inventory Qty",
    "Variant Price",
    "Variant Compare At Price",
    "Image Src",
)
OPTIONS = (1, 2, 3)
OF_PRODUCT = ("Title", BODY, "Vendor", "Type", "Tags", "Published")
OF_OPTIONS = tuple(f"Option{n} Name" for n in OPTIONS)
USED = frozenset(
    (
        "Handle",
        *OF_PRODUCT,
        *OF_OPTIONS,
        *(f"Option{n} Value" for n in OPTIONS),
        "Variant SKU",
        "Variant Grams",
        "Variant Inventory Qty",
        "Variant Price",
        "Variant Compare At Price",
        "Variant Barcode",
        "Variant Image",
        "Image Src",
        "Image Position",
        "Image Alt Text",
    )
)
_OF_VARIANT = re.compile(r"Variant |Cost per item$|Price / |Compare At Price / |Included / ")
_METAFIELD = re.compile(r"(.+) \(product\.metafields\.[^)]+\)")


def of_variant(column: str) -> bool:
    """Whether a column that the shop does not use describes the variant rather than the product."""
    return bool(_OF_VARIANT.match(column))


def attribute_name(column: str) -> str | None:
    """`Fabric (product.metafields.custom.fabric)` is the attribute `Fabric`."""
    match = _METAFIELD.fullmatch(column)
    return match.group(1) if match else None
