"""What a file says about a product, before it meets the database. Amounts are minor units."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class VariantDraft:
    """`quantity` is the stock on hand, None where the file is silent about it."""

    line: int
    sku: str
    options: list[str]
    price: int
    compare_at_price: int | None
    barcode: str | None
    grams: int
    image_url: str | None
    quantity: int | None
    source: dict[str, str]


@dataclass(slots=True)
class ImageDraft:
    url: str
    alt: str
    position: int | None


@dataclass(slots=True)
class ProductDraft:
    """`category` is the names from the top. `complete` is False when rows of it were bad and left out."""

    line: int
    slug: str
    name: str
    description: str
    brand: str
    category: list[str]
    options: list[str]
    tags: list[str]
    attributes: dict[str, str]
    source: dict[str, str]
    is_published: bool
    variants: list[VariantDraft] = field(default_factory=list)
    images: list[ImageDraft] = field(default_factory=list)
    complete: bool = True
