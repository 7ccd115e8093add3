"""Test tokens and test card numbers, as data: what the bank will say, and what will go wrong on the way.

Names and numbers follow Stripe's test mode (docs.stripe.com/testing), so that one mobile app runs against
both; `pm_sandbox_*` are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Card:
    """`outcome`: captured | declined | requires_action | processing.

    `answer`: one of `settings.ANSWERS`; "plain": told at once; "hidden": says processing, yet all is decided.
    `webhooks`: "send" or one of `settings.WEBHOOKS`. `late_capture`: the status after which money is taken
    all the same. `refunds`: how refunds of it end. `extra`: minor units charged beyond what was asked.
    """

    outcome: str = "captured"
    decline_code: str | None = None
    answer: str = "plain"
    webhooks: str = "send"
    late_capture: str | None = None
    refunds: str = "succeeded"
    disputed: bool = False
    extra: int = 0
    brand: str = "visa"
    last4: str = "4242"


PAID = Card()
DECLINED = Card(outcome="declined", decline_code="card_declined", last4="0002")
NO_FUNDS = Card(outcome="declined", decline_code="insufficient_funds", last4="9995")
EXPIRED = Card(outcome="declined", decline_code="expired_card", last4="0069")
CHALLENGE = Card(outcome="requires_action", last4="3155")
HIDDEN = Card(answer="hidden")

TOKENS: dict[str, Card] = {
    "pm_card_visa": PAID,
    "pm_card_mastercard": Card(brand="mastercard", last4="4444"),
    "pm_card_chargeDeclined": DECLINED,
    "pm_card_chargeDeclinedInsufficientFunds": NO_FUNDS,
    "pm_card_chargeDeclinedExpiredCard": EXPIRED,
    "pm_card_authenticationRequired": CHALLENGE,
    "pm_sandbox_timeout_paid": Card(answer="timeout_after"),
    "pm_sandbox_timeout_declined": replace(DECLINED, answer="timeout_after"),
    "pm_sandbox_timeout_before": Card(answer="timeout_before"),
    "pm_sandbox_delayed_charge": Card(answer="delayed"),
    "pm_sandbox_lost_webhook_paid": replace(HIDDEN, webhooks="lost"),
    "pm_sandbox_lost_webhook_declined": replace(DECLINED, answer="hidden", webhooks="lost"),
    "pm_sandbox_duplicate_webhooks": Card(webhooks="duplicate"),
    "pm_sandbox_out_of_order_webhooks": Card(webhooks="reordered"),
    "pm_sandbox_late_webhook": replace(HIDDEN, webhooks="late"),
    "pm_sandbox_bad_signature_webhook": replace(HIDDEN, webhooks="bad_signature"),
    "pm_sandbox_error_500": Card(answer="error_500"),
    "pm_sandbox_error_500_paid": Card(answer="error_500_after"),
    "pm_sandbox_reset": Card(answer="reset"),
    "pm_sandbox_reset_paid": Card(answer="reset_after"),
    "pm_sandbox_truncated_paid": Card(answer="truncated"),
    "pm_sandbox_garbage_paid": Card(answer="garbage"),
    "pm_sandbox_rate_limited": Card(answer="rate_limited"),
    "pm_sandbox_processing": Card(outcome="processing"),
    "pm_sandbox_late_authorization": replace(DECLINED, late_capture="declined"),
    "pm_sandbox_late_authorization_lost_webhook": replace(DECLINED, late_capture="declined", webhooks="lost"),
    "pm_sandbox_late_after_cancel": Card(outcome="processing", late_capture="canceled"),
    "pm_sandbox_late_after_cancel_lost_webhook": Card(
        outcome="processing", late_capture="canceled", webhooks="lost"
    ),
    "pm_sandbox_disputed": Card(disputed=True),
    "pm_sandbox_refund_pending": Card(refunds="pending"),
    "pm_sandbox_refund_fails": Card(refunds="failed"),
    "pm_sandbox_wrong_amount": Card(extra=1),
}

NUMBERS: dict[str, Card] = {
    "4242424242424242": PAID,
    "5555555555554444": Card(brand="mastercard", last4="4444"),
    "4000000000000002": DECLINED,
    "4000000000009995": NO_FUNDS,
    "4000000000000069": EXPIRED,
    "4000002500003155": CHALLENGE,
}

MESSAGES = {
    "card_declined": "The card was declined.",
    "insufficient_funds": "The card has insufficient funds.",
    "expired_card": "The card has expired.",
    "authentication_failed": "The card holder was not authenticated.",
}
