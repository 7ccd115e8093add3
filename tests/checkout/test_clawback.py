"""What was earned goes with what comes back: said before buying, in the preview, and by the refund: one number."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import insert, select

from app.checkout import refund as refunds
from app.gateways.sandbox import SandboxGateway
from app.kernel import clock
from app.kernel.database import session, transaction
from app.orders.models import Order
from app.orders.queries import get_order_view
from app.orders.rules import RefundPlan
from app.payments.models import Dispute, Payment
from app.rewards.queries import get_balance
from app.rewards.queries.balance import get_takeable
from app.rewards.service import expiry
from app.rewards.service.refunds import take_back
from jobs.handlers.earnings import confirm_due
from tests.checkout.conftest import Shopper
from tests.checkout.versions import BONUSES, SYSTEM, bought, publish
from tests.factories.shop import fill_cart, make_variant
from tests.services.test_verify import found

pytestmark = pytest.mark.usefixtures("app_context", "plain_rules")

CHEAP = 100


def first_order(*bonuses: tuple[int, int]) -> dict[str, Any]:
    """Rules with bonuses of (points, least basket)."""
    named = [
        {"name": f"first-{points}", "action": "first_order", "points": points, "min_basket": basket}
        for points, basket in bonuses
    ]
    return {"earn": {"bonuses": named}}


def wealth(customer_id: uuid.UUID) -> int:
    session().rollback()
    balance, alive = get_balance(customer_id), get_takeable(customer_id)
    session().rollback()
    return alive + balance.pending - balance.owed


def gives_back(shopper: Shopper, number: str, lines: Any = None, key: str = "k") -> tuple[int, RefundPlan]:
    """What the refund took, which the preview had said and the balance shows; and that preview."""
    said = refunds.preview(number=number, lines=lines, strategy="proportional")
    before = wealth(shopper.id)
    with transaction():
        made = refunds.refund(
            number=number, lines=lines, strategy="proportional", reason="Returned", idem_key=key, actor=SYSTEM
        )
    assert (made.clawback, made.points) == (said.clawback, said.give.points)
    assert [line["clawback"] for line in made.lines] == [line.clawback for line in said.lines]
    assert wealth(shopper.id) == before + made.points - made.clawback
    return made.clawback, said


def sku_at(number: str, price: int) -> str:
    lines = get_order_view(number).lines
    session().rollback()
    return next(line.sku for line in lines if line.unit_price.amount == price)


def dear_and_cheap(gateway: SandboxGateway) -> tuple[Shopper, str, str]:
    """A basket of HK$500 and HK$1, bought; the dear line's sku."""
    shopper = Shopper(gateway, price=50_000)
    fill_cart(shopper.id, {make_variant(price=CHEAP): 1})
    number = bought(shopper)
    return shopper, number, sku_at(number, 50_000)


@pytest.mark.parametrize("is_confirmed", [False, True])
def test_the_bonus_of_a_first_order_goes_with_it_and_is_said_before(
    gateway: SandboxGateway, is_confirmed: bool
) -> None:
    publish(BONUSES)
    shopper = Shopper(gateway)
    quote = shopper.quote()
    promised = refunds.promise(quote, quote.lines[0].sku)
    session().rollback()
    number = bought(shopper)
    with clock.travel(days=31 if is_confirmed else 1):
        confirm_due()
        taken, _ = gives_back(shopper, number)
    assert taken == promised.clawback == 1_130
    assert wealth(shopper.id) == 0
    assert found() == {}


def test_who_has_ordered_before_is_promised_no_loss_of_a_bonus(gateway: SandboxGateway) -> None:
    publish(BONUSES)
    shopper = Shopper(gateway)
    bought(shopper)
    fill_cart(shopper.id, {shopper.variant_id: 1})
    quote = shopper.quote()
    promised = refunds.promise(quote, quote.lines[0].sku).clawback
    session().rollback()
    taken, _ = gives_back(shopper, bought(shopper))
    assert promised == taken == 130


def test_what_a_lost_dispute_took_is_not_taken_again(gateway: SandboxGateway) -> None:
    publish(BONUSES)
    shopper = Shopper(gateway)
    number = bought(shopper)
    order_id = session().scalar(select(Order.id).where(Order.number == number))
    payment_id = session().scalar(select(Payment.id).where(Payment.reference == number))
    session().rollback()
    now = clock.now()
    with transaction():
        lost = {"amount": 0, "currency": "HKD", "reason": "fraudulent", "state": "lost"}
        lost |= {"opened_at": now, "updated_at": now, "resolved_at": now}
        session().execute(
            insert(Dispute).values(gateway="sandbox", gateway_ref="x", payment_id=payment_id, **lost)
        )
        for source_type, source in (("order", order_id), ("first_order", shopper.id)):
            take_back(
                customer_id=shopper.id, source_type=source_type, source_id=str(source), order_number=number,
                points=None, idem_key=f"dispute:x:{source_type}", actor=SYSTEM,
            )  # fmt: skip
    taken, said = gives_back(shopper, number)
    assert (taken, [line.clawback for line in said.lines]) == (0, [0])
    assert found() == {}


def test_the_bonus_goes_when_what_is_kept_does_not_deserve_it(gateway: SandboxGateway) -> None:
    publish(first_order((1_000, 50_000), (200, 0)))
    shopper, number, dear = dear_and_cheap(gateway)
    taken, said = gives_back(shopper, number, [(dear, 1)])
    assert (taken, said.bonus, said.earned) == (1_530, 1_000, 530)
    taken, said = gives_back(shopper, number, key="rest")
    assert (said.bonus, wealth(shopper.id)) == (200, 0)
    assert found() == {}


def test_the_bonus_stays_while_what_is_kept_deserves_it(gateway: SandboxGateway) -> None:
    publish(first_order((1_000, 50_000)))
    shopper, number, _ = dear_and_cheap(gateway)
    taken, said = gives_back(shopper, number, [(sku_at(number, CHEAP), 1)])
    assert (said.bonus, said.kept, taken) == (0, 50_000, 1)
    with clock.travel(days=31):
        confirm_due()
        publish(first_order((1_000, 1)))
        taken, said = gives_back(shopper, number, key="rest")
        assert (said.bonus, wealth(shopper.id)) == (1_000, 0)
    assert found() == {}


@pytest.mark.parametrize("job_was_there", [True, False])
def test_what_has_expired_unused_is_no_loss(gateway: SandboxGateway, job_was_there: bool) -> None:
    publish({"earn": {**first_order((1_000, 0))["earn"], "lot_days": 10}})
    shopper = Shopper(gateway, quantity=2)
    number = bought(shopper)
    with clock.travel(days=31):
        confirm_due()
    with clock.travel(days=42):
        if job_was_there:
            with transaction():
                expiry.expire_batch(after=expiry.start(), actor=SYSTEM)
        sku = sku_at(number, 10_000)
        taken, said = gives_back(shopper, number, [(sku, 1)])
        assert (taken, said.earned, said.expired, said.bonus) == (0, 115, 115, 0)
        taken, said = gives_back(shopper, number, key="rest")
        assert (taken, said.earned, said.expired, said.bonus) == (0, 115, 1_115, 1_000)
        assert wealth(shopper.id) == 0
    assert found() == {}
