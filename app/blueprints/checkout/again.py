"""What was ordered once, put into the cart again."""

from __future__ import annotations

from functools import partial

from flask import flash, redirect, url_for
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from app.blueprints.checkout.blueprint import bp
from app.cart import service
from app.cart.service import Owner
from app.kernel.database import run_atomically
from app.kernel.errors import ShopError
from app.orders.queries import get_order_view


@bp.post("/again/<number>")
@login_required
def again(number: str) -> Response:
    """At today's prices. Set, not added: pressed twice it is the same cart. What cannot be had is named."""
    order = get_order_view(number, customer_id=current_user.person.id)
    owner = Owner(customer_id=current_user.person.id)
    for line in order.lines:
        try:
            run_atomically(partial(service.set_quantity, owner=owner, sku=line.sku, quantity=line.quantity))
        except ShopError as refusal:
            flash(f"{line.name}: {refusal.message}", "warning")
    return redirect(url_for("shop.cart"), 303)
