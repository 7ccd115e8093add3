"""Lists: every product once, whatever changes between two pages; filters, facets and words that combine."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from flask import Flask

from app.blueprints.ops.commands_catalogue import import_file
from app.catalogue import rules
from app.catalogue.queries import suggestions, taxonomy
from app.catalogue.queries.detail import get_product
from app.catalogue.queries.filters import Filters
from app.catalogue.queries.products import list_products, summaries_by_slug
from app.kernel.errors import NotFound, RuleBroken
from app.kernel.pagination import encode_cursor
from tests.catalogue.files import SHOPIFY, row, write

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.fixture(scope="module", autouse=True)
def filled(app: Flask, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The three files, and sixteen equal products under Home > Rooms: ties everywhere."""
    equal = [
        row(
            f"equal-{n:02}", Title="Equal", Vendor="Equals", Type="Home > Rooms", **{"Variant SKU": f"EQ-{n}"}
        )
        for n in range(16)
    ]
    hidden = row("hidden", Title="Hidden gold", Published="false")
    namesake = row("namesake", Type="Homeware")
    with app.app_context():
        for name in ("apparel", "home-and-garden", "jewelery"):
            import_file(SHOPIFY / f"{name}.csv")
        import_file(write(tmp_path_factory.mktemp("f") / "equal.csv", [*equal, hidden, namesake]))


def walk(filters: Filters, sort: str | None, limit: int) -> list[str]:
    slugs: list[str] = []
    cursor = None
    while True:
        page = list_products(filters, sort=sort, cursor=cursor, limit=limit).page
        slugs += [item.slug for item in page.items]
        cursor = page.next
        if cursor is None:
            return slugs


def test_what_came_in_one_file_is_listed_from_its_end() -> None:
    """One instant made them all: their ids keep the order of the file, also within a millisecond."""
    slugs = walk(Filters(brands=("equals",)), "newest", 5)
    assert slugs == [f"equal-{n:02}" for n in reversed(range(16))]


SORTS = ["newest", "price", "-price", "name"]


@pytest.mark.parametrize("sort", [*SORTS, "relevance"])
@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_show_every_product_once_and_in_order(owner: psycopg.Connection, sort: str, limit: int) -> None:
    filters = Filters(q="gold or equal or home") if sort == "relevance" else Filters()
    slugs = walk(filters, sort, limit)
    assert len(slugs) == len(set(slugs))
    if sort != "relevance":
        column = {"newest": "created_at DESC, id DESC", "price": "price, id", "-price": "price DESC, id DESC"}
        order = column.get(sort, "name, id")
        rows = owner.execute(f"SELECT slug FROM product WHERE is_published ORDER BY {order}").fetchall()
        assert slugs == [slug for (slug,) in rows]
    assert slugs == walk(filters, sort, 100)


@pytest.mark.parametrize("sort", SORTS)
def test_pages_lead_back_the_same_way(sort: str) -> None:
    first = list_products(Filters(), sort=sort, limit=10).page
    assert first.prev is None
    second = list_products(Filters(), sort=sort, limit=10, cursor=first.next).page
    third = list_products(Filters(), sort=sort, limit=10, cursor=second.next).page
    back = list_products(Filters(), sort=sort, limit=10, cursor=third.prev).page
    assert [item.slug for item in back.items] == [item.slug for item in second.items]
    home = list_products(Filters(), sort=sort, limit=10, cursor=back.prev).page
    assert [item.slug for item in home.items] == [item.slug for item in first.items]
    assert home.prev is None


def test_a_page_stays_put_while_products_come(owner: psycopg.Connection, tmp_path: Path) -> None:
    first = list_products(Filters(), sort="price", limit=5).page
    expected = [item.slug for item in list_products(Filters(), sort="price", limit=10).page.items][5:]
    import_file(write(tmp_path / "a.csv", [row("cheapest", **{"Variant Price": "0.01"})]))
    second = list_products(Filters(), sort="price", limit=5, cursor=first.next).page
    assert [item.slug for item in second.items] == expected
    owner.execute("UPDATE product SET is_published = false WHERE slug = 'cheapest'")


