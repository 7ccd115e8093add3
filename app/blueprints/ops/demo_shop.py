"""Fill an empty shop with the demo's people and what they have done, through the shop's own services.

Every step can be run again: a person who is there is left alone, an order has its own idempotency key. A seed
that was interrupted is therefore completed by the next one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Literal, cast

from app.accounts import queries as account_queries
from app.accounts import service as accounts
from app.accounts.queries import Person
from app.accounts.rules import AddressData
from app.blueprints.common.checkout import gateway, terms
from app.blueprints.ops.demo_people import PASSWORD, DemoOrder, DemoPerson
from app.cart.service import Owner, set_quantity
from app.checkout import cancel, flow, quote, refund
from app.kernel import clock
from app.kernel.actor import Actor, system
from app.kernel.database import end_reading, run_atomically, transaction
from app.kernel.ids import fingerprint
from app.orders.queries import find_number, get_order_view
from app.orders.service.moving import move_by_staff
from app.payments.gateway import PaymentMethod
from app.rewards.errors import AlreadyPosted
from app.rewards.service import given

SEEDER = system("demo.seed")
Step = Callable[[str, Actor], None]


def add_person(person: DemoPerson) -> Person:
    """The person with addresses and points, and then their orders, the oldest first, as a statement tells them."""
    with clock.travel(days=-1 - max((order.ago for order in person.orders), default=0)):
        with transaction():
            found = account_queries.find_customer_by_email(person.email)
            who = found or _register(person)
        give(who, "spent", person.spent, None)
    for number, order in sorted(enumerate(person.orders, start=1), key=lambda one: -one[1].ago):
        _order(who, order, key=f"demo:{person.email}:{number}")
    for number, lot in enumerate(person.lots, start=1):
        give(who, f"lot{number}", lot.points, lot.days)
    return who


def give(who: Person, name: str, points: int, days: int | None) -> None:
    """Credit `points` that live `days` (None: for ever), once per person and name."""
    if not points:
        return
    try:
        with transaction():
            given.give(
                gift_id=uuid.uuid5(who.id, f"demo:{name}"),
                customer_id=who.id,
                points=points,
                description="Welcome to the demo shop",
                expires_at=None if days is None else clock.now() + timedelta(days=days),
                actor=SEEDER,
            )
    except AlreadyPosted:
        return


def add_address(who: Person, *, line1: str, city: str = "Hong Kong") -> uuid.UUID:
    """A delivery address; its id. Inside the caller's transaction."""
    data = AddressData(name=who.name, line1=line1, city=city, country=terms().countries[0])
    return accounts.create_address(customer_id=who.id, data=data, countries=terms().countries).id


def _register(person: DemoPerson) -> Person:
    if person.role == "customer":
        who = accounts.register(
            actor=SEEDER, email=person.email, password=PASSWORD, name=person.name, locale=person.locale
        )
        for _, line1, city in person.addresses:
            add_address(who, line1=line1, city=city)
    else:
        who = accounts.create_staff(
            actor=SEEDER, email=person.email, password=PASSWORD, name=person.name, role=person.role
        )
    if not person.is_active:
        accounts.deactivate(actor=SEEDER, customer_id=who.id, reason="A deactivated account for the demo")
    return who


def _order(who: Person, order: DemoOrder, *, key: str) -> None:
    with ExitStack() as stack:
        stack.enter_context(clock.travel(days=-order.ago))
        if find_number(who.id, checkout_key=f"demo:{key}") is not None:
            return
        number = _place(who, order, key)
        for step in order.then:
            stack.enter_context(clock.travel(hours=20))
            STEPS[step](number, SEEDER)


def _place(who: Person, order: DemoOrder, key: str) -> str:
    """The new order's number."""
    with transaction():
        address_id = account_queries.list_addresses(who.id)[0].id
        for sku in order.skus:
            set_quantity(owner=Owner(customer_id=who.id), sku=sku, quantity=1)
        agreed = quote.make(
            customer_id=who.id,
            points=cast("int | Literal['max']", order.points),
            address_id=address_id,
            shipping_method_code="standard",
            terms=terms(),
        )
    request = flow.Request(who.id, who.email, "demo", key, fingerprint(key))
    end_reading()
    answer = flow.place(
        request=request,
        quote_id=agreed.id,
        method=_method(order.token),
        gateway=gateway(),
        terms=terms(),
        present=lambda outcome: flow.Answer(200, {}, outcome.order.number.encode()),
        actor=SEEDER,
    )
    return answer.body.decode()


def _method(token: str | None) -> PaymentMethod | None:
    if token is None:
        return None
    if token == "hosted":  # noqa: S105 (a word, not a secret)
        return PaymentMethod("hosted", return_url="http://127.0.0.1/")
    return PaymentMethod("token", token=token)


def _move(to: str) -> Step:
    return lambda number, actor: run_atomically(lambda: move_by_staff(number=number, to=to, actor=actor))


def _cancel(number: str, actor: Actor) -> None:
    order = get_order_view(number)
    request = flow.Request(order.customer_id, order.email, "demo.cancel", number, fingerprint(number))
    end_reading()
    cancel.cancel(
        request=request,
        number=number,
        customer_id=order.customer_id,
        gateway=gateway(),
        present=lambda outcome: flow.Answer(200, {}, outcome.order.number.encode()),
        actor=actor,
    )


def _refund(reason: str, *, first_line_only: bool) -> Step:
    def step(number: str, actor: Actor) -> None:
        lines = get_order_view(number).lines[:1]
        with transaction():
            refund.refund(
                number=number,
                lines=[(line.sku, line.quantity) for line in lines] if first_line_only else None,
                strategy="proportional",
                reason=reason,
                idem_key=f"demo:{number}",
                actor=actor,
            )

    return step


STEPS: dict[str, Step] = {
    **{state: _move(state) for state in ("packed", "shipped", "delivered")},
    "cancel": _cancel,
    "refund": _refund("Arrived damaged", first_line_only=False),
    "refund-first-line": _refund("One item was returned", first_line_only=True),
}
