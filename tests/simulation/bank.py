"""What happens at the gateway and on the way from it: callbacks in any order, decisions, faults, and time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from app.kernel import clock
from sandbox.gateway.events import signature_header
from tests.sandbox.peers import SECRET
from tests.simulation.customers import digest

if TYPE_CHECKING:
    from tests.simulation.history import History

URL = "/api/v1/webhooks/payments/sandbox"
STUMBLES = ("error_500", "error_500_after", "reset", "reset_after", "truncated", "garbage")
OVER = "SELECT id::text FROM payment WHERE state IN ('declined','canceled')"
SPANS = {"seconds": (20, 70, 200), "minutes": (11, 40), "hours": (3, 26), "days": (16,)}


def deliver(history: History) -> None:
    """Callbacks come late, doubled, in any order; those never chosen are lost."""
    learn(history)
    if not history.events:
        return
    for _ in range(history.rng.randint(1, 4)):
        event = history.rng.choice(history.events)
        with history.attempt(f"callback {event['name']}", context=False):
            status = send(history, event["raw"].encode())
            if status != 200 and not (history.world.faults.struck and status == 503):
                history.wrong(f"callback {event['name']}: HTTP {status}")


def deliver_forged(history: History) -> None:
    """Whatever the gateway did not sign, or signed long ago, changes nothing (I16)."""
    learn(history)
    if not history.events:
        return
    raw, before = history.rng.choice(history.events)["raw"].encode(), digest(history)
    now = int(clock.now().timestamp())
    forged = history.rng.choice(
        (
            {},
            {"Sandbox-Signature": "t=1,v1=00"},
            {"Sandbox-Signature": signature_header(raw, ["whsec_other"], now)},
            {"Sandbox-Signature": signature_header(raw, [SECRET], now - 301)},
            {"Sandbox-Signature": signature_header(raw, [SECRET], now + 302)},
            {"Sandbox-Signature": signature_header(raw + b" ", [SECRET], now)},
        )
    )
    with history.attempt("forged callback", mortal=False, context=False):
        status = history.world.app.test_client().post(URL, data=raw, headers=forged).status_code
        if status != 400:
            history.wrong(f"forged callback: HTTP {status}")
    if digest(history) != before:
        history.wrong("a forged callback changed something")


def deliver_lie(history: History) -> None:
    """Rightly signed, and not true: what counts is what the gateway says when it is asked (M7)."""
    learn(history)
    told = [event for event in history.events if event["type"].startswith("payment.")]
    if not told:
        return
    lie = json.loads(history.rng.choice(told)["raw"])
    payment, status = lie["data"]["payment"], history.rng.choice(("captured", "declined", "canceled"))
    lie["id"] = f"evt_lie_{len(history.steps)}"
    lie["type"] = f"payment.{status}"
    payment |= {"status": status, "amount_captured": payment["amount"] if status == "captured" else 0}
    with history.attempt(f"callback that lies: {payment['reference']} {status}", context=False):
        if (answer := send(history, json.dumps(lie).encode())) != 200 and not history.world.faults.struck:
            history.wrong(f"callback that lies: HTTP {answer}")


def dispute(history: History) -> None:
    """A card holder wants the money back, or a part of it."""
    payments = history.world.gateway_payments()
    paid = [one for one in payments if one["status"] == "captured" and not one["disputed"]]
    if paid:
        payment = history.rng.choice(paid)
        left, share = (
            payment["amount_captured"] - payment["amount_refunded"],
            history.rng.choice((1, 0.6, 0.2)),
        )
        amount = max(1, int(left * share))
        told = {"amount": amount} if left else {}
        history.world.peer.control(f"payments/{payment['id']}/dispute", told)
        history.note(f"bank: {payment['reference']} is disputed, {amount} of {left}")


def decide_dispute(history: History) -> None:
    waiting = [one for one in history.world.gateway_disputes() if one["status"] == "open"]
    if waiting:
        outcome, found = history.rng.choice(("won", "lost", "lost in part")), history.rng.choice(waiting)
        part = (
            {"amount": max(1, found["amount"] // 2)} if outcome == "lost in part" and found["amount"] else {}
        )
        history.world.peer.control(f"disputes/{found['id']}/{outcome.split()[0]}", part)
        history.note(f"bank: a dispute is {outcome}")


def decide(history: History) -> None:
    """The bank makes up its mind, or changes it after the payment had ended."""
    open_ones, closed = _undecided(history)
    if open_ones and (not closed or history.rng.random() < 0.5):
        settle(history, history.rng.choice(open_ones))
    elif closed:
        # What the shop has heard to be over it asks about no more: only the gateway's list tells it (M3).
        over = {row["id"] for row in history.world.rows(OVER)}
        known = [payment for payment in closed if payment["idempotency_key"] in over]
        payment = history.rng.choice(known or closed)
        history.late.add(payment["idempotency_key"])
        history.world.peer.control(f"payments/{payment['id']}/late-authorize")
        heard = ", as the shop had heard," if known else ""
        history.note(f"bank: {payment['reference']} {payment['status']}{heard} and captured after all")
        if history.rng.random() < 0.6:
            lose(history)


def settle(history: History, payment: dict[str, Any]) -> None:
    """A waiting payment is paid or declined."""
    outcome = history.rng.choice(("paid", "paid", "declined"))
    history.world.peer.control(f"payments/{payment['id']}/{outcome}")
    history.note(f"bank: {payment['reference']} {outcome}")


def settle_refund(history: History) -> None:
    pending = [row for row in history.world.gateway_refunds() if row["status"] == "pending"]
    if pending:
        outcome = history.rng.choice(("succeeded", "succeeded", "failed"))
        history.world.peer.control(f"refunds/{history.rng.choice(pending)['id']}/{outcome}")
        history.note(f"bank: a refund that was on its way has {outcome}")


def bounce(history: History) -> None:
    """The account behind the card is closed: money that had arrived comes back."""
    arrived = [row for row in history.world.gateway_refunds() if row["status"] == "succeeded"]
    if arrived:
        refund = history.rng.choice(arrived)
        history.world.peer.control(f"refunds/{refund['id']}/failed")
        history.note("bank: a refund that had arrived came back")


def stumble(history: History) -> None:
    """The gateway is about to fail once or twice, or is down until it is up again."""
    control, choice = history.world.peer.control, history.rng.random()
    if choice < 0.6:
        fault, times = history.rng.choice(STUMBLES), history.rng.randint(1, 2)
        control(
            "faults", {"fault": fault, "next": times, "on": history.rng.choice(("writes", "reads", "any"))}
        )
        history.note(f"gateway will {fault} {times}x")
    else:
        dead = history.rng.choice(("503", "reset", False, False))
        control("dead", {"dead": dead})
        history.note(f"gateway dead: {dead}")


def let_time_pass(history: History) -> None:
    unit = history.rng.choices(list(SPANS), (6, 4, 2, 1))[0]
    span = history.rng.choice(SPANS[unit])
    history.world.forward(**{unit: span})
    history.note(f"{span} {unit} pass")


def learn(history: History) -> None:
    """Hear what the gateway would like to tell."""
    for event in history.world.gateway_events(history.heard):
        history.heard = event["number"]
        history.events.append(event | {"name": f"{event['type']} #{len(history.events)}"})


def lose(history: History) -> None:
    """Whatever it would like to tell now never arrives."""
    lost = history.world.gateway_events(history.heard)
    history.heard = lost[-1]["number"] if lost else history.heard
    history.note(f"bank: {len(lost)} callbacks are lost")


def send(history: History, raw: bytes) -> int:
    """One callback, signed now; the HTTP status."""
    signature = signature_header(raw, [SECRET], int(clock.now().timestamp()))
    headers = {"Sandbox-Signature": signature}
    return history.world.app.test_client().post(URL, data=raw, headers=headers).status_code


def undecided(history: History) -> list[dict[str, Any]]:
    return _undecided(history)[0]


def _undecided(history: History) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Payments that wait at the gateway, and those that ended without money."""
    payments = [one for one in history.world.gateway_payments() if not one["tombstone"]]
    waiting = [one for one in payments if one["status"] in ("processing", "requires_action")]
    return waiting, [one for one in payments if one["status"] in ("declined", "canceled")]
