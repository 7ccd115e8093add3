"""Every mail, HTML and text, in its states."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.web import samples
from tests.web.samples import hkd
from tests.web.states_shop import Context, State


def mail(**changes: Any) -> Context:
    return {
        "name": "Mei <b>Chan</b>",
        "shop_url": "https://shop.example/",
        "order": samples.order(),
        "order_url": "https://shop.example/orders/MPC-7K3Q-20461",
    } | changes


CONTEXTS: dict[str, Context] = {
    "order_paid": mail(earn_confirmed_on=date(2026, 12, 22)),
    "order_pending": mail(),
    "payment_failed": mail(reason="Your bank declined the card."),
    "order_cancelled": mail(points=6000, card=hkd(60000), already=hkd(4500)),
    "order_refunded": mail(points=2100, card=hkd(15000), already=hkd(6000), reason=None, taken_back=210),
    "refund_elsewhere": mail(paid=hkd(21000), reference="<b>" + "FT2026" * 16),
    "welcome": mail(),
    "points_adjusted": mail(
        points=-500, balance=17740, reason="Correction", statement_url="https://shop.example/miles"
    ),
    "points_expiring": mail(
        points=1200,
        days=30,
        expires_on=date(2027, 3, 1),
        balance=17740,
        statement_url="https://shop.example/miles",
    ),
    "order_received": mail(),
    "order_revived": mail(),
    "order_shipped": mail(),
    "transfer_confirm": mail(
        points=1_500,
        recipient="friend@example.test",
        until=samples.NOW,
        confirm_url="https://shop.example/account/miles/transfers/confirm/x",
    ),
    "transfer_received": mail(
        points=1_500,
        sender="mei@example.test",
        spendable_from=samples.NOW,
        statement_url="https://shop.example/miles",
    ),
    "staff_alert": mail(
        title="Payment needs a look",
        text="Paid at the gateway, not in the shop.",
        facts=[("Order", "MPC-1")],
        url="https://shop.example/admin/",
    ),
}
MAILS: dict[str, State] = {
    f"mail-{key}": (f"email/{key}/body.html", lambda key=key: CONTEXTS[key], False) for key in CONTEXTS
}
