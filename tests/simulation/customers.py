"""What shoppers do: quote, order, ask again, pay again, cancel, and try what is not theirs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from app.checkout import cancel as cancelling
from app.checkout import flow
from app.checkout import quote as quoting
from app.checkout.rules import Quote
from app.kernel.database import run_atomically
from app.kernel.errors import NotFound, RuleBroken, ShopError
from app.payments.gateway import PaymentMethod
from tests.factories.shop import TERMS, fill_cart
from tests.simulation.asking import Asked, present
from tests.simulation.people import Person

if TYPE_CHECKING:
    from tests.simulation.history import History

PAYABLE_FOR = timedelta(days=7)
DYING = 0.4
"""The share of orders, payments and cancels that may die: at one of their five crash points, or as the others."""
CANCELLABLE = ("payment_pending", "payment_failed", "paid", "packed", "shipped")
TOKENS = {
    "pm_card_visa": 30,
    "pm_card_chargeDeclined": 10,
    "pm_card_authenticationRequired": 6,
    "pm_sandbox_processing": 6,
    "pm_sandbox_lost_webhook_paid": 8,
    "pm_sandbox_lost_webhook_declined": 5,
    "pm_sandbox_late_webhook": 4,
    "pm_sandbox_duplicate_webhooks": 3,
    "pm_sandbox_out_of_order_webhooks": 3,
    "pm_sandbox_error_500": 4,
    "pm_sandbox_error_500_paid": 5,
    "pm_sandbox_reset": 3,
    "pm_sandbox_reset_paid": 4,
    "pm_sandbox_truncated_paid": 3,
    "pm_sandbox_garbage_paid": 3,
    "pm_sandbox_refund_pending": 6,
    "pm_sandbox_refund_fails": 3,
    "pm_sandbox_timeout_paid": 1,
    "pm_sandbox_timeout_declined": 0.5,
    "pm_sandbox_timeout_before": 0.5,
}


@dataclass
class Quoted:
    person: Person
    quote: Quote


def quote(history: History) -> None:
    rng, person = history.rng, history.rng.choice(history.cast.shoppers)
    chosen = rng.sample(history.cast.variants, rng.choices((1, 2, 3), (6, 3, 1))[0])
    lines = {variant: rng.choices((1, 2, 5), (8, 3, 1))[0] for variant in chosen}
    points: int | str = rng.choice((0, "max", "max", rng.randrange(500, 3_000, 100)))
    with history.attempt(f"quote {points} points", mortal=False):
        fill_cart(person.id, lines)
        make = partial(
            quoting.make,
            customer_id=person.id,
            points=points,
            address_id=person.address_id,
            shipping_method_code="standard",
            terms=TERMS,
        )
        history.quotes.append(Quoted(person, run_atomically(make)))


def place(history: History) -> None:
    if not history.quotes or history.rng.random() < 0.8:
        quote(history)
    if not history.quotes:
        return
    chosen = history.quotes[-1] if history.rng.random() < 0.9 else history.rng.choice(history.quotes)
    token = _token(history) if chosen.quote.card_due else None
    call = partial(
        flow.place,
        quote_id=chosen.quote.id,
        method=PaymentMethod("token", token) if token else None,
        gateway=history.world.gateway,
        terms=TERMS,
        present=present,
        actor=chosen.person.actor,
    )
    what = f"place {chosen.quote.points} points + {chosen.quote.card_due} by {token}"
    _ask_first(
        history, what, "orders", chosen.person, str(chosen.quote.id), lambda request: call(request=request)
    )


def pay_again(history: History) -> None:
    found = order_of(history, "payment_failed")
    if found is None:
        return
    number, person = found
    token = _token(history)
    call = partial(
        flow.pay_again,
        number=number,
        method=PaymentMethod("token", token),
        gateway=history.world.gateway,
        payable_for=PAYABLE_FOR,
        present=present,
        actor=person.actor,
    )
    what = f"pay {number} again by {token}"
    _ask_first(history, what, "payments", person, number + token, lambda request: call(request=request))


def cancel(history: History) -> None:
    """Half of them while the bank has not decided: then the gateway has to be asked first (M11)."""
    pending = order_of(history, "payment_pending") if history.rng.random() < 0.5 else None
    found = pending or order_of(history, *CANCELLABLE)
    if found is None:
        return
    number, person = found
    what = f"cancel {number}{' while it is pending' if pending else ''}"
    call = partial(
        cancelling.cancel,
        number=number,
        customer_id=person.id,
        gateway=history.world.gateway,
        present=present,
        actor=person.actor,
    )
    _ask_first(history, what, "cancel", person, number, lambda request: call(request=request))


def ask_again(history: History) -> None:
    """The same key and body, minutes or days later."""
    if history.asked:
        _ask(history, history.rng.choice(history.asked[-6:]), "again: ")


def ask_with_another_body(history: History) -> None:
    """The same key with another request must be refused, and change nothing (I11)."""
    answered = [one for one in history.asked if one.answer is not None]
    if not answered:
        return
    asked, before = history.rng.choice(answered), _digest(history)
    with history.attempt(f"other body: {asked.what}", mortal=False):
        try:
            asked.call(asked.request("something else"))
            history.wrong(f"{asked.what}: another body was served")
        except RuleBroken as error:
            if error.code != "IDEMPOTENCY_KEY_REUSED":
                history.wrong(f"{asked.what}: another body met {error.code}")
    if _digest(history) != before:
        history.wrong(f"{asked.what}: another body changed something")


def meddle(history: History) -> None:
    """Somebody else's order is not there, whatever one wants to do with it."""
    found = order_of(history, "payment_pending", "payment_failed", "paid")
    if found is None:
        return
    number, owner = found
    stranger = next(person for person in history.cast.shoppers if person != owner)
    before = _digest(history)
    call = history.rng.choice((_cancel_as, _pay_as))
    with history.attempt(f"meddle with {number}", mortal=False):
        try:
            call(history, number, stranger)
            history.wrong(f"{number}: {call.__name__} served a stranger")
        except NotFound:
            pass
        except ShopError as error:
            history.wrong(f"{number}: {call.__name__} told a stranger {error.code}")
    if _digest(history) != before:
        history.wrong(f"{number}: a stranger changed something")


