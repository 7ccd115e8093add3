"""The shop's public pages: home, lists, search, product, cart, help."""

from __future__ import annotations

from flask import Flask

from app.blueprints.common import catalogue_cache
from app.blueprints.common.pages import page_value
from app.blueprints.common.sessions import on_sign_in
from app.blueprints.shop import carts, home, listings, products  # noqa: F401 (they add routes)
from app.blueprints.shop.blueprint import bp
from app.blueprints.shop.visitors import cart_count, merge_guest_cart


def register(app: Flask) -> None:
    app.register_blueprint(bp)
    page_value(app, "categories", catalogue_cache.tree)
    page_value(app, "cart_count", cart_count)
    on_sign_in(app, merge_guest_cart)
