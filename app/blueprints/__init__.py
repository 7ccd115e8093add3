"""The edges. Each blueprint package has a `register(app)`; this is the list of them."""

from __future__ import annotations

from flask import Flask

from app.blueprints import account, api_v1, backoffice, checkout, common, ops, shop, webhooks


def register(app: Flask) -> None:
    """Register every edge, in the order in which their URL rules are tried."""
    common.register(app)
    ops.register(app)
    shop.register(app)
    account.register(app)
    checkout.register(app)
    api_v1.register(app)
    webhooks.register(app)
    backoffice.register(app)
