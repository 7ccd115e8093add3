"""The demo catalogue: what it offers, and that the committed files are what the generator makes."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from decimal import Decimal
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from demo.build import CATALOGUE, PICTURES, ROOT, files
from demo.csvfile import COLUMNS, check_digit
from demo.draw.registry import ROUTINES
from demo.products import VENDORS, products

SVG = "{http://www.w3.org/2000/svg}"
Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def rows() -> Rows:
    with CATALOGUE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def heads(rows: Rows) -> Rows:
    return [row for row in rows if row["Title"]]


@pytest.fixture(scope="module")
def variants(rows: Rows) -> Rows:
    return [row for row in rows if row["Variant SKU"]]


def test_committed_files_are_what_the_generator_makes() -> None:
    made = dict(files())
    assert set(PICTURES.glob("*.svg")) == set(made) - {CATALOGUE}
    differing = [path.name for path, text in made.items() if path.read_bytes() != text.encode()]
    assert differing == []


def test_building_twice_gives_the_same_bytes() -> None:
    assert list(files()) == list(files())


def test_columns_are_shopifys(rows: Rows) -> None:
    assert tuple(rows[0]) == COLUMNS
    assert len(COLUMNS) == 47


def test_size_of_the_shop(heads: Rows) -> None:
    assert len(heads) >= 260
    assert len({row["Handle"] for row in heads}) == len(heads)
    assert len({row["Title"] for row in heads}) == len(heads)
    assert {row["Vendor"] for row in heads} == set(VENDORS.values())
    assert len(VENDORS) == 20


def test_four_top_categories_of_four_to_six(heads: Rows) -> None:
    tree: dict[str, set[str]] = defaultdict(set)
    for row in heads:
        top, leaf = row["Type"].split(" > ")
        tree[top].add(leaf)
    assert len(tree) == 4
    assert all(4 <= len(leaves) <= 6 for leaves in tree.values())


def test_skus_and_barcodes_are_unique(variants: Rows) -> None:
    for column in ("Variant SKU", "Variant Barcode"):
        assert len({row[column] for row in variants}) == len(variants), column


def test_check_digit_of_known_codes() -> None:
    # two codes often shown as examples of the format
    assert check_digit("400638133393") == "1"
    assert check_digit("590123412345") == "7"


def test_barcodes_are_in_store_ean_13(variants: Rows) -> None:
    for row in variants:
        code = row["Variant Barcode"]
        assert re.fullmatch(r"2\d{12}", code), code
        weighted = sum(int(digit) * weight for digit, weight in zip(code, [1, 3] * 6 + [1], strict=True))
        assert weighted % 10 == 0, code


def test_prices_are_plain_and_reductions_are_real(variants: Rows) -> None:
    reduced = set()
    for row in variants:
        assert re.fullmatch(r"\d+\.\d\d", row["Variant Price"])
        price = Decimal(row["Variant Price"])
        assert 50 <= price <= 16000, row
        if row["Variant Compare At Price"]:
            assert Decimal(row["Variant Compare At Price"]) > price, row
            reduced.add(row["Handle"])
    assert 50 <= len(reduced) <= 90


def test_options_are_complete_and_distinct(rows: Rows) -> None:
    by_handle: dict[str, Rows] = defaultdict(list)
    for row in rows:
        by_handle[row["Handle"]].append(row)
    with_options = 0
    for handle, lines in by_handle.items():
        names = [lines[0][f"Option{at} Name"] for at in (1, 2, 3) if lines[0][f"Option{at} Name"]]
        offered = [line for line in lines if line["Variant SKU"]]
        values = [tuple(line[f"Option{at} Value"] for at in range(1, len(names) + 1)) for line in offered]
        assert all(all(value) for value in values), handle
        assert len(set(values)) == len(values) <= 12, handle
        with_options += names != ["Title"]
    assert 0.25 <= with_options / len(by_handle) <= 0.5


def test_stock_has_sold_out_and_low_variants(variants: Rows) -> None:
    stock = [int(row["Variant Inventory Qty"]) for row in variants]
    assert min(stock) == 0
    assert stock.count(0) >= 10
    assert sum(1 <= pieces <= 4 for pieces in stock) >= 20
    assert all(int(row["Variant Grams"]) > 0 for row in variants)


def test_long_titles_are_there_but_not_beyond_120(heads: Rows) -> None:
    lengths = [len(row["Title"]) for row in heads]
    assert max(lengths) <= 120
    assert sum(length > 90 for length in lengths) >= 3


def test_texts_are_simple_html_and_never_repeat(heads: Rows) -> None:
    allowed = {"p", "ul", "li"}
    seen: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag in allowed
            assert attrs == []

    for row in heads:
        Reader().feed(row["Body (HTML)"])
        for sentence in re.split(r"(?<=[.!?]) ", re.sub(r"<[^>]+>", " ", row["Body (HTML)"])):
            plain = sentence.strip()
            assert plain not in seen, plain
            seen.update({plain} - {""})


def test_the_drawn_colour_is_the_first_one_offered() -> None:
    for product in products():
        for name, choices in product.options:
            if name == "Colour":
                assert choices[0].value.lower() == product.colour, product.title


def test_every_picture_of_the_catalogue_is_a_quiet_svg(rows: Rows) -> None:
    sources = [row["Image Src"] for row in rows if row["Image Src"]]
    assert len(set(sources)) == len(sources)
    for source in sources:
        tree = ElementTree.parse(ROOT / "app" / source.lstrip("/")).getroot()  # our own files
        assert tree.tag == f"{SVG}svg"
        assert tree.get("viewBox") == "0 0 800 800"
        for element in tree.iter():
            assert element.tag.removeprefix(SVG) not in {
                "script",
                "image",
                "text",
                "foreignObject",
                "use",
                "a",
            }
            for name, value in element.attrib.items():
                assert not name.startswith("on")
                assert "href" not in name
                assert "http" not in value
                assert "nan" not in value


def test_references_inside_a_picture_resolve() -> None:
    for path in PICTURES.glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"url\(#(\w+)\)", text)) <= set(re.findall(r'id="(\w+)"', text)), path.name


def test_pictures_differ_and_stay_small() -> None:
    paths = list(PICTURES.glob("*.svg"))
    drawings = {re.sub(r"<title>.*?</title>", "", path.read_text(encoding="utf-8")) for path in paths}
    assert len(drawings) == len(paths)
    assert sum(path.stat().st_size for path in paths) <= 3_000_000
    assert max(path.stat().st_size for path in paths) <= 16_000


def test_every_routine_is_used_and_every_image_described(rows: Rows) -> None:
    assert {product.drawing for product in products()} == set(ROUTINES)
    assert len(ROUTINES) >= 35
    assert all(row["Image Alt Text"] for row in rows if row["Image Src"])
    assert all(row["Published"] == "true" for row in rows if row["Title"])


def test_home_page_pictures() -> None:
    wide = ElementTree.parse(PICTURES / "hero.svg").getroot()
    assert wide.get("viewBox") == "0 0 1600 600"
    assert {path.name for path in PICTURES.glob("category-*.svg")} == {
        "category-travel-luggage.svg",
        "category-home-living.svg",
        "category-electronics-audio.svg",
        "category-style-taste.svg",
    }
