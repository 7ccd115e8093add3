"""Second step, one page: how many points, which card, the whole order once more, and the button."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

from flask import redirect, render_template, request, url_for
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from app.blueprints.checkout import cards, choices, placing, quoting
from app.blueprints.checkout.blueprint import bp
from app.blueprints.checkout.choices import Delivery
from app.blueprints.checkout.delivery import shipping_views
from app.blueprints.checkout.placing import Refused
from app.blueprints.checkout.quoting import Quoted
from app.blueprints.checkout.shapes import Change, QuoteView
from app.blueprints.common.points import points_of
from app.checkout.rules import earned_all_by_card
from app.kernel.errors import ShopError
from app.kernel.money import Money
from app.rewards import rules
from app.rewards.queries import rules_of_version

Answer = str | Response | tuple[str, int]
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")


@bp.route("/pay", methods=["GET", "POST"])
@login_required
def pay() -> Answer:
    if request.method == "POST" and request.form.get("action") == "pay":
        return _place()
    delivery = choices.delivery()
    if delivery is None:
        return redirect(url_for("checkout.address"), 303)
    try:
        return _show(delivery) if request.method == "GET" else _requote(delivery)
    except ShopError as error:
        return _moved(error)


def new_key() -> str:
    """One key for one page: whatever is sent from it again is the same order."""
    return secrets.token_urlsafe(24)


def posted_key() -> str:
    key = request.form.get("idempotency_key", "")
    return key if _KEY.fullmatch(key) else new_key()


def _show(delivery: Delivery) -> Answer:
    quoted = quoting.current(delivery)
    kept = choices.take_note()
    page = _page(quoted, key=new_key(), card=choices.card(), note=quoted.note or kept)
    if quoted.quote.points != choices.points():
        choices.keep_mix(points=quoted.quote.points, card=choices.card())
    return page


def _requote(delivery: Delivery) -> Answer:
    """A script swaps parts of the answer; without one the page is loaded anew, so that reloading it is harmless."""
    preset = request.form.get("preset")
    typed = request.form.get(quoting.MILES, "")
    quoted = quoting.for_preset(delivery, preset) if preset else quoting.for_typed(delivery, typed)
    card = cards.offered(cards.posted() or choices.card())
    if quoted.refused:
        return _page(quoted, key=posted_key(), card=card, note=None), 422
    by_script = request.headers.get("X-Requested-With") == "fetch"
    choices.keep_mix(points=quoted.quote.points, card=card, note=None if by_script else quoted.note)
    if by_script:
        return _page(quoted, key=posted_key(), card=card, note=quoted.note)
    return redirect(url_for("checkout.pay"), 303)


def _place() -> Answer:
    try:
        return placing.place(posted_key())
    except Refused as refused:
        card = cards.offered(cards.posted())
        choices.keep_mix(points=refused.quoted.quote.points, card=card)
        page = _page(
            refused.quoted,
            key=posted_key(),
            card=card,
            note=refused.quoted.note,
            changes=refused.changes,
        )
        return page, refused.status
    except ShopError as error:
        return _moved(error)


def _moved(error: ShopError) -> Response:
    target = quoting.elsewhere(error)
    if target is None:
        raise error
    return target


def _page(
    quoted: Quoted, *, key: str, card: str | None, note: str | None, changes: Sequence[Change] = ()
) -> str:
    quote = quoted.quote
    version = rules_of_version(quote.rules_version)
    return render_template(
        "pages/checkout/pay.html",
        quote=QuoteView.of(quote, version),
        account=points_of(current_user.person.id),
        rules=version,
        value_per_1000=Money(rules.value_of(1000, version), quote.currency),
        earn_all_by_card=earned_all_by_card(quote, version),
        address=quote.address,
        shipping_method=next(one for one in shipping_views() if one.code == quote.shipping_method),
        miles_value=quoted.typed,
        miles_note=note,
        sandbox_cards=cards.demo_cards(),
        card_choice=cards.offered(card),
        changes=changes,
        idempotency_key=key,
        errors=quoted.errors,
    )
