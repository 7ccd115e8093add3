"""Details of issues as staff read them: amounts are money wherever a currency is known, moments are dates."""

from __future__ import annotations

from typing import Any

import pytest

from app.kernel import ids
from app.payments.shown import spell
from tests.services.test_payments import captured

pytestmark = pytest.mark.usefixtures("app_context")


@pytest.mark.parametrize(
    ("detail", "ref", "shown"),
    [
        ({"amount": 5, "currency": "HKD"}, "r", {"amount": "HK$0.05"}),
        ({"amount": 1_234, "currency": "JPY"}, "r", {"amount": "¥1,234"}),
        ({"gateway": [7_001, "USD"], "shop": [7_000, "HKD"]}, "r", {"gateway": "$70.01", "shop": "HK$70.00"}),
        ({"gateway": 100, "rows": 99}, "2026-11-22:HKD", {"gateway": "HK$1.00", "rows": "HK$0.99"}),
        ({"gateway": -100, "day": "x"}, "2026-11-22:HKD", {"gateway": "-HK$1.00", "day": "x"}),
        ({"amount": 5}, "r", {"amount": 5}),
        ({"amount": 5, "currency": "none"}, "r", {"amount": 5, "currency": "none"}),
        ({"gateway": "absent", "currency": "HKD"}, "r", {"gateway": "absent", "currency": "HKD"}),
        ({"amount": None, "currency": "HKD"}, "r", {"amount": None, "currency": "HKD"}),
        ({"points": 5, "found": 2, "currency": "HKD"}, "r", {"points": 5, "found": 2, "currency": "HKD"}),
        ({"failed_at": "2026-11-03T09:05:59+00:00"}, "r", {"failed_at": "3 Nov 2026, 09:05 UTC"}),
        ({"note": "since 2026-11-03T09:05:59+00:00"}, "r", {"note": "since 2026-11-03T09:05:59+00:00"}),
        ({"amount": 5, "payment": "not an id"}, "r", {"amount": 5, "payment": "not an id"}),
    ],
)
def test_amounts_and_moments_are_what_people_write(
    detail: dict[str, Any], ref: str, shown: dict[str, Any]
) -> None:
    before = dict(detail)
    assert spell(detail, ref=ref) == shown
    assert detail == before


def test_what_names_its_payment_is_in_its_currency() -> None:
    payment = str(captured())
    detail = {"payment": payment, "gateway_refunded": 300, "shop_refunded": 0}
    shown = {"payment": payment, "gateway_refunded": "HK$3.00", "shop_refunded": "HK$0.00"}
    assert spell(detail, ref=payment) == shown
    other = {"payment": str(ids.uuid7()), "gateway": 300}
    assert spell(other, ref="r") == other
