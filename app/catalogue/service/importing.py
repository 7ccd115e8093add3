"""Bring products into the catalogue: staged by COPY, checked whole, merged by a dozen statements.

The caller's transaction holds all of it: an import that is refused has written nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.catalogue.drafts import ProductDraft
from app.catalogue.errors import Problem
from app.catalogue.service import merge_sql as sql
from app.catalogue.service.taxonomy import Taxonomy
from app.catalogue.shopify.parser import Parser
from app.catalogue.shopify.reader import Problems, read
from app.kernel import clock, ids
from app.kernel.database import session

BATCH = 2000


@dataclass
class ImportReport:
    """Counts; `skipped` are rows that were bad. `problems` are at most the first thousand."""

    file: str
    rows: int = 0
    products_created: int = 0
    products_updated: int = 0
    products_unchanged: int = 0
    variants_created: int = 0
    variants_updated: int = 0
    variants_retired: int = 0
    brands_created: int = 0
    categories_created: int = 0
    skipped: int = 0
    problems: list[Problem] = field(default_factory=list)


def import_shopify(
    *,
    path: Path,
    currency: str,
    skip_bad_rows: bool = False,
    progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """Products by handle, variants by sku; what the file does not name is left alone, except variants of the
    products that it does name: those are retired. `progress` is told bytes as they are read.

    Raises ImportRefused with every bad row, and with `skip_bad_rows` only for a file that is no use at all.
    Stock is not the catalogue's: the caller sets `staged_quantities` in the same transaction.
    """
    problems = Problems(path.name)
    parser = Parser(currency=currency, problems=problems)
    _prepare()
    taxonomy = Taxonomy()
    products = parser.products(read(path, problems, progress))
    while batch := list(islice(products, BATCH)):
        _stage(batch, taxonomy)
    _refuse_taken_skus(problems, skip_bad_rows=skip_bad_rows)
    if problems.count and not skip_bad_rows:
        raise problems.refusal()
    report = ImportReport(path.name, rows=parser.rows, skipped=problems.count, problems=problems.kept)
    report.brands_created, report.categories_created = taxonomy.new_brands, taxonomy.new_categories
    taxonomy.store_new()
    _merge(report, currency)
    return report


def staged_quantities() -> Iterator[Sequence[tuple[uuid.UUID, int]]]:
    """(variant id, units on hand) of the import of this transaction, in batches, by variant id."""
    rows = session().execute(text(sql.QUANTITIES), execution_options={"stream_results": True})
    for batch in rows.partitions(10_000):
        yield [(variant_id, quantity) for variant_id, quantity in batch]


def _prepare() -> None:
    """One import at a time: two would stage against each other's past. No time limit: a file may be long."""
    session().execute(text("SET LOCAL statement_timeout = 0"))
    session().execute(text("SET LOCAL lock_timeout = 0"))
    session().execute(text("SELECT pg_advisory_xact_lock(hashtext('catalogue.import'))"))
    session().execute(text(sql.STAGE))


def _stage(batch: Iterable[ProductDraft], taxonomy: Taxonomy) -> None:
    products: list[tuple[Any, ...]] = []
    variants: list[tuple[Any, ...]] = []
    images: list[tuple[Any, ...]] = []
    for product in batch:
        products.append(_product_row(product, taxonomy))
        variants.extend(_variant_rows(product))
        images.extend(
            (ids.uuid7(), product.slug, place, image.url, image.alt)
            for place, image in enumerate(product.images, start=1)
        )
    _copy(sql.COPY_PRODUCT, products)
    _copy(sql.COPY_VARIANT, variants)
    _copy(sql.COPY_IMAGE, images)


def _product_row(product: ProductDraft, taxonomy: Taxonomy) -> tuple[Any, ...]:
    cheapest = min(product.variants, key=lambda variant: variant.price)
    picture = product.images[0] if product.images else None
    return (
        product.line,
        ids.uuid7(),
        product.slug,
        product.name,
        product.description,
        taxonomy.brand(product.brand),
        taxonomy.category(product.category),
        _json(product.options),
        _json(product.tags),
        _json(product.attributes),
        _json(product.source),
        product.is_published,
        cheapest.price,
        cheapest.compare_at_price,
        picture.url if picture else None,
        picture.alt or None if picture else None,
        product.complete,
    )


def _variant_rows(product: ProductDraft) -> Iterator[tuple[Any, ...]]:
    for position, variant in enumerate(product.variants, start=1):
        yield (
            variant.line,
            ids.uuid7(),
            product.slug,
            variant.sku,
            _json(variant.options),
            position,
            variant.price,
            variant.compare_at_price,
            variant.barcode,
            variant.grams,
            variant.image_url,
            _json(variant.source),
            variant.quantity,
        )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _copy(statement: str, rows: list[tuple[Any, ...]]) -> None:
    driver: Any = session().connection().connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _refuse_taken_skus(problems: Problems, *, skip_bad_rows: bool) -> None:
    for line, sku, slug in session().execute(text(sql.TAKEN_SKUS)):
        problems.add(line, "Variant SKU", f"the sku {sku!r} belongs to the product {slug!r}")
    if skip_bad_rows:
        session().execute(text(sql.DROP_TAKEN))


def _merge(report: ImportReport, currency: str) -> None:
    values = {"currency": currency, "now": clock.now()}
    session().execute(text(sql.RESOLVE))
    _run(sql.INSERT_PRODUCTS, values)
    _run(sql.UPDATE_PRODUCTS, values)
    report.variants_created = _run(sql.INSERT_VARIANTS, values)
    report.variants_updated = _run(sql.UPDATE_VARIANTS, values)
    report.variants_retired = _run(sql.RETIRE_VARIANTS, values)
    _run(sql.DELETE_IMAGES, values)
    _run(sql.INSERT_IMAGES, values)
    if report.skipped:
        _run(sql.REPRICE, values)
    created, updated, whole = session().execute(text(sql.COUNTS)).one()
    report.products_created, report.products_updated = created, updated
    report.products_unchanged = whole - created - updated


def _run(statement: str, values: dict[str, Any]) -> int:
    used = {name: value for name, value in values.items() if f":{name}" in statement}
    result: Any = session().execute(text(statement), used)
    return int(result.rowcount)
