"""Home and help."""

from __future__ import annotations

from email.utils import parseaddr
from pathlib import Path
from typing import Any

from flask import abort, current_app, render_template, url_for
from flask_login import current_user

from app.blueprints.common.catalogue_cache import tree
from app.blueprints.common.products import current_rules, show_all
from app.blueprints.shop.blueprint import bp
from app.catalogue.queries.filters import Filters
from app.catalogue.queries.products import list_products
from app.kernel.money import Money
from app.rewards import queries as rewards
from app.rewards.rules import last_day, value_of

# Full rows on a phone (of two) and at a desk (of five).
NEW = 10
AFFORDABLE = 4
TOPICS = {
    "how-miles-work": "How it works",
    "returns": "Returns and refunds",
    "contact": "Contact us",
}


@bp.get("/")
def home() -> str:
    return render_template(
        "pages/shop/home.html",
        new_products=show_all(list_products(Filters(in_stock=True), sort="newest", limit=NEW).page.items),
        tiles=[
            {"slug": node.slug, "name": node.name, "image": _picture(f"demo/category-{node.slug}.svg")}
            for node in tree()
        ],
        hero_image=(_picture("demo/hero.svg") or {}).get("url"),
        **_of_member(),
    )


@bp.get("/help/<topic>")
def help(topic: str) -> str:  # noqa: A001 (the endpoint's name)
    if topic not in TOPICS:
        abort(404)
    rules = current_rules()
    title = f"How {current_app.config['POINTS_NAME']} work" if topic == "how-miles-work" else TOPICS[topic]
    return render_template(
        "pages/shop/help.html",
        topic=topic,
        rules=rules,
        value_per_1000=Money(value_of(1000, rules), rules.currency),
        contact_email=parseaddr(current_app.config["MAIL_DEFAULT_SENDER"])[1],
        breadcrumbs=[{"name": "Home", "url": url_for("shop.home")}, {"name": title, "url": None}],
    )


def _of_member() -> dict[str, Any]:
    """What somebody's points would buy. Nothing of it is ever in a shared cache."""
    nothing: dict[str, Any] = {"affordable": [], "balance_value": None, "expiring": None}
    if not current_user.is_authenticated:
        return nothing
    customer_id = current_user.person.id
    points = rewards.get_spendable(customer_id)
    if points == 0:
        return nothing
    worth = value_of(points, current_rules())
    within = Filters(price_max=worth, in_stock=True)
    expiring = rewards.list_expiring(customer_id)
    return {
        "affordable": show_all(list_products(within, sort="-price", limit=AFFORDABLE).page.items),
        "balance_value": Money(worth, current_app.config["CURRENCY"]),
        "expiring": {"points": expiring[0][0], "expires_on": last_day(expiring[0][1])} if expiring else None,
    }


def _picture(name: str) -> dict[str, str] | None:
    """A picture shipped with the demo shop, where there is one."""
    folder = current_app.static_folder
    if folder is None or not (Path(folder) / name).is_file():
        return None
    return {"url": url_for("static", filename=name), "alt": ""}
