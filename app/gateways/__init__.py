"""The payment gateway that the settings name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.gateways.breaker import guarded
from app.gateways.http import Timeouts
from app.gateways.sandbox import SandboxGateway
from app.payments.gateway import Gateway


def gateway_from(config: Mapping[str, Any]) -> Gateway:
    """One per process: it keeps its connections, and counts its silences.

    Raises ValueError for a gateway without an adapter.
    """
    return guarded(
        _adapter(config),
        failures=config["GATEWAY_BREAKER_FAILURES"],
        seconds=config["GATEWAY_BREAKER_SECONDS"],
    )


def _adapter(config: Mapping[str, Any]) -> Gateway:
    timeouts = Timeouts(
        connect=config["GATEWAY_CONNECT_SECONDS"],
        read=config["GATEWAY_READ_SECONDS"],
        total=config["GATEWAY_TOTAL_SECONDS"],
    )
    if config["PAYMENT_GATEWAY"] == "sandbox":
        return SandboxGateway(
            url=config["SANDBOX_GATEWAY_URL"],
            key=config["SANDBOX_GATEWAY_KEY"],
            webhook_secrets=config["SANDBOX_WEBHOOK_SECRETS"],
            timeouts=timeouts,
        )
    if config["PAYMENT_GATEWAY"] == "stripe":
        # Stripe's SDK takes half a second to import: only the shops that use it wait for it.
        from app.gateways.stripe import StripeGateway

        return StripeGateway(
            url=config["STRIPE_API_BASE"],
            key=config["STRIPE_SECRET_KEY"],
            webhook_secrets=config["STRIPE_WEBHOOK_SECRETS"],
            timeouts=timeouts,
            currency=config["CURRENCY"],
            orders_url=f"{config['BASE_URL']}/account/orders",
        )
    raise ValueError(f"There is no adapter for the payment gateway {config['PAYMENT_GATEWAY']!r}.")
