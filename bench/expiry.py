"""`python -m bench.expiry --lots 1000000`: how long so many lots take to expire, and how long a batch keeps its locks.

One due lot a member, which is the most work: each needs a transaction of its own in the ledger. A lock lives no
longer than the batch's transaction, so the longest transaction bounds it.
"""

from __future__ import annotations

import argparse
import os
import time

from bench import ledger_data
from bench.cluster import database, shop

DUE = "UPDATE points_lot SET expires_at = now() - interval '1 day' - (random() * interval '1 day')"
EVERY = 500  # batches between two progress lines


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lots", type=int, default=1_000_000)
    options = parser.parse_args(arguments)
    with database("bench_expiry") as cluster:
        with cluster.owner() as owner:
            ledger_data.fill(owner, members=options.lots, points=100)
            owner.execute("ALTER TABLE points_lot DISABLE TRIGGER USER")
            owner.execute(DUE)
            owner.execute("ALTER TABLE points_lot ENABLE TRIGGER USER")
            owner.execute("VACUUM ANALYZE points_lot")
        with shop(cluster).app_context():
            spent, held = expire(options.lots)
    held.sort()
    print(
        f"{options.lots:,} lots in {spent:.0f} s ({options.lots / spent:,.0f} a second); transactions: median "
        f"{_ms(held, 0.5)} ms, 99 % within {_ms(held, 0.99)} ms, 99.9 % within {_ms(held, 0.999)} ms, longest "
        f"{_ms(held, 1)} ms; load average {os.getloadavg()[0]:.1f}"
    )


def expire(lots: int) -> tuple[float, list[float]]:
    """Seconds in all, and of each batch's transaction; the batches are those of `flask rewards expire`."""
    from app.kernel.actor import system
    from app.kernel.database import transaction
    from app.rewards.service import expiry

    actor = system("bench")
    began, held, done = time.perf_counter(), [], 0
    after: expiry.Place | None = expiry.start()
    while after is not None:
        started = time.perf_counter()
        with transaction():
            batch = expiry.expire_batch(after=after, actor=actor)
        held.append(time.perf_counter() - started)
        after, done = batch.after, done + batch.lots
        if len(held) % EVERY == 0:
            print(f"{done:,} of {lots:,} after {time.perf_counter() - began:.0f} s", flush=True)
    assert done == lots, f"{lots - done} lots are left"
    return time.perf_counter() - began, held


def _ms(held: list[float], share: float) -> int:
    return round(1_000 * held[min(len(held) - 1, int(share * len(held)))])


if __name__ == "__main__":
    main()