def test_filters_combine(owner: psycopg.Connection) -> None:
    filters = Filters(
        brands=("company-123", "rustic-ltd"),
        category="indoor",
        price_min=2000,
        price_max=10_000,
        in_stock=True,
    )
    rows = owner.execute(
        "SELECT p.slug FROM product p JOIN brand b ON b.id = p.brand_id JOIN category c ON c.id = p.category_id "
        "WHERE b.slug IN ('company-123', 'rustic-ltd') AND c.slug = 'indoor' AND p.price BETWEEN 2000 AND 10000 "
        "AND p.availability <> 'sold_out' ORDER BY p.name, p.id"
    ).fetchall()
    assert len(rows) > 2
    assert walk(filters, "name", 2) == [slug for (slug,) in rows]


def test_a_category_includes_what_is_below_it_and_no_namesake() -> None:
    assert len(walk(Filters(category="home"), None, 50)) == 16
    assert len(walk(Filters(category="rooms"), None, 50)) == 16
    tree = {node.slug: node for node in taxonomy.category_tree()}
    assert (tree["home"].count, tree["home"].children[0].count) == (16, 16)
    assert [node.slug for node in taxonomy.find_path(list(tree.values()), "rooms")] == ["home", "rooms"]
    assert taxonomy.find_path(list(tree.values()), "nowhere") == []


def test_facets_count_under_the_other_filters(owner: psycopg.Connection) -> None:
    filters = Filters(brands=("company-123",), category="necklace", in_stock=True)
    found = list_products(filters, limit=1, with_facets=True, with_total=True)
    assert found.facets is not None
    brands = {count.slug: count.count for count in found.facets.brands}
    for slug, count in brands.items():
        assert len(walk(Filters(brands=(slug,), category="necklace", in_stock=True), None, 50)) == count
    categories = {count.slug: count.count for count in found.facets.categories}
    for slug, count in categories.items():
        assert len(walk(Filters(brands=("company-123",), category=slug, in_stock=True), None, 50)) == count
    assert (len(brands), len(categories)) == (2, 5)
    assert sum(span.count for span in found.facets.prices) == found.page.total == brands["company-123"]
    assert found.page.total_is_lower_bound is False


def test_facets_and_total_of_nothing() -> None:
    found = list_products(Filters(q="nothingatall"), limit=5, with_facets=True, with_total=True)
    assert (list(found.page.items), found.page.total) == ([], 0)
    assert found.facets is not None
    assert found.facets.brands == []


def test_price_facets_are_filters(owner: psycopg.Connection) -> None:
    found = list_products(Filters(), limit=1, with_facets=True)
    assert found.facets is not None
    for span in found.facets.prices:
        assert len(walk(Filters(price_min=span.min, price_max=span.max), None, 50)) == span.count


@pytest.mark.parametrize(
    ("q", "first"),
    [
        ("sofas", None),
        ("gold necklace", None),
        ("necklace gold", None),
        ("gardening trow", "gardening-hand-trowel"),
        ("EQ-7", "equal-07"),
        ("leather-anchor.gold", "leather-anchor"),
    ],
)
def test_search_finds(q: str, first: str | None) -> None:
    slugs = walk(Filters(q=q), None, 10)
    assert slugs
    if first:
        assert slugs[0].startswith(first)
    words = "".join(slugs)
    if q == "sofas":
        assert set(slugs) == {"cream-sofa", "grey-sofa", "yellow-sofa"}
    if "necklace" in q:
        assert "gold-bird-necklace" in words


@pytest.mark.parametrize(
    "q",
    ["'", "\\", ":*", "a & | ! (", '"', "-", "-(x)", "or", "x' OR 1=1 --", "%", "<->", "\u0001", "é" * 300],
)
def test_no_query_is_too_odd(q: str) -> None:
    assert list_products(Filters(q=q), limit=3, with_facets=True, with_total=True).page.total is not None
    assert len(suggestions.suggest(q)) <= 8


