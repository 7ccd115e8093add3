"""The gateway dies under load and comes back: is an order lost, is anybody charged twice, when is all settled?

`python -m bench.dead_gateway --dead 600`: the whole shop in processes of its own, shoppers who go on ordering all the
time, the books compared with the gateway's own list at the end. Exit code 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.live.shop import LiveShop, running
from tests.live.shopper import Reply, Shopper
from tests.verify import OPEN, differences

WARM, AFTER = 10.0, 10.0
LIMIT = 300.0
"""Seconds after the gateway's return in which everything must have its end."""


@dataclass
class Told:
    """What the shop answered while the gateway was alive, dead, and alive again."""

    answers: dict[str, Counter[str]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    numbers: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, phase: str, reply: Reply, seconds: float) -> None:
        with self.lock:
            word = f"{reply.status} {reply.code}".strip() if reply.status else "broken connections"
            self.answers.setdefault(phase, Counter())[word] += 1
            self.seconds.setdefault(phase, []).append(seconds)
            if reply.status in (201, 202, 402):
                self.numbers.add(reply.order["number"])

    def line(self, phase: str) -> str:
        spent = sorted(self.seconds.get(phase, [0.0]))
        counts = ", ".join(f"{count} x {word}" for word, count in self.answers.get(phase, Counter()).items())
        median, worst = spent[len(spent) // 2], spent[-1]
        return f"{phase:6} {len(spent)} answers, median {median:.2f} s, worst {worst:.1f} s: {counts}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.dead_gateway", description=__doc__)
    parser.add_argument("--dead", type=float, default=60, help="seconds without a gateway")
    parser.add_argument("--shoppers", type=int, default=6)
    parser.add_argument("--how", choices=["503", "reset"], default="503")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="dead-gateway-") as folder,
        running(Path(folder)) as shop,
    ):
        return measure(shop, options.dead, options.shoppers, options.how)


def measure(shop: LiveShop, dead: float, count: int, how: str) -> int:
    told, stop = Told(), threading.Event()
    phase = ["before"]
    shoppers = [Shopper(shop, points=1_000_000, stock=1_000_000) for _ in range(count)]
    threads = [threading.Thread(target=order_on, args=(one, told, phase, stop)) for one in shoppers]
    for thread in threads:
        thread.start()
    time.sleep(WARM)
    shop.control("dead", {"dead": how})
    phase[0] = "dead"
    time.sleep(dead)
    shop.control("dead", {"dead": False})
    phase[0], returned = "after", time.monotonic()
    time.sleep(AFTER)
    stop.set()
    for thread in threads:
        thread.join()
    open_at_return = len(shop.rows(OPEN))
    while shop.rows(OPEN) and time.monotonic() - returned < LIMIT:
        time.sleep(0.5)
    settled = time.monotonic() - returned
    return report(shop, told, settled, open_at_return)


def order_on(shopper: Shopper, told: Told, phase: list[str], stop: threading.Event) -> None:
    """Order after order, half a second apart, some with points; an unclear answer is left to the shop."""
    chance = random.Random(shopper.id.int)
    while not stop.is_set():
        shopper.fill_cart()
        at, began = phase[0], time.monotonic()
        body = {"points": chance.choice((0, 500, 1_000)), "shipping_method": "standard"}
        quote = shopper.send("POST", "/checkout/quotes", body | {"address_id": str(shopper.address_id)})
        if quote.status != 201:
            told.hear(at, quote, time.monotonic() - began)
            continue
        began = time.monotonic()
        told.hear(at, shopper.place(quote.data), time.monotonic() - began)
        stop.wait(chance.uniform(0.2, 0.8))


def report(shop: LiveShop, told: Told, settled: float, open_then: int) -> int:
    known = {row["number"]: row["status"] for row in shop.rows("SELECT number, status FROM orders")}
    lost, wrong = sorted(told.numbers - set(known)), differences(shop)
    for phase in ("before", "dead", "after"):
        print(told.line(phase))
    ends = ", ".join(f"{count} {status}" for status, count in sorted(Counter(known.values()).items()))
    print(f"orders: {len(known)} ({ends}); lost: {len(lost)}")
    print(f"settled {settled:.0f} s after the gateway's return ({open_then} things open when the load ended)")
    print(f"differences to the gateway's own list, double charges included: {len(wrong)}")
    for difference in wrong[:20]:
        print(f"  {difference}")
    return 1 if lost or wrong or settled >= LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
