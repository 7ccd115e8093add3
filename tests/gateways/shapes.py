"""Requests for the recorded Stripe."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

from app.gateways.stripe import StripeGateway
from app.payments.gateway import ChargeRequest, PaymentMethod, Snapshot
from tests.gateways.houses import request_with

BACK = "https://shop.example/checkout/returned/k"


def hosted() -> ChargeRequest:
    return request_with("", method=PaymentMethod("hosted", return_url=BACK))


def charged(stripe_gateway: StripeGateway, request: ChargeRequest) -> Snapshot:
    answer = stripe_gateway.charge(request)
    assert isinstance(answer, Snapshot), answer
    return answer


def older(request: ChargeRequest, age: timedelta) -> ChargeRequest:
    """The same as if it had been made `age` ago: a version 7 UUID begins with its milliseconds."""
    shifted = request.payment_id.int - (int(age.total_seconds() * 1000) << 80)
    return replace(request, payment_id=uuid.UUID(int=shifted))
