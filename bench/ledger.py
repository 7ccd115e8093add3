"""`python -m bench.ledger`: hold + capture beside pgbench, reads and verify over a growing ledger.

Writes docs/performance-ledger.md with its plots. `--entries` is the largest ledger (10 million take about 6 GB of
disk); `--seconds` the length of each measurement.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from bench import ledger_clients, ledger_data, ledger_history, plot
from bench.cluster import Cluster, database, shop
from embedded.services import ROOT

CLIENTS = (1, 4, 16)
MEMBERS = 10_000
CYCLES = 4  # of each member in the growing ledger
ROUNDS = CYCLES * ledger_history.STEPS  # transactions of each; two entries each
OUT = ROOT / "docs"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved repetitions; medians are shown")
    parser.add_argument("--entries", type=int, default=1_000_000)
    options = parser.parse_args(arguments)
    sizes = [size for size in (10_000, 100_000, 1_000_000, 10_000_000) if size <= options.entries]
    rates = throughput(options.seconds, options.rounds)
    reads = [(size, *growing(size)) for size in sizes]
    _write(rates, reads, options)


def throughput(seconds: float, repetitions: int) -> list[tuple[str, int, float, float]]:
    """[(customers, clients, pgbench a second, shop a second)], medians of interleaved rounds."""
    rows = []
    with database("bench_ledger") as cluster:
        with cluster.owner() as owner:
            ledger_data.fill(owner, members=MEMBERS)
        for name, members in (("random customers", MEMBERS), ("one hot customer", 1)):
            for clients in CLIENTS:
                pairs = [_pair(cluster, clients, seconds, members) for _ in range(repetitions)]
                reference, ours = (statistics.median(rate) for rate in zip(*pairs, strict=True))
                rows.append((name, clients, reference, ours))
                print(f"{name}, {clients} clients: pgbench {reference:.0f}/s, shop {ours:.0f}/s", flush=True)
    return rows


def _pair(cluster: Cluster, clients: int, seconds: float, members: int) -> tuple[float, float]:
    settings = {"clients": clients, "seconds": seconds, "members": members}
    return ledger_clients.pgbench_rate(cluster, **settings), ledger_clients.shop_rate(cluster, **settings)


def growing(entries: int) -> tuple[float, float, float, float, float]:
    """Milliseconds of a balance read, of the first and of a deep statement page; verify's seconds and MiB."""
    members = entries // ROUNDS // 2
    with database("bench_reads") as cluster:
        with cluster.owner() as owner:
            ledger_history.fill(owner, members=members, cycles=CYCLES)
        with shop(cluster).app_context():
            figures = _reads(members)
            seconds, mebibytes = _verify(cluster)
    print(f"{entries:,} entries: {figures} ms, verify {seconds:.1f} s with {mebibytes:.0f} MiB", flush=True)
    return (*figures, seconds, mebibytes)


