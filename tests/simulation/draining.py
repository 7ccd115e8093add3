"""After the last step: faults off, some callbacks still come, the rest is lost, and time passes until all is quiet."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from app.kernel import clock
from jobs.execute import run
from jobs.registry import tasks
from tests.simulation import bank
from tests.simulation.office import DUE, send_refunds_again
from tests.verify import OPEN

if TYPE_CHECKING:
    from tests.simulation.history import History

HOPS = (0.1, 1, 2, 5, 10, 15, 30, 60)
"""Minutes. An abandoned payment is cancelled after 30; the last job that failed comes back after at most an hour."""
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
    for event in history.rng.sample(history.events, len(history.events) // 2):
        if bank.send(history, event["raw"].encode()) != 200:
            history.wrong(f"callback {event['name']} was refused while draining")
    began = clock.now()
    for minutes in HOPS:
        world.forward(minutes=minutes)
        for refund in world.gateway_refunds():
            if refund["status"] == "pending":
                world.peer.control(f"refunds/{refund['id']}/succeeded")
        _work(history)
        send_refunds_again(history)
        if not world.rows(OPEN):
            break
    spent = clock.now() - began
    world.forward(hours=1)
    _work(history)
    return f"{spent / timedelta(minutes=1):.1f} minutes"


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


def _end_faults(history: History) -> None:
    answer = history.world.peer.call("DELETE", "/control/faults")
    assert answer.status_code == 200, answer.text
    tuning = {"timeout_seconds": 0.3, "late_seconds": 10**7, "webhook_delay_seconds": 0}
    history.world.peer.control("tuning", tuning)
