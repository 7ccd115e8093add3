"""What pages and API both hand to checkout: the shop's terms and the gateway, from the settings."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from flask import current_app

from app.checkout.rules import Terms
from app.payments.gateway import Gateway


def terms() -> Terms:
    config = current_app.config
    return Terms(
        currency=config["CURRENCY"], card_minimum=config["CARD_MINIMUM"], countries=tuple(config["COUNTRIES"])
    )


def payable_for() -> timedelta:
    """How long after it was placed an order whose payment failed can be paid again."""
    return timedelta(days=current_app.config["PAY_AGAIN_DAYS"])


def gateway() -> Gateway:
    return cast(Gateway, current_app.extensions["gateway"])
