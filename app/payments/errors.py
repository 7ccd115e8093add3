"""Card declines as the API names them (api.md, Checkout)."""

from __future__ import annotations

DECLINE_CODES = {
    "insufficient_funds": "CARD_INSUFFICIENT_FUNDS",
    "expired_card": "CARD_EXPIRED",
}
DECLINE_SENTENCES = {
    "CARD_DECLINED": "The bank declined the card. Nothing was charged.",
    "CARD_INSUFFICIENT_FUNDS": "The card does not have enough funds. Nothing was charged.",
    "CARD_EXPIRED": "The card has expired. Nothing was charged.",
    "PAYMENT_CANCELED": "The payment was cancelled. Nothing was charged.",
}


def public_decline_code(gateway_code: str | None) -> str:
    """The stable code for a gateway's own decline code; CARD_DECLINED for those without a name."""
    return DECLINE_CODES.get(gateway_code or "", "CARD_DECLINED")
