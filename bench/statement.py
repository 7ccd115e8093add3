"""`python -m bench.statement`: a page of one member's statement, from the newest to the oldest.

Draws docs/img/ledger-depth.svg and prints what it shows.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

from bench import ledger_data, plot
from bench.cluster import database, shop
from embedded.services import ROOT

LIMIT = 20  # rows a page
STEPS = 10  # points of the curve; each the median of a tenth of all pages


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transactions", type=int, default=50_000)
    options = parser.parse_args(arguments)
    with database("bench_statement") as cluster:
        with cluster.owner() as owner:
            ledger_data.fill(owner, members=1, rounds=options.transactions, points=1)
        with shop(cluster).app_context():
            curve = _curve(_walk())
    for depth, milliseconds in curve:
        print(f"around row {depth:,.0f}: {milliseconds:.2f} ms")
    print(f"{options.transactions:,} transactions, {LIMIT} a page; load average {os.getloadavg()[0]:.1f}")
    drawing = plot.curves(
        "A statement page by its depth", x_label="row", y_label="ms", series={"statement page": curve}
    )
    Path(ROOT / "docs" / "img" / "ledger-depth.svg").write_text(drawing)


def _walk() -> list[float]:
    """Seconds for each page, newest first."""
    from app.rewards import queries

    person, spent, cursor = ledger_data.member(1), [], None
    while True:
        started = time.perf_counter()
        page = queries.list_transactions(person, limit=LIMIT, cursor=cursor)
        spent.append(time.perf_counter() - started)
        cursor = page.next
        if cursor is None:
            return spent


def _curve(spent: list[float]) -> list[tuple[float, float]]:
    size = max(1, len(spent) // STEPS)
    shares = [spent[start : start + size] for start in range(0, size * STEPS, size)]
    return [
        ((number + 0.5) * size * LIMIT, 1_000 * statistics.median(share))
        for number, share in enumerate(shares)
        if share
    ]


if __name__ == "__main__":
    main()
