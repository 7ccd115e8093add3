"""`python -m bench servers`: the whole shop behind gunicorn and behind granian, in turns (docs/adr/0014).

Needs wrk. Writes the table of docs/performance.md; about two minutes on an idle machine of two cores.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from bench import shoppers
from embedded.services import ROOT
from embedded.stack import PROCESSES, Stack
from embedded.supervisor import Command, Supervised

SERVERS: dict[str, tuple[str, ...]] = {
    "gunicorn": PROCESSES["web"],
    "granian": (
        *(
            "-m",
            "granian",
            "--interface",
            "wsgi",
            "--http",
            "1",
            "--no-ws",
            "--port",
            "{port}",
            "--backlog",
            "1024",
        ),
        *("--workers", "2", "--blocking-threads", "8", "--respawn-failed-workers", "wsgi:app"),
    ),
}
READS = {
    "GET /healthz": "/healthz",
    "GET /api/v1/products": "/api/v1/products?limit=24",
    "product page": "/p/{slug}",
}
ORDERS = "cart, quote and order by card"
CONNECTIONS = 16
SHOPPERS = 8
ENVIRONMENT = {
    "SHOP_ENV": "testing",
    "PASSWORD_HASHING": "cheap",
    "RATE_LIMITS": "off",
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "json",
    "DATABASE_URL": "",
    "REDIS_URL": "",
    "WEB_CONCURRENCY": "2",
    "WEB_THREADS": "8",
}
BEGIN, END = "<!-- servers: written by python -m bench servers -->", "<!-- /servers -->"


class Figure(NamedTuple):
    """One measurement: answers a second, 99th percentile in ms, CPU ms of the web processes for each answer."""

    rate: float
    tail: float
    cpu: float


Figures = dict[str, list[Figure]]  # what is measured: each round


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench servers", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved repetitions; medians are shown")
    options = parser.parse_args(arguments)
    if shutil.which("wrk") is None:
        sys.exit("bench servers needs wrk: install it (Debian: apt-get install wrk) and try again.")
    figures = measure(options.seconds, options.rounds)
    path = ROOT / "docs" / "performance.md"
    before, rest = path.read_text().split(BEGIN)
    table = _table(figures, options.seconds, options.rounds)
    path.write_text(before + BEGIN + "\n" + table + END + rest.split(END)[1])
    print(table)


def measure(seconds: int, rounds: int) -> dict[str, Figures]:
    """{server: figures}. Both answer on the same port, over the same database, one after the other."""
    base = ROOT / "var" / "bench" / "servers"
    stack = Stack(base, profile="run", environ=ENVIRONMENT, seed=False, say=lambda *_: None)
    found: dict[str, Figures] = {name: {} for name in SERVERS}
    try:
        stack.start()
        stack.flask("catalogue", "import", str(_catalogue(base)))
        people = shoppers.prepare(stack.url, SHOPPERS)
        stack.process("web").stop()
        for turn in range(rounds):
            for name in list(SERVERS)[:: 1 if turn % 2 == 0 else -1]:
                with _served(stack, SERVERS[name]) as server:
                    _round(server, stack.url, people, seconds, found[name])
    finally:
        stack.stop()
    return found


@contextmanager
def _served(stack: Stack, arguments: tuple[str, ...]) -> Iterator[psutil.Process]:
    """The shop behind one server, in the surroundings that the stack's own had."""
    with tempfile.TemporaryDirectory(prefix="shop-metrics-", ignore_cleanup_errors=True) as metrics:
        environment = {**stack.process("web").command.environment, "PROMETHEUS_MULTIPROC_DIR": metrics}
        words = tuple(argument.format(port=stack.ports["web"]) for argument in arguments)
        server = Supervised(Command("web", (sys.executable, *words), environment, ROOT), lambda *_: None)
        server.start()
        try:
            shoppers.wait_until_ready(stack.url)
            yield psutil.Process(server.pid)
        finally:
            server.stop()


def _round(
    server: psutil.Process, url: str, people: list[shoppers.Shopper], seconds: int, into: Figures
) -> None:
    slug = shoppers.first_slug(url)
    for name, path in READS.items():
        target = url + path.format(slug=slug)
        _wrk(target, 1)  # warm: every worker has its connections and templates
        before = _cpu(server)
        count, rate, tail = _wrk(target, seconds)
        into.setdefault(name, []).append(Figure(rate, tail, (_cpu(server) - before) / count))
    shoppers.shop_for(people, 1)
    before = _cpu(server)
    count, rate, tail = shoppers.shop_for(people, 2 * seconds)
    into.setdefault(ORDERS, []).append(Figure(rate, tail, (_cpu(server) - before) / count))


def _cpu(server: psutil.Process) -> float:
    """CPU of the server and its workers so far, in ms."""
    spent = [process.cpu_times() for process in (server, *server.children(recursive=True))]
    return sum(times.user + times.system for times in spent) * 1000


def _catalogue(base: Path) -> Path:
    """The demo shop's products with stock for a long day."""
    with (ROOT / "demo" / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = [row | {"Variant Inventory Qty": "1000000"} for row in reader]
    path = base / "catalogue.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, reader.fieldnames or ())
        writer.writeheader()
        writer.writerows(rows)
    return path


def _wrk(url: str, seconds: int) -> tuple[int, float, float]:
    """(answers, answers a second, 99th percentile in ms). Ends the benchmark when any answer is not 200."""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "--latency", url],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = re.search(
        r"99%\s+([\d.]+)(us|ms|s)[\s\S]+?(\d+) requests in[\s\S]+Requests/sec:\s+([\d.]+)", done
    )
    if found is None or "Non-2xx" in done or "Socket errors" in done:
        sys.exit(f"bench servers: {url} was not answered as it should be.\n{done}")
    value, unit, count, rate = found.groups()
    return int(count), float(rate), float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def _table(figures: dict[str, Figures], seconds: int, rounds: int) -> str:
    ours, other = (figures[name] for name in SERVERS)
    lines = [
        f"`python -m bench servers --seconds {seconds} --rounds {rounds}` on {platform.machine()},",
        f"{os.cpu_count()} cores, Python {platform.python_version()}, load average {os.getloadavg()[0]:.1f}.",
        "Load as it was at the end. Two values are gunicorn / granian.",
        "",
        "| what | a second | ratio, median (least–most) | 99th percentile ms | web CPU ms for each | CPU ratio |",
        "|---|---|---|---|---|---|",
    ]
    for name in ours:
        a, b = _median(ours[name]), _median(other[name])
        ratios = sorted(
            second.rate / first.rate for first, second in zip(ours[name], other[name], strict=True)
        )
        lines.append(
            f"| {name} | {a.rate:,.0f} / {b.rate:,.0f} "
            f"| {statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f}) "
            f"| {a.tail:,.0f} / {b.tail:,.0f} | {a.cpu:.2f} / {b.cpu:.2f} | {b.cpu / a.cpu:.2f} |"
        )
    return "\n".join(lines) + "\n"


def _median(rounds: list[Figure]) -> Figure:
    return Figure(*(statistics.median(column) for column in zip(*rounds, strict=True)))


if __name__ == "__main__":
    main()