def _cancel_as(history: History, number: str, person: Person) -> None:
    asked = Asked("", person.id, "cancel", _key(history), number, lambda _: flow.Answer(0, {}, b""))
    cancelling.cancel(
        request=asked.request(),
        number=number,
        customer_id=person.id,
        gateway=history.world.gateway,
        present=present,
        actor=person.actor,
    )


def _pay_as(history: History, number: str, person: Person) -> None:
    asked = Asked("", person.id, "payments", _key(history), number, lambda _: flow.Answer(0, {}, b""))
    flow.pay_again(
        request=asked.request(),
        number=number,
        method=PaymentMethod("token", "pm_card_visa"),
        gateway=history.world.gateway,
        payable_for=PAYABLE_FOR,
        present=present,
        actor=person.actor,
    )


def _ask_first(history: History, what: str, route: str, person: Person, body: str, call) -> None:
    asked = Asked(what, person.id, route, _key(history), body, call)
    history.asked.append(asked)
    _ask(history, asked, "")


def _ask(history: History, asked: Asked, prefix: str) -> None:
    known, struck, before = asked.answer is not None, "", _kept(history, asked)
    with history.attempt(prefix + asked.what, share=DYING, points=5):
        try:
            answer = asked.call(asked.request())
        except ShopError as error:
            if known:
                history.wrong(f"{asked.what}: was answered, and is refused with {error.code} now")
            raise
        finally:
            struck = history.world.faults.struck
        if problem := asked.heard(answer):
            history.wrong(problem)
        number = json.loads(answer.body)["number"]
        if number not in history.numbers:
            history.numbers.append(number)
    if struck == "checkout.before_settle_commit" or struck == "cancel.before_settle_commit":
        _nothing_of_the_end(history, asked, before)


def _nothing_of_the_end(history: History, asked: Asked, before: list[tuple[str, str]]) -> None:
    """Result and answer are one commit: whoever died before it has neither (M8)."""
    now = _kept(history, asked)
    if now != (before or [("payment_pending", "in_progress")]):
        history.wrong(f"{asked.what}: died before its last commit, and yet is {now}, was {before}")


def _kept(history: History, asked: Asked) -> list[tuple[str, str]]:
    """(status of the order, state of the key) that a request has left, if it left any."""
    rows = history.world.rows(
        "SELECT o.status, k.state FROM idempotency_key k JOIN orders o ON o.number = k.subject"
        " WHERE k.customer_id = %s AND k.route = %s AND k.key = %s",
        asked.customer_id,
        asked.route,
        asked.key,
    )
    return [(row["status"], row["state"]) for row in rows]


def order_of(history: History, *statuses: str) -> tuple[str, Person] | None:
    """One of the orders in these states, and whose it is."""
    rows = history.world.rows(
        "SELECT number, customer_id FROM orders WHERE status = ANY(%s) ORDER BY placed_at, id", list(statuses)
    )
    if not rows:
        return None
    row = history.rng.choice(rows)
    owner = next(person for person in history.cast.shoppers if person.id == row["customer_id"])
    return row["number"], owner


def _token(history: History) -> str:
    return history.rng.choices(list(TOKENS), list(TOKENS.values()))[0]


def _key(history: History) -> str:
    return f"{history.rng.getrandbits(128):032x}"


def _digest(history: History) -> list[dict[str, object]]:
    """Every row that a refused request could have left or changed."""
    return history.world.rows(
        "SELECT (SELECT array_agg(number || status ORDER BY number) FROM orders) AS orders,"
        " (SELECT array_agg(id::text || state || captured || refunded ORDER BY id) FROM payment) AS payments,"
        " (SELECT count(*) FROM points_tx) AS points, (SELECT count(*) FROM outbox) AS jobs,"
        " (SELECT count(*) FROM order_event) AS events, (SELECT count(*) FROM webhook_inbox) AS callbacks,"
        " (SELECT count(*) FROM idempotency_key) AS keys, (SELECT sum(reserved * 1000 + on_hand) FROM stock) AS stock"
    )


digest = _digest
