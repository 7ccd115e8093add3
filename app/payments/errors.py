"""Card declines as the API names them (api.md, Checkout)."""

from __future__ import annotations

from app.kernel.words import for_translation

DECLINE_CODES = {
    "insufficient_funds": "CARD_INSUFFICIENT_FUNDS",
    "expired_card": "CARD_EXPIRED",
}
DECLINE_REASONS = {
    "CARD_DECLINED": for_translation("The bank declined the card."),
    "CARD_INSUFFICIENT_FUNDS": for_translation("The card does not have enough funds."),
    "CARD_EXPIRED": for_translation("The card has expired."),
    "PAYMENT_CANCELED": for_translation("The payment was cancelled."),
}
DECLINE_SENTENCES = {code: f"{reason} Nothing was charged." for code, reason in DECLINE_REASONS.items()}


def public_decline_code(gateway_code: str | None) -> str:
    """The stable code for a gateway's own decline code; CARD_DECLINED for those without a name."""
    return DECLINE_CODES.get(gateway_code or "", "CARD_DECLINED")
