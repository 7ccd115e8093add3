"""What comes out: the same format, and importing it changes nothing."""

from __future__ import annotations

import csv
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from app.blueprints.ops.commands_catalogue import import_file
from app.catalogue.shopify.columns import HEADER
from tests.catalogue.files import SHOPIFY, everything, more, row, write

FILES = ("apparel", "home-and-garden", "jewelery")


@pytest.fixture(scope="module")
def filled(app: Flask, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The three files of Shopify, and products with everything that those lack."""
    rows = [
        row(
            "everything",
            **{
                "Body (HTML)": '<p>a "quoted" text,\nover lines &amp; more</p>',
                "Type": "Home > Kitchen > Cups",
                "Tags": "b, a",
                "Option1 Name": "Size",
                "Option1 Value": "S/M",
                "Option2 Name": "Colour",
                "Option2 Value": "蓝 blue",
                "Variant SKU": "",
                "Variant Grams": "453.59237",
                "Variant Barcode": "'0012",
                "Image Src": "/static/demo/a.svg",
                "Image Alt Text": "A cup, blue",
                "SEO Title": "Seo",
                "Fabric (product.metafields.custom.fabric)": "Wool",
                "Cost per item": "3.10",
            },
        ),
        more(
            "everything",
            **{
                "Option1 Value": "L",
                "Option2 Value": "blue",
                "Variant Price": "0",
                "Variant Image": "https://a.example/v",
            },
        ),
        more("everything", **{"Image Src": "https://a.example/2", "Image Position": "1"}),
        more("everything", **{"Image Src": "https://a.example/3"}),
        row("unbranded", Vendor="", Type="", Tags=""),
        row("hidden", Published="false"),
        row("draft", Status="draft"),
    ]
    header = (*HEADER, "Cost per item", "Status", "Fabric (product.metafields.custom.fabric)")
    with app.app_context():
        for name in FILES:
            import_file(SHOPIFY / f"{name}.csv")
        import_file(write(tmp_path_factory.mktemp("files") / "more.csv", rows, header))


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.usefixtures("filled")
def test_importing_the_export_changes_nothing(app: Flask, owner: psycopg.Connection, tmp_path: Path) -> None:
    before = everything(owner)
    path, again = tmp_path / "out.csv", tmp_path / "again.csv"
    runner = app.test_cli_runner()
    assert runner.invoke(args=["catalogue", "export", str(path)]).exit_code == 0
    result = runner.invoke(args=["catalogue", "import", str(path)])
    assert result.exit_code == 0, result.output
    assert "0 created, 0 updated, 64 unchanged" in result.output
    assert "Stock changed: 0" in result.output
    assert everything(owner) == before
    runner.invoke(args=["catalogue", "export", str(again)])
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("name", FILES)
def test_the_export_gives_back_what_went_in(app: Flask, tmp_path: Path, name: str) -> None:
    """Cell by cell, but for what is written in one way: amounts, blank skus, positions."""
    path = tmp_path / "out.csv"
    app.test_cli_runner().invoke(args=["catalogue", "export", str(path)])
    exported = read(path)
    written = {"Variant SKU", "Variant Price", "Variant Compare At Price", "Image Position"}
    compared = 0
    for cells in read(SHOPIFY / f"{name}.csv"):
        same = [out for out in exported if out["Handle"] == cells["Handle"]]
        key = "Image Src" if not cells["Variant Price"] else "Option1 Value"
        (out,) = [out for out in same if out[key] == cells[key]]
        assert {c: out[c] for c in cells if c not in written} == {
            c: cells[c] for c in cells if c not in written
        }
        for column in ("Variant Price", "Variant Compare At Price"):
            assert (out[column] and float(out[column])) == (cells[column] and float(cells[column]))
        compared += 1
    assert compared > 20


def test_export_to_standard_output(app: Flask, filled: None) -> None:
    result = app.test_cli_runner().invoke(args=["catalogue", "export"])
    assert result.exit_code == 0
    assert result.stdout.startswith("Handle,Title,Body (HTML),Vendor,")
    assert "\neverything," in result.stdout


def test_the_command_names_what_is_wrong_and_fails(
    app: Flask, owner: psycopg.Connection, tmp_path: Path, filled: None
) -> None:
    bad = write(tmp_path / "bad.csv", [row("fine"), row("b", **{"Variant Price": "x"})])
    good = write(tmp_path / "good.csv", [row("really-fine")])
    result = app.test_cli_runner().invoke(args=["catalogue", "import", str(bad), str(good)])
    assert result.exit_code == 1
    assert "bad.csv, line 3, column \"Variant Price\": 'x' is not a price in HKD" in result.stderr
    assert "bad.csv: nothing was imported." in result.stderr
    assert "good.csv: 1 rows. Products: 1 created" in result.stdout
    slugs = owner.execute("SELECT slug FROM product WHERE slug IN ('fine', 'really-fine')").fetchall()
    assert slugs == [("really-fine",)]
    skipped = app.test_cli_runner().invoke(args=["catalogue", "import", "--skip-bad-rows", str(bad)])
    assert skipped.exit_code == 0
    assert "1 created" in skipped.stdout
    assert "Rows skipped: 1" in skipped.stdout
    missing = app.test_cli_runner().invoke(args=["catalogue", "import", str(tmp_path / "none.csv")])
    assert missing.exit_code == 2
    assert "does not exist" in missing.stderr
