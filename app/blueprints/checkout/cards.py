"""Which card pays: a test card where there are any, or the gateway's own page."""

from __future__ import annotations

from typing import Final

from flask import current_app, request

from app.kernel.errors import invalid
from app.payments.gateway import PaymentMethod

HOSTED: Final = "hosted"
FIRST = "pm_card_visa"
# The tokens of Stripe's test mode, which both gateways take, then the sandbox's own (api.md, Sandbox cards).
TEST_CARDS = (
    (FIRST, "Approved"),
    ("pm_card_chargeDeclined", "Declined"),
    ("pm_card_chargeDeclinedInsufficientFunds", "Declined, not enough money"),
    ("pm_card_chargeDeclinedExpiredCard", "Declined, expired"),
    ("pm_card_authenticationRequired", "Asks for 3-D Secure"),
)
SANDBOX_CARDS = (
    ("pm_sandbox_timeout_paid", "No answer in time, in truth paid"),
    ("pm_sandbox_timeout_declined", "No answer in time, in truth declined"),
    ("pm_sandbox_lost_webhook_paid", "Paid, but no webhook ever says so"),
    ("pm_sandbox_lost_webhook_declined", "Declined, but no webhook ever says so"),
    ("pm_sandbox_duplicate_webhooks", "Paid, and every webhook comes three times"),
    ("pm_sandbox_out_of_order_webhooks", "Paid, and the webhooks come in the wrong order"),
    ("pm_sandbox_error_500", "The gateway fails"),
    ("pm_sandbox_late_authorization", "Declined, and charged later all the same"),
    ("pm_sandbox_refund_pending", "Paid, and its refunds take their time"),
    ("pm_sandbox_refund_fails", "Paid, and its refunds fail"),
    ("pm_sandbox_disputed", "Paid, and disputed later"),
)


def demo_cards() -> list[tuple[str, str]]:
    """[(token, what it does)]; none in production: card numbers are typed at the gateway, never here."""
    if current_app.config["SHOP_ENV"] == "production":
        return []
    own = SANDBOX_CARDS if current_app.config["PAYMENT_GATEWAY"] == "sandbox" else ()
    return [*TEST_CARDS, *own]


def offered(wanted: str | None) -> str:
    """The card to show as chosen: `wanted` when it is offered."""
    tokens = [token for token, _ in demo_cards()]
    if wanted == HOSTED or wanted in tokens:
        return str(wanted)
    return tokens[0] if tokens else HOSTED


def posted() -> str | None:
    return request.form.get("card")


def method_of(card: str | None, *, return_path: str) -> PaymentMethod:
    """Raises RuleBroken naming `card`. The shopper comes back from the gateway to `return_path` of this shop."""
    return_url = current_app.config["BASE_URL"] + return_path
    if card == HOSTED:
        return PaymentMethod(HOSTED, return_url=return_url)
    if card not in [token for token, _ in demo_cards()]:
        raise invalid("card", "UNKNOWN", "Choose a card.")
    return PaymentMethod("token", token=card, return_url=return_url)
