"""Hold and capture as fast as the clients can: the shop's own verbs in processes, and pgbench beside it."""

from __future__ import annotations

import multiprocessing
import random
import re
import subprocess
import tempfile
import time
from multiprocessing.synchronize import Barrier
from typing import Any

from sqlalchemy.engine import make_url

from bench.cluster import Cluster, binary, shop
from bench.ledger_data import MEMBER, member

C = MEMBER.replace("to_hex(n)", "to_hex(:n::bigint)")
ORDER = "(lpad(to_hex(:high::bigint), 16, '0') || lpad(to_hex(:low::bigint), 16, '0'))::uuid"


def shop_rate(cluster: Cluster, *, clients: int, seconds: float, members: int) -> float:
    """Hold + capture a second, by `clients` processes that each call the rewards room's own verbs."""
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(clients + 1), context.Queue()
    processes = [
        context.Process(target=_client, args=(cluster, barrier, results, seconds, members, number))
        for number in range(clients)
    ]
    for process in processes:
        process.start()
    barrier.wait(60)
    done = [results.get(timeout=seconds + 60) for _ in processes]
    for process in processes:
        process.join()
    return sum(count / spent for count, spent in done)


def _client(
    cluster: Cluster, barrier: Barrier, results: Any, seconds: float, members: int, seed: int
) -> None:
    chance = random.Random(seed)
    with shop(cluster).app_context():
        _one(member(chance.randint(1, members)))
        barrier.wait(60)
        count, started = 0, time.monotonic()
        while (spent := time.monotonic() - started) < seconds:
            _one(member(chance.randint(1, members)))
            count += 1
        results.put((count, spent))


def _one(customer_id: Any) -> None:
    from app.kernel import ids
    from app.kernel.actor import system
    from app.kernel.database import run_atomically
    from app.rewards.rules import Rules
    from app.rewards.service import holds

    order_id, actor = ids.uuid7(), system("bench")
    run_atomically(
        lambda: holds.hold(
            customer_id=customer_id,
            order_id=order_id,
            order_number="MPC-BENCH-00000",
            points=500,
            rules=Rules(),
            actor=actor,
        )
    )
    run_atomically(lambda: holds.capture(order_id=order_id, actor=actor))


def pgbench_rate(cluster: Cluster, *, clients: int, seconds: float, members: int) -> float:
    """The same statements as one script, by pgbench with prepared statements: hold + capture a second."""
    where = make_url(cluster.url)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script(members))
        file.flush()
        made = subprocess.run(
            [
                str(binary("pgbench")), "-n", "-M", "prepared", "-f", file.name,
                "-c", str(clients), "-j", str(min(clients, 2)), "-T", str(int(seconds)),
                "-h", str(where.host), "-p", str(where.port), "-U", str(where.username), str(where.database),
            ],
            capture_output=True, text=True, env={"PGPASSWORD": str(where.password)},
        )  # fmt: skip
    found = re.search(r"tps = ([0-9.]+)", made.stdout)
    assert found is not None, made.stdout + made.stderr
    return float(found[1])


def script(members: int) -> str:
    """Hold + capture for pgbench: what `app.rewards.service.holds` sends, statement by statement."""
    from app.rewards.service.holds import CAPTURE, HOLD

    hold = _bound(
        HOLD.text,
        customer=C, order=":ord::uuid", number="'MPC-BENCH-00000'", points="500", hold="uuidv7()", tx="uuidv7()",
        actor="'bench'", now="now()", until="now() + interval '15 minutes'",
    )  # fmt: skip
    capture = _bound(CAPTURE.text, id=":ord::uuid", order_id=":ord::uuid", actor="'bench'", now="now()")
    return f"""\\set n random(1, {members})
\\set high random(0, 4294967295)
\\set low random(0, 4294967295)
BEGIN;
{hold.replace(":ord::uuid", ORDER)};
COMMIT;
BEGIN;
{capture.replace(":ord::uuid", ORDER)};
COMMIT;
"""


def _bound(sql: str, **values: str) -> str:
    return re.sub(r"(?<!:):([a-z_]+)\b", lambda match: values[match[1]], sql).strip()
