"""What pages and API both hand to checkout: the shop's terms and the gateway, from the settings."""

from __future__ import annotations

from typing import cast

from flask import current_app

from app.checkout.rules import Terms
from app.payments.gateway import Gateway


def terms() -> Terms:
    config = current_app.config
    return Terms(
        currency=config["CURRENCY"], card_minimum=config["CARD_MINIMUM"], countries=tuple(config["COUNTRIES"])
    )


def gateway() -> Gateway:
    return cast(Gateway, current_app.extensions["gateway"])