def test_a_new_name_is_found_at_once(owner: psycopg.Connection) -> None:
    owner.execute("UPDATE brand SET name = 'Zebulon Works' WHERE slug = 'sterling-ltd'")
    assert len(walk(Filters(q="zebulon"), None, 50)) == 6
    owner.execute("UPDATE category SET name = 'Quixotry' WHERE slug = 'home'")
    assert len(walk(Filters(q="quixotry"), None, 50)) == 16
    owner.execute("UPDATE brand SET name = 'Sterling Ltd' WHERE slug = 'sterling-ltd'")
    assert walk(Filters(q="zebulon"), None, 50) == []


def test_what_is_not_published_is_nowhere(owner: psycopg.Connection) -> None:
    assert "hidden" not in walk(Filters(), None, 100)
    assert walk(Filters(q="hidden"), None, 10) == []
    assert suggestions.suggest("hidden") == []
    assert summaries_by_slug(["hidden", "grey-sofa"]) == summaries_by_slug(["grey-sofa"])
    with pytest.raises(NotFound):
        get_product("hidden")


@pytest.mark.parametrize(
    ("filters", "sort", "field"),
    [
        (Filters(category="nowhere"), None, "category"),
        (Filters(brands=("company-123", "nobody")), None, "brand"),
        (Filters(brands=tuple(f"b{n}" for n in range(51))), None, "brand"),
        (Filters(price_min=2, price_max=1), None, "price_max"),
        (Filters(), "relevance", "sort"),
    ],
)
def test_filters_that_make_no_sense_are_named(filters: Filters, sort: str | None, field: str) -> None:
    with pytest.raises(RuleBroken) as refused:
        list_products(filters, sort=sort, limit=5)
    assert [error.field for error in refused.value.errors] == [field]


def test_a_cursor_of_other_filters_is_refused() -> None:
    cursor = list_products(Filters(), sort="price", limit=5).page.next
    for filters, sort in ((Filters(in_stock=True), "price"), (Filters(), "-price")):
        with pytest.raises(RuleBroken) as refused:
            list_products(filters, sort=sort, limit=5, cursor=cursor)
        assert refused.value.code == "CURSOR_INVALID"


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize(
    "key", [["x", "y"], [1, "y"], ["2026-01-01", "01a20565-7e22-7e68-a695-7daf02e5dce1"], [10**30, 5]]
)
def test_a_forged_cursor_is_refused_or_harmless(sort: str, key: list) -> None:
    assert _outcome(sort, encode_cursor(key, filters={"sort": sort, **Filters().as_json()})) in (
        "refused",
        "page",
    )


def _outcome(sort: str, cursor: str) -> str:
    try:
        list_products(Filters(), sort=sort, limit=5, cursor=cursor)
    except RuleBroken as refusal:
        return "refused" if refusal.code == "CURSOR_INVALID" else refusal.code
    return "page"


def test_a_product_has_all_of_its_parts() -> None:
    product = get_product("leather-anchor")
    assert product.options == ["Color"]
    assert [(v.sku, v.options, v.price) for v in product.variants] == [
        ("leather-anchor.gold", {"Color": "Gold"}, 6999),
        ("leather-anchor.silver", {"Color": "Silver"}, 5500),
    ]
    assert (product.summary.price, product.summary.compare_at_price) == (5500, 8500)
    assert len(product.images) == 3
    assert product.images[0].alt == "Anchor Bracelet Mens"


@pytest.mark.parametrize(
    ("typed", "better"),
    [
        ("neckalce", "necklace"),
        ("goldd", "gold"),
        ("gold neckalce", "gold necklace"),
        ("watring can", "watering can"),
        ("gold", None),
        ("neckl", None),  # still being typed
        ("gld", None),  # too short to guess
        ("qqqqqqqq", None),
    ],
)
def test_misspelt_words_are_put_right(typed: str, better: str | None) -> None:
    assert rules.did_you_mean(typed, suggestions.vocabulary()) == better
