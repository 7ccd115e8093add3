"""What stays out: every bad row names file, line and column, and nothing of the file is imported."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from app.blueprints.ops.commands_catalogue import import_file
from app.catalogue.errors import ImportRefused
from app.catalogue.shopify.columns import HEADER, REQUIRED
from tests.catalogue.files import everything, more, row, write

pytestmark = pytest.mark.usefixtures("app_context")
GOOD = [row("good-before"), row("good-after")]
IMAGE = {"Image Src": "https://a.example/1.jpg"}

# what is wrong -> (the rows of the bad product, line of the bad row, its column, words of the message)
BAD_ROWS: dict[str, tuple[list[dict[str, str]], int, str, str]] = {
    "missing handle": ([row("")], 3, "Handle", "missing"),
    "handle with a slash": ([row("a/b")], 3, "Handle", "address"),
    "handle again": ([row("good-before", **{"Variant SKU": "x"})], 3, "Handle", "there already"),
    "other title": ([row("good-before", Title="Another")], 3, "Title", "differs"),
    "handle apart": ([row("b"), row("good-before", Title="")], 4, "Handle", "there already"),
    "missing title": ([row("b", Title="")], 3, "Title", "title"),
    "long title": ([row("b", Title="x" * 501)], 3, "Title", "501 characters"),
    "no price": ([row("b", **{"Variant Price": ""})], 3, "Variant Price", "missing"),
    "price in words": ([row("b", **{"Variant Price": "twelve"})], 3, "Variant Price", "not a price"),
    "price with a sign": ([row("b", **{"Variant Price": "$12.50"})], 3, "Variant Price", "not a price"),
    "price too fine": ([row("b", **{"Variant Price": "12.505"})], 3, "Variant Price", "not a price"),
    "price in exponents": ([row("b", **{"Variant Price": "1e3"})], 3, "Variant Price", "not a price"),
    "price too large": ([row("b", **{"Variant Price": "9" * 20})], 3, "Variant Price", "not a price"),
    "negative price": ([row("b", **{"Variant Price": "-5"})], 3, "Variant Price", "negative"),
    "bad comparison": (
        [row("b", **{"Variant Compare At Price": "x"})],
        3,
        "Variant Compare At Price",
        "not a price",
    ),
    "negative stock": ([row("b", **{"Variant Inventory Qty": "-1"})], 3, "Variant Inventory Qty", "negative"),
    "half a unit": ([row("b", **{"Variant Inventory Qty": "1.5"})], 3, "Variant Inventory Qty", "whole"),
    "too many units": (
        [row("b", **{"Variant Inventory Qty": "9" * 12})],
        3,
        "Variant Inventory Qty",
        "more than",
    ),
    "bad weight": ([row("b", **{"Variant Grams": "heavy"})], 3, "Variant Grams", "weight"),
    "published maybe": ([row("b", Published="maybe")], 3, "Published", "neither"),
    "picture that runs": ([row("b", **{"Image Src": "javascript:alert(1)"})], 3, "Image Src", "picture"),
    "bad position": ([row("b", **IMAGE, **{"Image Position": "first"})], 3, "Image Position", "position"),
    "duplicate sku": ([row("b", **{"Variant SKU": "good-before-1"})], 3, "Variant SKU", "already in line 2"),
    "same options twice": (
        [
            row("b", **{"Option1 Name": "Size", "Option1 Value": "S"}),
            more("b", **{"Option1 Value": "S", "Variant SKU": "b-2", "Variant Price": "1"}),
        ],
        4,
        "Option1 Value",
        "twice",
    ),
    "option without a value": (
        [row("b", **{"Option1 Name": "Size", "Option1 Value": "S", "Option2 Name": "Colour"})],
        3,
        "Option2 Value",
        "missing",
    ),
    "value without an option": ([row("b", **{"Option2 Value": "Blue"})], 3, "Option2 Value", "no name"),
    "nothing in the row": ([row("b"), more("b", **{"Image Alt Text": "x"})], 4, "Option1 Value", "neither"),
    "picture row with more": (
        [row("b"), more("b", **IMAGE, **{"SEO Title": "x"})],
        4,
        "SEO Title",
        "picture only",
    ),
    "control characters": ([row("b", Title="a\x07b")], 3, "Title", "control"),
}


@pytest.mark.parametrize("what", BAD_ROWS)
def test_a_bad_row_is_named_and_nothing_is_imported(
    owner: psycopg.Connection, tmp_path: Path, what: str
) -> None:
    rows, line, column, words = BAD_ROWS[what]
    path = write(tmp_path / "bad.csv", [GOOD[0], *rows, GOOD[1]])
    before = everything(owner)
    with pytest.raises(ImportRefused) as refused:
        import_file(path)
    problem = refused.value.problems[0]
    assert (problem.file, problem.line, problem.column) == ("bad.csv", line, column), str(problem)
    assert words in problem.message
    assert str(problem).startswith(f'bad.csv, line {line}, column "{column}": ')
    assert everything(owner) == before


@pytest.mark.parametrize("column", REQUIRED)
def test_a_missing_column_is_named(owner: psycopg.Connection, tmp_path: Path, column: str) -> None:
    before = everything(owner)
    header = tuple(name for name in HEADER if name != column)
    with pytest.raises(ImportRefused) as refused:
        import_file(write(tmp_path / "bad.csv", GOOD, header), skip_bad_rows=True)
    assert [(p.line, p.column) for p in refused.value.problems] == [(1, column)]
    assert everything(owner) == before


WHOLE = ",".join(HEADER).encode()
UNUSABLE = {
    "empty": (b"", "empty"),
    "blank": (b"  \n\n", "empty"),
    "binary": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary"),
    "binary later": (WHOLE + b"\nx\0\0\0", "binary"),
    "spreadsheet": (b"PK\x03\x04\x14\x00\x06\x00", "binary"),
    "utf-16": (WHOLE.decode().encode("utf-16"), "UTF-16"),
    "latin-1 header": (b"H\xe4ndel,Title\n", "UTF-8"),
    "column twice": (WHOLE + b",Handle\n", "twice"),
    "column without a name": (WHOLE + b",\n", "no name"),
    "quote that never ends": (WHOLE + b'\na,"b\nc\nd\n', "not CSV"),
    "quote in the middle": (WHOLE + b'\na,"b"c,d\n', "not CSV"),
}


@pytest.mark.parametrize("what", UNUSABLE)
@pytest.mark.parametrize("skip", [False, True])
def test_an_unusable_file_is_refused_whole(
    owner: psycopg.Connection, tmp_path: Path, what: str, skip: bool
) -> None:
    content, words = UNUSABLE[what]
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    before = everything(owner)
    with pytest.raises(ImportRefused) as refused:
        import_file(path, skip_bad_rows=skip)
    assert words in refused.value.problems[-1].message
    assert refused.value.problems[-1].line in (1, 2)
    assert everything(owner) == before


def test_bad_encoding_names_line_and_column(owner: psycopg.Connection, tmp_path: Path) -> None:
    path = write(tmp_path / "bad.csv", [*GOOD, row("b", Title="Caf\u00e9")])
    path.write_bytes(path.read_bytes().replace("\u00e9".encode(), b"\xe9"))
    before = everything(owner)
    with pytest.raises(ImportRefused) as refused:
        import_file(path)
    assert [(p.line, p.column) for p in refused.value.problems] == [(4, "Title")]
    assert everything(owner) == before


def test_lines_are_counted_through_cells_of_many_lines(tmp_path: Path) -> None:
    rows = [row("a", **{"Body (HTML)": "one\ntwo\nthree"}), row("b", **{"Variant Price": "x"})]
    with pytest.raises(ImportRefused) as refused:
        import_file(write(tmp_path / "bad.csv", rows))
    assert [problem.line for problem in refused.value.problems] == [5]


def test_a_row_of_the_wrong_length_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.csv", GOOD)
    path.write_text(path.read_text() + "short,row\n", encoding="utf-8")
    with pytest.raises(ImportRefused) as refused:
        import_file(path)
    assert [(p.line, p.column) for p in refused.value.problems] == [(4, HEADER[2])]


def test_every_bad_row_is_told_at_once(tmp_path: Path) -> None:
    rows = [row(f"p{n}", **{"Variant Price": "x" if n % 2 else "1"}) for n in range(10)]
    with pytest.raises(ImportRefused) as refused:
        import_file(write(tmp_path / "bad.csv", rows))
    assert [problem.line for problem in refused.value.problems] == [3, 5, 7, 9, 11]
    assert refused.value.count == 5


def test_a_sku_of_another_product_is_not_taken(owner: psycopg.Connection, tmp_path: Path) -> None:
    import_file(write(tmp_path / "a.csv", [row("first-owner", **{"Variant SKU": "wanted"})]))
    before = everything(owner)
    with pytest.raises(ImportRefused) as refused:
        import_file(write(tmp_path / "b.csv", [row("second-owner", **{"Variant SKU": "wanted"})]))
    assert [(p.line, p.column) for p in refused.value.problems] == [(2, "Variant SKU")]
    assert everything(owner) == before
    report, _ = import_file(tmp_path / "b.csv", skip_bad_rows=True)
    assert (report.products_created, report.skipped) == (0, 1)
    assert everything(owner) == before

    moved = [
        row("first-owner", **{"Variant SKU": "its-new-sku"}),
        row("second-owner", **{"Variant SKU": "wanted"}),
    ]
    import_file(write(tmp_path / "c.csv", moved))
    slug = owner.execute(
        "SELECT p.slug FROM variant v JOIN product p ON p.id = v.product_id WHERE v.sku = 'wanted'"
    ).fetchone()
    assert slug == ("second-owner",), "a file that tells about both may move it"


def test_bad_rows_can_be_skipped(owner: psycopg.Connection, tmp_path: Path) -> None:
    sizes = {"Option1 Name": "Size", "Option1 Value": "S", "Variant SKU": "skip-s"}
    large = {"Option1 Value": "L", "Variant SKU": "skip-l", "Variant Price": "12"}
    path = write(tmp_path / "a.csv", [row("skip", **sizes), more("skip", **large), row("whole")])
    import_file(path)
    bad = [
        row("skip", **sizes, Title="Renamed"),
        more("skip", **(large | {"Variant Price": "x"})),
        row("lost", **{"Variant Price": "x"}),
        more("lost", **(large | {"Variant SKU": "lost-2"})),
        row("whole", Title="Renamed too"),
        row("new"),
    ]
    report, _ = import_file(write(path, bad), skip_bad_rows=True)
    assert (report.products_created, report.products_updated) == (1, 2)
    assert report.skipped == 3
    assert report.variants_retired == 0, "a bad row is no sign that its variant has gone"
    names = owner.execute(
        "SELECT slug, name FROM product WHERE slug IN ('skip', 'lost', 'whole', 'new') ORDER BY slug"
    ).fetchall()
    assert names == [("new", "Title of new"), ("skip", "Renamed"), ("whole", "Renamed too")]
    prices = owner.execute(
        "SELECT sku, price, is_active FROM variant WHERE sku LIKE 'skip-%' ORDER BY sku"
    ).fetchall()
    assert prices == [("skip-l", 1200, True), ("skip-s", 1000, True)]
