"""The cart: what may go in, what it says about its lines, and two tabs at once."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from flask import Flask

from app.cart import queries, service
from app.cart.errors import CartFull, NotEnoughStock, SkuUnknown
from app.cart.rules import MAX_LINES
from app.cart.service import Owner
from app.catalogue.models import Variant
from app.kernel.database import run_atomically, session, transaction
from app.kernel.errors import RuleBroken
from app.kernel.money import Money
from tests.factories.people import make_customer
from tests.factories.shop import make_variant, stock_of

pytestmark = pytest.mark.usefixtures("app_context")


def sku_of(variant_id: uuid.UUID) -> str:
    found = session().get(Variant, variant_id)
    assert found is not None
    return found.sku


def put(owner: Owner, sku: str, quantity: int) -> uuid.UUID | None:
    with transaction():
        return service.set_quantity(owner=owner, sku=sku, quantity=quantity)


def look(owner: Owner) -> queries.CartView:
    return queries.view(customer_id=owner.customer_id, cart_id=owner.cart_id, currency="HKD")


@pytest.fixture
def owner_() -> Owner:
    return Owner(customer_id=make_customer())


def test_nobody_has_an_empty_cart(owner_: Owner) -> None:
    assert look(owner_) == queries.CartView([], Money(0, "HKD"), 0)
    assert queries.count_items(customer_id=owner_.customer_id) == 0


def test_lines_and_total(owner_: Owner) -> None:
    cup, pot = make_variant(price=1250, name="Cup"), make_variant(price=30_000, stock=2, name="Pot")
    put(owner_, sku_of(cup), 3)
    put(owner_, sku_of(pot), 1)
    view = look(owner_)
    assert [
        (line.name, line.quantity, line.unit_price.amount, line.line_total.amount) for line in view.lines
    ] == [
        ("Cup", 3, 1250, 3750),
        ("Pot", 1, 30_000, 30_000),
    ]
    assert (view.items_total, view.version) == (Money(33_750, "HKD"), 2)
    assert [line.availability for line in view.lines] == ["in_stock", "low_stock"]
    assert queries.count_items(customer_id=owner_.customer_id) == 4
    assert view.can_be_ordered


def test_quantity_is_set_and_zero_removes(owner_: Owner) -> None:
    sku = sku_of(make_variant())
    put(owner_, sku, 5)
    put(owner_, sku, 2)
    assert [line.quantity for line in look(owner_).lines] == [2]
    put(owner_, sku, 0)
    assert look(owner_).lines == []
    version = look(owner_).version
    put(owner_, sku, 0)
    assert look(owner_).version == version, "removing what is not there is no change"


@pytest.mark.parametrize("quantity", [-1, 100, 10**12])
def test_a_quantity_out_of_bounds_changes_nothing(owner_: Owner, quantity: int) -> None:
    sku = sku_of(make_variant(stock=500))
    put(owner_, sku, 5)
    before = look(owner_)
    with pytest.raises(RuleBroken) as refused:
        put(owner_, sku, quantity)
    assert [error.field for error in refused.value.errors] == ["quantity"]
    assert look(owner_) == before


def test_no_more_than_can_be_sold(owner_: Owner, owner: psycopg.Connection) -> None:
    variant = make_variant(stock=5)
    owner.execute("UPDATE stock SET reserved = 2 WHERE variant_id = %s", (variant,))
    sku = sku_of(variant)
    put(owner_, sku, 3)
    before, stock = look(owner_), stock_of(variant)
    with pytest.raises(NotEnoughStock) as refused:
        put(owner_, sku, 4)
    assert (refused.value.code, refused.value.details) == ("STOCK_INSUFFICIENT", {"available": 3})
    assert look(owner_) == before
    with pytest.raises(NotEnoughStock), transaction():
        service.add(owner=owner_, sku=sku, quantity=1)
    assert look(owner_) == before
    assert stock_of(variant) == stock, "a cart promises nothing"


def test_what_was_never_sold(owner_: Owner) -> None:
    with pytest.raises(SkuUnknown):
        put(owner_, "no-such-sku", 1)
    with pytest.raises(SkuUnknown), transaction():
        service.remove(owner=owner_, sku="no-such-sku")
    assert look(owner_).version == 0, "a refusal makes no cart"


def test_notices(owner_: Owner, owner: psycopg.Connection) -> None:
    dear, scarce, out, gone, fine = (make_variant(price=1000, stock=9, name=n) for n in "abcde")
    for variant in (dear, scarce, out, gone, fine):
        put(owner_, sku_of(variant), 4)
    owner.execute("UPDATE variant SET price = 1500 WHERE id = %s", (dear,))
    owner.execute("UPDATE stock SET on_hand = 2 WHERE variant_id = %s", (scarce,))
    owner.execute("UPDATE stock SET on_hand = 0 WHERE variant_id = %s", (out,))
    owner.execute("UPDATE variant SET is_active = false WHERE id = %s", (gone,))
    view = look(owner_)
    assert [[notice.code for notice in line.notices] for line in view.lines] == [
        ["PRICE_CHANGED"],
        ["STOCK_INSUFFICIENT"],
        ["SOLD_OUT"],
        ["GONE"],
        [],
    ]
    assert view.lines[0].notices[0].message == "The price changed from HK$10.00 to HK$15.00."
    assert view.lines[1].notices[0].available == 2
    assert [line.line_total.amount for line in view.lines] == [6000, 4000, 4000, 0, 4000]
    assert view.items_total.amount == sum(line.line_total.amount for line in view.lines)
    assert not view.can_be_ordered
    put(owner_, sku_of(dear), view.lines[0].quantity)
    assert look(owner_).lines[0].notices == [], "who changes the line has seen the price"
    put(owner_, sku_of(gone), 0)
    assert len(look(owner_).lines) == 4, "what is gone can be removed"


def test_a_cart_has_an_end(owner_: Owner) -> None:
    for number in range(MAX_LINES):
        put(owner_, sku_of(make_variant(name=f"n{number}")), 1)
    before = look(owner_)
    with pytest.raises(CartFull):
        put(owner_, sku_of(make_variant()), 1)
    assert look(owner_) == before


def test_clearing(owner_: Owner) -> None:
    put(owner_, sku_of(make_variant()), 1)
    with transaction():
        service.clear(owner=owner_)
    assert (look(owner_).lines, look(owner_).version) == ([], 2)


def guest_with(*wanted: tuple[str, int]) -> uuid.UUID:
    owner = Owner()
    for sku, quantity in wanted:
        owner = Owner(cart_id=put(owner, sku, quantity))
    assert owner.cart_id is not None
    return owner.cart_id


def test_a_guest_takes_the_cart_along(owner_: Owner) -> None:
    both, own, guests = (sku_of(make_variant()) for _ in range(3))
    put(owner_, both, 2)
    put(owner_, own, 1)
    guest = guest_with((both, 5), (guests, 3))
    assert owner_.customer_id is not None
    with transaction():
        service.merge_guest(guest_cart_id=guest, customer_id=owner_.customer_id)
    assert {line.sku: line.quantity for line in look(owner_).lines} == {both: 5, own: 1, guests: 3}
    with transaction():
        service.merge_guest(guest_cart_id=guest, customer_id=owner_.customer_id)
    assert len(look(owner_).lines) == 3
    assert look(Owner(cart_id=guest)).lines == [], "the guest's cart has gone"


def test_a_guests_cookie_opens_no_customers_cart(owner_: Owner) -> None:
    sku = sku_of(make_variant())
    cart_id = put(owner_, sku, 1)
    stranger = Owner(cart_id=cart_id)
    assert look(stranger).lines == []
    with transaction():
        service.clear(owner=stranger)
    made = put(stranger, sku, 7)
    assert made != cart_id
    other = make_customer()
    assert cart_id is not None
    with transaction():
        service.merge_guest(guest_cart_id=cart_id, customer_id=other)
    assert [line.quantity for line in look(owner_).lines] == [1]


def test_two_tabs_at_once_lose_nothing(app: Flask, owner_: Owner, owner: psycopg.Connection) -> None:
    skus = [sku_of(make_variant(stock=99)) for _ in range(8)]
    shared = sku_of(make_variant(stock=99))

    def click(sku: str) -> None:
        with app.app_context():
            run_atomically(lambda: service.add(owner=owner_, sku=sku, quantity=1))

    with ThreadPoolExecutor(8) as tabs:
        for done in [tabs.submit(click, sku) for sku in (*skus, *[shared] * 8)]:
            done.result()
    view = look(owner_)
    assert {line.sku: line.quantity for line in view.lines} == {**dict.fromkeys(skus, 1), shared: 8}
    assert view.version == 16
    carts = owner.execute(
        "SELECT count(*) FROM cart WHERE customer_id = %s", (owner_.customer_id,)
    ).fetchone()
    assert carts == (1,)