def _reads(members: int) -> tuple[float, float, float]:
    import random

    from app.kernel.database import session
    from app.rewards import queries

    chance = random.Random(7)
    people = [ledger_data.member(chance.randint(1, members)) for _ in range(400)]

    def deep(person: object) -> None:
        page = queries.list_transactions(person, limit=5)  # type: ignore[arg-type]
        while page.next:
            page = queries.list_transactions(person, cursor=page.next, limit=5)  # type: ignore[arg-type]

    def median(read: Callable[[object], object], times: int = 1) -> float:
        spent = []
        for person in people:
            started = time.perf_counter()
            read(person)
            spent.append((time.perf_counter() - started) / times)
        session().rollback()
        return round(statistics.median(spent) * 1_000, 2)

    pages = -(-ROUNDS // 5)
    balance = median(lambda person: queries.get_balance(person))  # type: ignore[arg-type]
    first = median(lambda person: queries.list_transactions(person, limit=5))  # type: ignore[arg-type]
    return balance, first, median(deep, pages)


def _verify(cluster: Cluster) -> tuple[float, float]:
    """Seconds of what `flask rewards verify` does, and the peak memory of this process and of its server process.

    There is one: the command has PostgreSQL use no parallel workers.
    """
    from app.audit import verification
    from app.blueprints.ops.commands_rewards_proof import PROBES
    from app.kernel.database import end_reading, session, transaction

    end_reading()
    peak = 0.0
    with transaction():
        pid = int(session().connection().exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        session().rollback()
        report = verification.run(PROBES)
        peak = _peak_of(pid)
    assert report.ok, report.differences
    mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return report.seconds, mine + peak


def _peak_of(pid: int) -> float:
    """MiB at most so far, shared buffers included; 0 where /proc does not say."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0.0
    lines = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) / 1024 if lines else 0.0


def _write(
    rates: list[tuple[str, int, float, float]],
    reads: list[tuple[int, float, float, float, float, float]],
    options: argparse.Namespace,
) -> None:
    (OUT / "img").mkdir(parents=True, exist_ok=True)
    for name in ("random customers", "one hot customer"):
        chosen = [row for row in rates if row[0] == name]
        drawing = plot.curves(
            f"Hold + capture, {name}", x_label="clients", y_label="a second",
            series={"pgbench": [(row[1], row[2]) for row in chosen], "the shop": [(row[1], row[3]) for row in chosen]},
        )  # fmt: skip
        (OUT / "img" / f"ledger-{name.split()[1 if 'hot' in name else 0]}.svg").write_text(drawing)
    series = {
        "balance": [(row[0], row[1]) for row in reads],
        "statement, first page": [(row[0], row[2]) for row in reads],
        "statement, any page": [(row[0], row[3]) for row in reads],
    }
    drawing = plot.curves("Reads over a growing ledger", x_label="entries", y_label="ms", series=series)
    (OUT / "img" / "ledger-reads.svg").write_text(drawing)
    (OUT / "performance-ledger.md").write_text(_report(rates, reads, options))


def _report(
    rates: list[tuple[str, int, float, float]],
    reads: list[tuple[int, float, float, float, float, float]],
    options: argparse.Namespace,
) -> str:
    lines = [
        "# Performance of the ledger",
        "",
        (
            f"Made by `python -m bench.ledger --seconds {options.seconds:g} --rounds {options.rounds} "
            f"--entries {options.entries}` on {platform.machine()}, {os.cpu_count()} cores, Python "
            f"{platform.python_version()}, load average {os.getloadavg()[0]:.1f} at the end. Both sides are durable "
            "(fsync on), and run on the same cores as the server: read the figures as ratios."
        ),
        "",
        "## Hold + capture: two transactions, no HTTP",
        "",
        "pgbench runs the same statements as one script, prepared; the shop's side is its own verbs in one process a",
        "client. Medians of interleaved rounds.",
        "",
        "| customers | clients | pgbench a second | shop a second | ratio |",
        "|---|---|---|---|---|",
        *[f"| {name} | {clients} | {a:,.0f} | {b:,.0f} | {b / a:.2f} |" for name, clients, a, b in rates],
        "",
        "![random customers](img/ledger-random.svg)",
        "![one hot customer](img/ledger-hot.svg)",
        "",
        "## Reads and verify over a growing ledger",
        "",
        (
            f"{ROUNDS} transactions a member. Milliseconds in the client, median of 400 members; any page: the "
            "mean over all pages of 5 rows. verify: all checks of the command, over gifts, holds, orders, "
            "payments, earnings, audit rows and a seal as well; memory of client and server process,"
        ),
        "together, shared buffers included.",
        "",
        "| entries | balance ms | first page ms | any page ms | verify s | verify MiB |",
        "|---|---|---|---|---|---|",
        *[
            f"| {size:,} | {balance} | {first} | {deep} | {seconds:.1f} | {memory:.0f} |"
            for size, balance, first, deep, seconds, memory in reads
        ],
        "",
        "![reads](img/ledger-reads.svg)",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
