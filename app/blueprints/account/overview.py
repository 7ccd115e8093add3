"""The account's first page: points and the latest orders."""

from __future__ import annotations

from flask import current_app, render_template
from flask_login import current_user, login_required

from app.blueprints.account.blueprint import bp
from app.blueprints.common.points import points_of
from app.kernel.money import Money
from app.orders import queries as orders
from app.rewards import queries as rewards
from app.rewards import rules

LATEST = 3


@bp.get("/")
@login_required
def overview() -> str:
    customer_id = current_user.person.id
    account = points_of(customer_id)
    worth = rules.value_of(account.available, rewards.rules_in_force())
    return render_template(
        "pages/account/overview.html",
        account=account,
        balance_value=Money(worth, current_app.config["CURRENCY"]),
        orders=orders.list_orders(customer_id, limit=LATEST).items,
    )
