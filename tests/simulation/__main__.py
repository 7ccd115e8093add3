"""`make simulate SEEDS=1000` plays that many histories (from FIRST, 1); `make simulate SEED=123` plays one, in full.

WORKERS (2) processes share them, each with a database, a gateway and a mailbox of its own.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from embedded import services
from embedded.errors import CannotStart
from tests.conftest import ROOT, template_of
from tests.simulation.runner import play_share

SHARE = 10
"""Histories a worker plays in one world before it takes the next."""


def main() -> int:
    """1 when a history ended wrong; its seed and its steps are printed."""
    base = ROOT / "var" / "test"
    try:
        endpoints = services.start(base, profile="test")
        template = template_of(endpoints)
    except CannotStart as problem:
        print(problem, file=sys.stderr)
        return 1
    if seed := os.environ.get("SEED"):
        result = play_share(endpoints, template, [int(seed)])[0]
        print(result)
        return 1 if result.found else 0
    return _many(endpoints, template)


def _many(endpoints: services.Endpoints, template: str) -> int:
    count, first = int(os.environ.get("SEEDS", "100")), int(os.environ.get("FIRST", "1"))
    seeds = range(first, first + count)
    shares = [seeds[start : start + SHARE] for start in range(0, count, SHARE)]
    began, played, steps, failed = time.monotonic(), 0, 0, 0
    workers = int(os.environ.get("WORKERS", "2"))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(play_share, endpoints, template, share) for share in shares]):
            for result in done.result():
                played, steps = played + 1, steps + len(result.steps)
                if result.found:
                    failed += 1
                    print(result, flush=True)
            if sys.stdout.isatty():
                print(f"\r{played} of {count} histories", end="", flush=True)
    spent = time.monotonic() - began
    print(
        f"\n{played} histories (seeds {seeds[0]} to {seeds[-1]}), {steps} acts, in {spent:.0f} s "
        f"({played / spent:.1f} a second): {failed or 'none'} ended wrong"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
