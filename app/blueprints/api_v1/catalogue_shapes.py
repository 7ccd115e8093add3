"""What the catalogue's calls answer (api.md, Catalogue)."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, structs

from app.blueprints.api_v1.answers import Money, PageInfo, Points
from app.blueprints.common.products import ShownProduct, show, show_variants
from app.catalogue.queries.detail import Detail
from app.catalogue.queries.facets import Facets
from app.catalogue.queries.products import ProductPage, Summary
from app.catalogue.queries.taxonomy import CategoryNode

Availability = Literal["in_stock", "low_stock", "sold_out"]


class Named(Struct):
    slug: str
    name: str


class Image(Struct):
    url: str
    alt: str


class ProductSummary(Struct, kw_only=True):
    """`points_price` is the points that would pay it whole; `earn_points` what paying it by card earns."""

    id: str
    slug: str
    name: str
    brand: Named
    category: Named
    price: Money
    compare_at_price: Money | None
    points_price: Points
    earn_points: Points
    availability: Availability
    image: Image | None

    @classmethod
    def of(cls, product: Summary) -> ProductSummary:
        return cls(**_summary(show(product)))


class Variant(Struct):
    """`options` by name, such as `{"Size": "Small"}`."""

    sku: str
    options: dict[str, str]
    price: Money
    availability: Availability


class ProductDetail(ProductSummary, kw_only=True):
    """`description` is sanitised HTML."""

    description: str
    images: list[Image]
    options: list[str]
    variants: list[Variant]
    attributes: dict[str, str]

    @classmethod
    def from_detail(cls, product: Detail) -> ProductDetail:
        return cls(
            **_summary(show(product.summary)),
            description=product.description,
            images=[Image(image.url, image.alt) for image in product.images],
            options=product.options,
            variants=[
                Variant(shown.sku, shown.options, Money.of(shown.price), shown.availability)  # type: ignore[arg-type]
                for shown in show_variants(product)
            ],
            attributes=product.attributes,
        )


class CategoryCount(Struct):
    slug: str
    name: str
    count: int
    parent: str | None


class BrandCount(Struct):
    slug: str
    name: str
    count: int


class PriceCount(Struct):
    """A range to use as `price_min` and `price_max` (minor units, inclusive); `max` null is open."""

    min: int
    max: int | None
    count: int


class FacetCounts(Struct):
    """How many products each choice would show under the other filters."""

    categories: list[CategoryCount]
    brands: list[BrandCount]
    prices: list[PriceCount]

    @classmethod
    def of(cls, facets: Facets) -> FacetCounts:
        return cls(
            [CategoryCount(c.slug, c.name, c.count, c.parent) for c in facets.categories],
            [BrandCount(b.slug, b.name, b.count) for b in facets.brands],
            [PriceCount(p.min, p.max, p.count) for p in facets.prices],
        )


class ProductListing(Struct):
    """`items` hold only the fields asked for by `fields`, where that is given."""

    items: list[ProductSummary]
    page: PageInfo
    facets: FacetCounts | UnsetType = UNSET

    @classmethod
    def of(cls, found: ProductPage, fields: list[str] | None) -> ProductListing:
        items: list[Any] = [ProductSummary.of(product) for product in found.page.items]
        if fields is not None:
            items = [{name: getattr(item, name) for name in fields} for item in items]
        return cls(items, PageInfo.of(found.page), FacetCounts.of(found.facets) if found.facets else UNSET)


class Category(Struct):
    """`count` includes the products of the categories below."""

    slug: str
    name: str
    count: int
    children: list[Category]

    @classmethod
    def of(cls, node: CategoryNode) -> Category:
        return cls(node.slug, node.name, node.count, [cls.of(child) for child in node.children])


class Completion(Struct):
    slug: str
    name: str


class Suggestions(Struct):
    """`did_you_mean` is the whole query put right, or null when no word looks misspelt."""

    items: list[Completion]
    did_you_mean: str | None


SUMMARY_FIELDS = tuple(field.name for field in structs.fields(ProductSummary))


def _summary(shown: ShownProduct) -> dict[str, Any]:
    before, image = shown.compare_at_price, shown.image
    return {
        "id": shown.id,
        "slug": shown.slug,
        "name": shown.name,
        "brand": Named(shown.brand.slug, shown.brand.name),
        "category": Named(shown.category.slug, shown.category.name),
        "price": Money.of(shown.price),
        "compare_at_price": Money.of(before) if before else None,
        "points_price": shown.points_price,
        "earn_points": shown.earn_points,
        "availability": shown.availability,
        "image": Image(image.url, image.alt) if image else None,
    }
