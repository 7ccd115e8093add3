"""Writes demo/catalogue.csv and every picture in app/static/demo: `python -m demo.build`.

The output depends on the sheets in demo/data and this code alone, so building twice gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from demo.csvfile import catalogue, has_second_view
from demo.draw.banner import banners
from demo.draw.picture import picture
from demo.products import Product, products

ROOT = Path(__file__).parent.parent
CATALOGUE = ROOT / "demo" / "catalogue.csv"
PICTURES = ROOT / "app" / "static" / "demo"


def pictures_of(product: Product) -> Iterator[tuple[str, str]]:
    """File name and SVG text of each picture of one product."""
    for view in (1, 2) if has_second_view(product) else (1,):
        suffix = "" if view == 1 else f"-{view}"
        yield (
            f"{product.handle}{suffix}.svg",
            picture(
                handle=product.handle,
                title=product.title,
                kind=product.drawing,
                style=product.style,
                colour=product.colour,
                view=view,
            ),
        )


def files() -> Iterator[tuple[Path, str]]:
    """Every file of the demo catalogue and what it holds."""
    every = list(products())
    yield CATALOGUE, catalogue(every)
    for name, text in banners().items():
        yield PICTURES / name, text
    for product in every:
        for name, text in pictures_of(product):
            yield PICTURES / name, text


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    written = set()
    for path, text in files():
        path.write_text(text, encoding="utf-8", newline="\n")
        written.add(path)
    for left_over in set(PICTURES.glob("*.svg")) - written:
        left_over.unlink()
    print(f"{len(written) - 1} pictures, {CATALOGUE.name}: {sum(1 for _ in products())} products")


if __name__ == "__main__":
    main()
