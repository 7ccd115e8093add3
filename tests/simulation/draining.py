"""After the last step: faults off, some callbacks still come, the rest is lost, and time passes until all is quiet."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, cast

from app.kernel import clock
from jobs.execute import run
from jobs.registry import tasks
from tests.live.shop import LiveShop
from tests.simulation import bank
from tests.simulation.office import DUE, send_refunds_again
from tests.simulation.world import WAITS
from tests.verify import OPEN, at_the_gateway

if TYPE_CHECKING:
    from tests.simulation.history import History

HOPS = (0.1, 1, 2, 1.8, 5, 6, 16, 3, 30, 60)
"""Minutes; the last job that failed comes back after at most an hour."""
SOON, REVIEWED, GIVEN_UP = 5, 16, 35
"""Minutes (I13): all is over after five; money that goes back after fifteen; what the bank never decides after half an
hour, when we give up, and five."""
REVIEW = """
  SELECT o.number FROM orders o WHERE o.status = 'needs_review'
     AND NOT EXISTS (SELECT 1 FROM order_refund r WHERE r.order_id = o.id AND r.state = 'stuck')
"""
FAR_JOBS = "SELECT 'job ' || dedupe_key AS what, payload FROM outbox WHERE done_at IS NULL AND run_at > %s"
MOST_ROUNDS = 40


def drain(history: History) -> str:
    """How long it took until nothing was open any more; what is still open then is found by the checks."""
    world = history.world
    world.faults.disarm()
    world.peer.control("dead", {"dead": False})
    _end_faults(history)
    for payment in bank.undecided(history):
        if history.rng.random() < 0.5:
            bank.settle(history, payment)
    bank.learn(history)
    _tell(history)
    send_refunds_again(history)
    began, slow = clock.now(), {payment["reference"] for payment in bank.undecided(history)}
    # A job that failed again and again rests longer, and what it is about with it.
    far = world.rows(FAR_JOBS, began + timedelta(minutes=3))
    for minutes in HOPS:
        world.forward(minutes=minutes)
        for refund in world.gateway_refunds():
            if refund["status"] == "pending":
                world.peer.control(f"refunds/{refund['id']}/succeeded")
        _work(history)
        if not world.rows(OPEN):
            break
        if not far:
            _check_time(history, (clock.now() - began) / timedelta(minutes=1) - history.ahead, slow)
    spent = clock.now() - began
    world.forward(hours=1)
    _work(history)
    # The match would find it as well, a day later: reconciliation alone has to (M3).
    history.found += at_the_gateway(cast(LiveShop, world))
    _match(history)
    return f"{spent / timedelta(minutes=1):.1f} minutes"


def _tell(history: History) -> None:
    """Half of the callbacks still come. Those about disputes all do: they are asked about once a day."""
    for payment in history.world.gateway_disputes():
        if payment["status"] == "open":
            bank.decide_dispute(history)
    bank.learn(history)
    chosen = history.rng.sample(history.events, len(history.events) // 2)
    chosen += [one for one in history.events if one["type"].startswith("dispute.") and one not in chosen]
    for event in chosen:
        if bank.send(history, event["raw"].encode()) != 200:
            history.wrong(f"callback {event['name']} was refused while draining")


def _check_time(history: History, spent: float, slow: set[str]) -> None:
    """What is open `spent` minutes after the faults ended, and should not be. `slow`: the bank never decided them."""
    left = history.world.rows(OPEN)
    if SOON - 0.5 < spent < GIVEN_UP - 0.5:
        left = [row for row in left if row["about"] not in slow]
    elif spent <= SOON - 0.5:
        left = []
    history.found += [f"still open {spent:.0f} minutes after the faults: {row['what']}" for row in left]
    if spent >= REVIEWED - 0.5:
        history.found += [f"still under review: {row['number']}" for row in history.world.rows(REVIEW)]


def _work(history: History) -> None:
    """Every task of the hour once, and every job that is due, until none is. Daily ones are no part of it: what they
    find is found a day late."""
    for task in (task for task in tasks() if task.every <= timedelta(hours=1)):
        with history.world.app.app_context():
            task.run()
    for _ in range(MOST_ROUNDS):
        due = history.world.rows(DUE, clock.now())
        if not due:
            return
        for row in due:
            run(history.world.app, row["id"])
    history.wrong("jobs are due again and again")


def _match(history: History) -> None:
    """The days of the history, as the daily task does it: all that it finds has been heard at the gateway."""
    with history.world.app.app_context():
        (task,) = (task for task in tasks() if task.name == "payments.match")
        task.run()


def _end_faults(history: History) -> None:
    answer = history.world.peer.call("DELETE", "/control/faults")
    assert answer.status_code == 200, answer.text
    history.world.peer.control("tuning", WAITS)
