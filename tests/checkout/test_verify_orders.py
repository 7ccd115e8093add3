"""What an order's points stand on cannot be changed unseen: its hold, what it earned, what came back of it."""

from __future__ import annotations

import psycopg
import pytest

from app.checkout import refund as refunds
from app.gateways.sandbox import SandboxGateway
from app.kernel.actor import system
from app.kernel.database import transaction
from app.orders.queries import get_order_view
from tests.checkout.conftest import Shopper
from tests.checkout.versions import BONUSES, bought, publish
from tests.services.test_verify import found, without_guards

__all__ = ["without_guards"]
DISPUTED = (
    "INSERT INTO dispute (gateway, gateway_ref, payment_id, amount, currency, reason, state, opened_at, updated_at)"
    " SELECT gateway, 'dp', id, captured, currency, 'fraudulent', '{state}', now(), now() FROM payment"
    " WHERE reference = %(n)s"
)
TAMPERING = {
    # what: (what breaks it, what mends it, the check that says so)
    "tier": (
        "UPDATE orders SET tier = 'gold' WHERE number = %(n)s",
        "UPDATE orders SET tier = 'member' WHERE number = %(n)s",
        "earned_as_priced",
    ),
    "moment": (
        "UPDATE orders SET priced_at = priced_at + interval '1 second' WHERE number = %(n)s",
        "UPDATE orders SET priced_at = priced_at - interval '1 second' WHERE number = %(n)s",
        "earned_as_priced",
    ),
    "parts": (
        """UPDATE orders SET earn_breakdown = earn_breakdown || '[{"rule": "x", "points": 0}]' WHERE number = %(n)s""",
        "UPDATE orders SET earn_breakdown = earn_breakdown - -1 WHERE number = %(n)s",
        "earned_as_priced",
    ),
    "parts, in both places": (
        """UPDATE points_earning SET breakdown = breakdown || '{"tier": "gold"}' WHERE order_number = %(n)s
              AND source_type = 'order'""",
        """UPDATE points_earning SET breakdown = breakdown || '{"tier": "member"}' WHERE order_number = %(n)s
              AND source_type = 'order'""",
        "earned_as_booked",
    ),
    "when it is confirmed": (
        "UPDATE points_earning SET confirms_at = confirms_at - interval '20 days' WHERE order_number = %(n)s",
        "UPDATE points_earning SET confirms_at = confirms_at + interval '20 days' WHERE order_number = %(n)s",
        "earned_when",
    ),
    "waits for no bank": (
        "UPDATE points_earning SET held_back_at = now() WHERE order_number = %(n)s",
        "UPDATE points_earning SET held_back_at = NULL WHERE order_number = %(n)s",
        "earned_disputed",
    ),
    "does not wait for the bank": (DISPUTED.format(state="open"), "DELETE FROM dispute", "earned_disputed"),
    "stays when the money is gone": (
        DISPUTED.format(state="lost"),
        "DELETE FROM dispute",
        "earned_disputed",
    ),
    "points of the hold": (
        "UPDATE orders SET number = number || 'X' WHERE number = %(n)s",
        "UPDATE orders SET number = %(n)s WHERE number = %(n)s || 'X'",
        "held_for_orders",
    ),
    "when points were held": (
        "UPDATE points_hold SET created_at = created_at - interval '2 days' WHERE order_number = %(n)s",
        "UPDATE points_hold SET created_at = created_at + interval '2 days' WHERE order_number = %(n)s",
        "from_holds",
    ),
    "points of a refund": (
        "UPDATE order_refund SET points = points + 1",
        "UPDATE order_refund SET points = points - 1",
        "given_back",
    ),
    "name of a refund": (
        "UPDATE order_refund SET idem_key = idem_key || 'X'",
        "UPDATE order_refund SET idem_key = left(idem_key, -1)",
        "taken_back",
    ),
}

pytestmark = pytest.mark.usefixtures("app_context", "plain_rules")


@pytest.fixture
def number(gateway: SandboxGateway) -> str:
    """An order that was paid with points and card, a first one; one of its two items came back."""
    publish(BONUSES)
    shopper = Shopper(gateway, points=5_000, quantity=2)
    number = bought(shopper, 500)
    with transaction():
        refunds.refund(
            number=number, lines=[(get_order_view(number).lines[0].sku, 1)], strategy="proportional",
            reason="A test", idem_key="k", actor=system("test"),
        )  # fmt: skip
    assert found() == {}
    return number


def test_what_an_order_earned_spent_and_gave_back_is_held_against_it(
    number: str, without_guards: psycopg.Connection
) -> None:
    for what, (breaks, mends, check) in TAMPERING.items():
        assert without_guards.execute(breaks, {"n": number}).rowcount > 0
        try:
            assert check in found(), what
        finally:
            without_guards.execute(mends, {"n": number})
        assert found() == {}, what
