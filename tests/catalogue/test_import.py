"""What goes in: the files that shops export, whole and exact, and again without a change."""

from __future__ import annotations

import csv
import time
import uuid
from decimal import Decimal
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from flask import Flask

from app.blueprints.ops.commands_catalogue import import_file
from app.inventory.service.stock import set_on_hand
from app.kernel.database import transaction
from tests.catalogue.files import SHOPIFY, everything, more, row, write

pytestmark = pytest.mark.usefixtures("app_context")
COUNTS = {"apparel": (20, 22, 20), "home-and-garden": (20, 21, 21), "jewelery": (20, 23, 41)}


def product(owner: psycopg.Connection, slug: str) -> dict:
    names = (
        "id name description options tags source price compare_at_price availability image_url is_published"
    )
    found = owner.execute(
        f"SELECT {', '.join('p.' + n for n in names.split())}, b.name, c.path, c.name FROM product p "
        "JOIN brand b ON b.id = p.brand_id JOIN category c ON c.id = p.category_id WHERE p.slug = %s",
        (slug,),
    ).fetchone()
    assert found is not None, slug
    return dict(zip([*names.split(), "brand", "path", "category"], found, strict=True))


def variants(owner: psycopg.Connection, slug: str) -> list[tuple]:
    return owner.execute(
        "SELECT v.sku, v.options, v.price, v.compare_at_price, s.on_hand, v.is_active, v.availability, v.image_url "
        "FROM variant v JOIN product p ON p.id = v.product_id JOIN stock s ON s.variant_id = v.id "
        "WHERE p.slug = %s ORDER BY v.position",
        (slug,),
    ).fetchall()


def images(owner: psycopg.Connection, slug: str) -> list[tuple]:
    return owner.execute(
        "SELECT i.url, i.alt, i.position FROM product_image i JOIN product p ON p.id = i.product_id "
        "WHERE p.slug = %s ORDER BY i.position",
        (slug,),
    ).fetchall()


