"""State tables of the card side, the same that the database enforces (migration 0002)."""

from __future__ import annotations

from app.kernel.states import StateTable

PAYMENT = StateTable.of(
    "payment",
    starts="submitting",
    edges=(
        "submitting>unknown submitting>requires_action submitting>authorized submitting>captured "
        "submitting>declined submitting>canceled requires_action>unknown requires_action>authorized "
        "requires_action>captured requires_action>declined requires_action>canceled unknown>requires_action "
        "unknown>authorized unknown>captured unknown>declined unknown>canceled authorized>captured "
        "authorized>canceled authorized>unknown declined>captured canceled>captured"
    ),
)
CARD_REFUND = StateTable.of(
    "card_refund",
    starts="queued",
    edges=(
        "queued>succeeded queued>failed queued>unknown unknown>succeeded unknown>failed failed>queued "
        "failed>succeeded succeeded>failed"
    ),
)
DISPUTE = StateTable.of("dispute", starts="open won lost", edges="open>won open>lost")
WEBHOOK = StateTable.of(
    "webhook_inbox",
    starts="received",
    edges="received>processed received>ignored received>dead dead>received",
)
ISSUE = StateTable.of(
    "reconciliation_issue",
    starts="open",
    edges="open>auto_fixed open>resolved auto_fixed>open resolved>open",
)

OPEN = frozenset({"submitting", "unknown", "requires_action", "authorized"})
"""Nobody knows yet how these end; `next_check_at` says when to ask again."""
REFUND_OPEN = frozenset({"queued", "unknown"})
