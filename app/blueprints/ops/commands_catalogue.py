"""`flask catalogue import FILE…` and `flask catalogue export [FILE]`; what seeds the demo shop's products."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from app.catalogue.errors import ImportRefused, Problem
from app.catalogue.queries.whole import count_products
from app.catalogue.service.importing import ImportReport, import_shopify, staged_quantities
from app.catalogue.shopify import writer
from app.inventory import queries as inventory
from app.inventory.service.stock import StockSet, set_on_hand
from app.kernel.database import session, transaction

MAX_SHOWN = 50

catalogue = AppGroup("catalogue", help="Products in and out, as Shopify product CSV.")


def register(app: Flask) -> None:
    app.cli.add_command(catalogue)


def import_file(
    path: Path, *, skip_bad_rows: bool = False, progress: Callable[[int], None] | None = None
) -> tuple[ImportReport, StockSet]:
    """One file, products and stock in one transaction. Raises ImportRefused; then nothing has changed."""
    with transaction():
        report = import_shopify(
            path=path, currency=current_app.config["CURRENCY"], skip_bad_rows=skip_bad_rows, progress=progress
        )
        stock = StockSet()
        for quantities in staged_quantities():
            stock += set_on_hand(quantities=quantities)
    return report, stock


@catalogue.command("import")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--skip-bad-rows", is_flag=True, help="Import the rest of a file that has bad rows.")
def import_command(files: tuple[Path, ...], skip_bad_rows: bool) -> None:
    """Create and update products by handle, variants by sku. A file is imported whole or not at all."""
    refused = False
    for path in files:
        try:
            with click.progressbar(length=path.stat().st_size, label=path.name, file=sys.stderr) as bar:
                report, stock = import_file(path, skip_bad_rows=skip_bad_rows, progress=bar.update)
        except ImportRefused as refusal:
            refused = True
            _show_problems(refusal.problems, refusal.count)
            click.echo(f"{path.name}: nothing was imported.", err=True)
        else:
            _show_problems(report.problems, report.skipped)
            _show_report(report, stock)
    if refused:
        sys.exit(1)


@catalogue.command("export")
@click.argument("file", required=False, type=click.Path(dir_okay=False, writable=True, path_type=Path))
def export_command(file: Path | None) -> None:
    """Write every product to FILE, or to standard output."""
    with transaction():
        session().connection(execution_options={"isolation_level": "REPEATABLE READ"})
        with click.progressbar(length=count_products(), label="Exporting", file=sys.stderr) as bar:
            if file is None:
                writer.write(sys.stdout, quantities=inventory.on_hand, progress=bar.update)
            else:
                with file.open("w", encoding="utf-8", newline="") as stream:
                    rows = writer.write(stream, quantities=inventory.on_hand, progress=bar.update)
    if file is not None:
        click.echo(f"{file}: {rows} rows written.", err=True)


def _show_problems(problems: list[Problem], count: int) -> None:
    for problem in problems[:MAX_SHOWN]:
        click.echo(str(problem), err=True)
    if count > MAX_SHOWN:
        click.echo(f"and {count - MAX_SHOWN} more bad rows", err=True)


def _show_report(report: ImportReport, stock: StockSet) -> None:
    click.echo(
        f"{report.file}: {report.rows} rows. Products: {report.products_created} created, "
        f"{report.products_updated} updated, {report.products_unchanged} unchanged. "
        f"Variants: {report.variants_created} created, {report.variants_updated} updated, "
        f"{report.variants_retired} retired. "
        f"New brands: {report.brands_created}, new categories: {report.categories_created}. "
        f"Stock changed: {stock.changed}. Rows skipped: {report.skipped}."
    )
    if stock.promised:
        click.echo(
            f"{len(stock.promised)} variants keep more stock than the file says: orders hold those units.",
            err=True,
        )