@pytest.mark.parametrize("name", COUNTS)
def test_the_files_of_shopify_go_in_whole_and_exact(owner: psycopg.Connection, name: str) -> None:
    """Every cell is compared with the database, read by a second reader that knows nothing of the importer."""
    report, stock = import_file(SHOPIFY / f"{name}.csv")
    products, skus, pictures = COUNTS[name]
    assert (report.products_created, report.variants_created, stock.changed) == (products, skus, skus)
    assert report.skipped == 0
    seen_images = 0
    with (SHOPIFY / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        by_handle: dict[str, list[dict[str, str]]] = {}
        for cells in csv.DictReader(stream):
            by_handle.setdefault(cells["Handle"], []).append(cells)
    for handle, rows in by_handle.items():
        found, first = product(owner, handle), rows[0]
        assert found["name"] == first["Title"]
        assert found["description"] == first["Body (HTML)"], "nothing in these texts needs cleaning"
        assert found["brand"] == first["Vendor"]
        assert found["category"] == (first["Type"] or first["Tags"].split(",")[0])
        assert found["tags"] == [tag.strip() for tag in first["Tags"].split(",")]
        wanted = [cells for cells in rows if cells["Variant Price"]]
        options = [] if first["Option1 Value"] == "Default Title" else [first["Option1 Name"]]
        assert found["options"] == options
        got = variants(owner, handle)
        assert [v[1] for v in got] == [[c["Option1 Value"]] if options else [] for c in wanted]
        assert [v[2] for v in got] == [int(Decimal(c["Variant Price"]) * 100) for c in wanted]
        compare = [c["Variant Compare At Price"] for c in wanted]
        assert [v[3] for v in got] == [int(Decimal(c) * 100) if c else None for c in compare]
        assert [v[4] for v in got] == [int(c["Variant Inventory Qty"]) for c in wanted]
        assert [v[7] for v in got] == [c["Variant Image"] or None for c in wanted]
        assert found["price"] == min(v[2] for v in got)
        assert [i[0] for i in images(owner, handle)] == [c["Image Src"] for c in rows if c["Image Src"]]
        seen_images += len(images(owner, handle))
    assert (len(by_handle), seen_images) == (products, pictures)


def test_availability_follows_the_stock(owner: psycopg.Connection) -> None:
    assert product(owner, "pink-armchair")["availability"] == "sold_out"
    assert product(owner, "cream-sofa")["availability"] == "low_stock"
    assert product(owner, "grey-sofa")["availability"] == "in_stock"
    assert [v[6] for v in variants(owner, "leather-anchor")] == ["low_stock", "sold_out"]
    assert product(owner, "leather-anchor")["availability"] == "low_stock"


@pytest.mark.parametrize("name", COUNTS)
def test_a_second_import_changes_nothing(owner: psycopg.Connection, name: str) -> None:
    before = everything(owner)
    report, stock = import_file(SHOPIFY / f"{name}.csv")
    assert (report.products_created, report.products_updated, report.products_unchanged) == (0, 0, 20)
    assert (report.variants_created, report.variants_updated, report.variants_retired) == (0, 0, 0)
    assert stock.changed == 0
    assert everything(owner) == before


def test_a_changed_file_updates_by_handle_and_sku(owner: psycopg.Connection, tmp_path: Path) -> None:
    sizes = {
        "Option1 Name": "Size",
        "Option1 Value": "S",
        "Variant SKU": "cup-s",
        "Image Src": "https://a.example/1",
    }
    large = {
        "Option1 Value": "L",
        "Variant SKU": "cup-l",
        "Variant Price": "12",
        "Variant Inventory Qty": "9",
    }
    path = write(tmp_path / "a.csv", [row("cup", **sizes), more("cup", **large), row("other")])
    import_file(path)
    ids = owner.execute("SELECT id FROM variant WHERE sku IN ('cup-s', 'cup-l') ORDER BY sku").fetchall()
    alone = product(owner, "other")

    medium = large | {"Option1 Value": "M", "Variant SKU": "cup-m", "Variant Price": "8.5"}
    changed = sizes | {
        "Title": "New name",
        "Variant Price": "11",
        "Type": "Kitchen > Cups",
        "Image Src": "https://a.example/2",
    }
    report, stock = import_file(write(path, [row("cup", **changed), more("cup", **medium)]))
    assert (report.products_created, report.products_updated, report.products_unchanged) == (0, 1, 0)
    assert (report.variants_created, report.variants_updated, report.variants_retired) == (1, 1, 1)
    assert stock.changed == 1
    found = product(owner, "cup")
    assert (found["name"], found["price"], found["path"]) == ("New name", 850, "kitchen/cups")
    assert sorted((v[0], v[2], v[5]) for v in variants(owner, "cup")) == [
        ("cup-l", 1200, False),
        ("cup-m", 850, True),
        ("cup-s", 1100, True),
    ]
    assert images(owner, "cup") == [("https://a.example/2", "", 1)]
    assert (
        owner.execute("SELECT id FROM variant WHERE sku IN ('cup-s', 'cup-l') ORDER BY sku").fetchall() == ids
    )
    assert product(owner, "other") == alone, "what a file does not name is left alone"

    import_file(write(path, [row("cup", **sizes), more("cup", **large)]))
    assert [(v[0], v[5]) for v in sorted(variants(owner, "cup"))] == [
        ("cup-l", True),
        ("cup-m", False),
        ("cup-s", True),
    ], "what comes back is sold again"


def test_availability_of_a_product_counts_its_active_variants(
    owner: psycopg.Connection, tmp_path: Path
) -> None:
    sizes = {
        "Option1 Name": "Size",
        "Option1 Value": "S",
        "Variant SKU": "jar-s",
        "Variant Inventory Qty": "0",
    }
    large = {
        "Option1 Value": "L",
        "Variant SKU": "jar-l",
        "Variant Price": "12",
        "Variant Inventory Qty": "9",
    }
    path = write(tmp_path / "a.csv", [row("jar", **sizes), more("jar", **large)])
    import_file(path)
    assert product(owner, "jar")["availability"] == "in_stock"
    import_file(write(path, [row("jar", **sizes)]))
    assert product(owner, "jar")["availability"] == "sold_out"


def test_markup_is_sanitised(owner: psycopg.Connection, tmp_path: Path) -> None:
    body = (
        '<h1>Big</h1><p onclick="x()">Fine &amp; <b>bold</b><script>alert(1)</script></p><img src=x onerror=alert(1)>'
        '<a href="javascript:alert(1)">a</a><a href="https://a.example">b</a><style>p{}</style><iframe src=x></iframe>'
    )
    import_file(write(tmp_path / "a.csv", [row("markup", **{"Body (HTML)": body})]))
    kept = product(owner, "markup")["description"]
    assert kept == (
        'Big<p>Fine &amp; <b>bold</b></p><a rel="noopener noreferrer">a</a>'
        '<a href="https://a.example" rel="noopener noreferrer">b</a>'
    )


def test_category_is_the_type_else_the_first_tag_else_other(
    owner: psycopg.Connection, tmp_path: Path
) -> None:
    rows = [
        row("typed", Type="Home > Kitchen > Cups", Tags="x"),
        row("tagged", Type="", Tags="Garden, Sale"),
        row("neither", Type="", Tags=""),
        row("same-name", Type="Travel > Kitchen"),
    ]
    import_file(write(tmp_path / "a.csv", rows))
    assert product(owner, "typed")["category"] == "Cups"
    assert product(owner, "tagged")["category"] == "Garden"
    assert product(owner, "neither")["category"] == "Other"
    tree = owner.execute(
        "SELECT c.name, p.name FROM category c LEFT JOIN category p ON p.id = c.parent_id "
        "WHERE c.name = 'Kitchen' AND p.name IN ('Home', 'Travel') ORDER BY p.name"
    ).fetchall()
    assert tree == [("Kitchen", "Home"), ("Kitchen", "Travel")]


def test_a_blank_sku_is_made_from_handle_and_options(owner: psycopg.Connection, tmp_path: Path) -> None:
    options = {"Option1 Name": "Size", "Option1 Value": "Extra Large", "Variant SKU": ""}
    odd = {"Option1 Value": "1/2", "Variant Price": "3", "Variant Inventory Qty": "1"}
    path = write(
        tmp_path / "a.csv",
        [row("blank", **options), more("blank", **odd), row("plain", **{"Variant SKU": ""})],
    )
    import_file(path)
    skus = [v[0] for v in variants(owner, "blank")]
    assert skus[0] == "blank.extra-large"
    assert skus[1].startswith("blank.1-2-")
    assert [v[0] for v in variants(owner, "plain")] == ["plain"]
    assert import_file(path)[0].variants_created == 0


def test_drafts_and_unpublished_products_are_not_shown(owner: psycopg.Connection, tmp_path: Path) -> None:
    rows = [row("hidden", Published="false"), row("draft", Status="draft"), row("shown", Status="active")]
    header = (*rows[1], "Body (HTML)", "Tags", "Variant Compare At Price", "Image Src")
    import_file(write(tmp_path / "a.csv", rows, header))
    assert [product(owner, name)["is_published"] for name in ("hidden", "draft", "shown")] == [
        False,
        False,
        True,
    ]


def test_stock_that_orders_hold_is_not_taken_away(owner: psycopg.Connection, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [row("held", **{"Variant Inventory Qty": "5"})])
    import_file(path)
    owner.execute(
        "UPDATE stock SET reserved = 4 WHERE variant_id = (SELECT id FROM variant WHERE sku = 'held-1')"
    )
    _, stock = import_file(write(path, [row("held", **{"Variant Inventory Qty": "1"})]))
    assert len(stock.promised) == 1
    assert [v[4] for v in variants(owner, "held")] == [4]


def test_a_blank_quantity_says_nothing_about_stock(owner: psycopg.Connection, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [row("quiet", **{"Variant Inventory Qty": "5"})])
    import_file(path)
    import_file(
        write(
            path,
            [row("quiet", **{"Variant Inventory Qty": ""}), row("fresh", **{"Variant Inventory Qty": ""})],
        )
    )
    assert [v[4] for v in variants(owner, "quiet")] == [5]
    assert [v[4] for v in variants(owner, "fresh")] == [0]


def test_two_last_units_at_once_leave_the_product_sold_out(
    app: Flask, owner: psycopg.Connection, tmp_path: Path
) -> None:
    sizes = {"Option1 Name": "Size", "Option1 Value": "S", "Variant SKU": "last-s"}
    large = {
        "Option1 Value": "L",
        "Variant SKU": "last-l",
        "Variant Price": "12",
        "Variant Inventory Qty": "9",
    }
    import_file(write(tmp_path / "a.csv", [row("last", **sizes), more("last", **large)]))
    (small,), (big,) = owner.execute(
        "SELECT id FROM variant WHERE sku LIKE 'last-%' ORDER BY sku DESC"
    ).fetchall()

    def sell_out(variant_id: uuid.UUID) -> None:
        with app.app_context(), transaction():
            set_on_hand(quantities=[(variant_id, 0)])
            time.sleep(0.3)  # both have changed their stock before either commits

    threads = [Thread(target=sell_out, args=(variant_id,)) for variant_id in (small, big)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [v[6] for v in variants(owner, "last")] == ["sold_out", "sold_out"]
    assert product(owner, "last")["availability"] == "sold_out"
