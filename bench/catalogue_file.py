"""A large product file to measure the importer with: `python -m bench.catalogue_file 100000 FILE`.

Then `/usr/bin/time -v flask catalogue import FILE`: seconds and peak memory. Deterministic: the same rows always
give the same file. A third of the products have four variants, every variant has a picture.
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from app.catalogue.shopify.columns import HEADER

FIRST = (
    "Quiet",
    "Harbour",
    "Copper",
    "Linen",
    "Alpine",
    "Coral",
    "Ink",
    "Meadow",
    "Slate",
    "Amber",
    "Frost",
    "Cedar",
)
LAST = (
    "Lamp",
    "Case",
    "Kettle",
    "Scarf",
    "Radio",
    "Mug",
    "Blanket",
    "Watch",
    "Tray",
    "Bag",
    "Chair",
    "Clock",
)
WORDS = "soft warm wool woven by hand for cold mornings and long flights with care from the coast a light that lasts"
TEXT_WORDS = 60
BRANDS, TOPS, SUBS = 300, 8, 80
USUAL = {
    "Variant Inventory Policy": "deny",
    "Variant Fulfillment Service": "manual",
    "Variant Requires Shipping": "true",
    "Variant Taxable": "true",
    "Variant Weight Unit": "kg",
}


def rows(count: int) -> Iterator[dict[str, object]]:
    chance = random.Random(4)
    made = number = 0
    while made < count:
        number += 1
        variants = min(4 if number % 3 == 0 else 1, count - made)
        for variant in range(variants):
            row = _variant(number, variant, single=number % 3 != 0, chance=chance)
            yield row | _head(number, chance) if variant == 0 else row
            made += 1


def _variant(number: int, variant: int, *, single: bool, chance: random.Random) -> dict[str, object]:
    return USUAL | {
        "Handle": f"product-{number}",
        "Option1 Value": "Default Title" if single else f"Size {variant}",
        "Variant SKU": f"SKU-{number}-{variant}",
        "Variant Grams": chance.randrange(2000),
        "Variant Inventory Qty": chance.randrange(40),
        "Variant Price": f"{chance.randrange(1000, 900_000) / 100:.2f}",
        "Image Src": f"https://pictures.example/{number}-{variant}.jpg",
        "Image Position": variant + 1,
    }


def _head(number: int, chance: random.Random) -> dict[str, object]:
    words = " ".join(chance.choices(WORDS.split(), k=TEXT_WORDS))
    return {
        "Title": f"{chance.choice(FIRST)} {chance.choice(FIRST)} {chance.choice(LAST)} {number}",
        "Body (HTML)": f"<p>{words}.</p><ul><li>One</li><li>Two</li></ul>",
        "Vendor": f"Brand {number % BRANDS}",
        "Type": f"Top {number % TOPS} > Sub {number % SUBS}",
        "Tags": f"new, {chance.choice(FIRST)}",
        "Published": "true",
        "Option1 Name": "Size" if number % 3 == 0 else "Title",
        "Gift Card": "false",
    }


def main(count: str, path: str) -> None:
    with Path(path).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, HEADER, restval="")
        writer.writeheader()
        writer.writerows(rows(int(count)))


if __name__ == "__main__":
    main(*sys.argv[1:])
