"""Products, categories, brands, suggestions: public, kept for a second, 304 when nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from flask import Blueprint
from msgspec import Meta, Struct, field

from app.blueprints.api_v1 import catalogue_shapes as shapes
from app.blueprints.api_v1.answers import Answer, Listing, PageQuery, answer, listing, whole_listing
from app.blueprints.api_v1.contract import endpoint
from app.blueprints.common import catalogue_cache
from app.catalogue import rules
from app.catalogue.queries import detail, suggestions, taxonomy
from app.catalogue.queries.filters import Filters, Sort
from app.catalogue.queries.products import list_products
from app.kernel.errors import invalid
from app.kernel.ids import fingerprint
from app.kernel.money import MAX_AMOUNT
from app.kernel.pagination import page_of_whole

bp = Blueprint("catalogue", __name__)

Slug = Annotated[str, Meta(min_length=1, max_length=255)]
Price = Annotated[int, Meta(ge=0, le=MAX_AMOUNT)]
Words = Annotated[str, Meta(max_length=300)]


class ProductsQuery(PageQuery, kw_only=True, forbid_unknown_fields=True):
    """Prices in minor units, inclusive. `category` includes its descendants; `brand` may be repeated.

    `sort` is `relevance` with `q`, else `newest`, unless given. `fields=id,slug,name,price` answers just those.
    """

    q: Words | None = None
    category: Slug | None = None
    brand: list[Slug] = field(default_factory=list)
    price_min: Price | None = None
    price_max: Price | None = None
    in_stock: bool = False
    sort: Sort | None = None
    fields: Annotated[str, Meta(max_length=300)] | None = None
    facets: bool = False

    def filters(self) -> Filters:
        return Filters(
            q=(self.q or "").strip() or None,
            category=self.category,
            brands=tuple(dict.fromkeys(self.brand)),
            price_min=self.price_min,
            price_max=self.price_max,
            in_stock=self.in_stock,
        )

    def chosen_fields(self) -> list[str] | None:
        if self.fields is None:
            return None
        names = list(dict.fromkeys(name.strip() for name in self.fields.split(",")))
        for name in names:
            if name not in shapes.SUMMARY_FIELDS:
                raise invalid("fields", "UNKNOWN_FIELD", f"{name[:100]!r} is not a field of a product.")
        return names


class SuggestionsQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    q: Annotated[str, Meta(min_length=1, max_length=300)]


@bp.get("/products")
@endpoint(
    "Find products",
    auth="public",
    query=ProductsQuery,
    returns={200: shapes.ProductListing},
    errors=("CURSOR_INVALID",),
    cache=catalogue_cache.FRESH,
)
def products(query: ProductsQuery) -> Answer:
    def build() -> Answer:
        fields = query.chosen_fields()
        found = list_products(
            query.filters(),
            sort=query.sort,
            cursor=query.cursor,
            limit=query.size,
            with_facets=query.facets,
            with_total=query.total,
        )
        return answer(shapes.ProductListing.of(found, fields), message="Products.")

    return _kept("products", query, shapes.ProductListing, build)


@bp.get("/products/<slug>")
@endpoint("A product", auth="public", returns={200: shapes.ProductDetail}, cache=catalogue_cache.FRESH)
def product(slug: str) -> Answer:
    def build() -> Answer:
        return answer(shapes.ProductDetail.from_detail(detail.get_product(slug)), message="A product.")

    return _kept("product", slug, shapes.ProductDetail, build)


@bp.get("/categories")
@endpoint(
    "The category tree", auth="public", returns={200: Listing[shapes.Category]}, cache=catalogue_cache.FRESH
)
def categories() -> Answer:
    """The whole tree; it is not cut into pages."""
    nodes = [shapes.Category.of(node) for node in catalogue_cache.tree()]
    return answer(whole_listing(nodes), message="Categories.")


@bp.get("/brands")
@endpoint(
    "The brands, by name",
    auth="public",
    query=PageQuery,
    returns={200: Listing[shapes.BrandCount]},
    errors=("CURSOR_INVALID",),
    cache=catalogue_cache.FRESH,
)
def brands(query: PageQuery) -> Answer:
    def build() -> Answer:
        page = page_of_whole(
            taxonomy.list_brands(),
            key=lambda brand: [brand.name.casefold(), brand.slug],
            width=2,
            name="brands",
            cursor=query.cursor,
            limit=query.size,
            with_total=query.total,
        )
        counts = listing(page, lambda brand: shapes.BrandCount(brand.slug, brand.name, brand.count))
        return answer(counts, message="Brands.")

    return _kept("brands", query, Listing, build)


@bp.get("/search/suggestions")
@endpoint(
    "Completions of what is being typed",
    auth="public",
    query=SuggestionsQuery,
    returns={200: shapes.Suggestions},
    cache=catalogue_cache.FRESH,
)
def suggest(query: SuggestionsQuery) -> Answer:
    def build() -> Answer:
        found = [shapes.Completion(slug, name) for slug, name in suggestions.suggest(query.q)]
        better = rules.did_you_mean(query.q, catalogue_cache.words())
        return answer(shapes.Suggestions(found, better), message="Suggestions.")

    return _kept("suggestions", query, shapes.Suggestions, build)


def _kept(name: str, of: Any, shape: type, build: Callable[[], Answer]) -> Answer:
    """The finished body, from the cache where it is; refusals are raised by `build` and never kept."""
    digest = fingerprint(msgspec.json.encode(of)).hex()[:32]
    body = catalogue_cache.remembered(f"api:{name}:{digest}", lambda: build().body)
    return Answer(200, body, shape)
