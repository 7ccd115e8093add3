"""What an answer of the gateway means for a card refund: the same rules as for payments (`rules`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.payments.gateway import Absent, RefundRefused, RefundSnapshot, Unknown
from app.payments.rules import BACKOFF, FIRST_CHECK, Decision, Issue
from app.payments.states import CARD_REFUND, REFUND_OPEN

REFUSED = "refused by the bank"
"""Why a refund failed that the gateway had taken."""


@dataclass(frozen=True, slots=True)
class RefundFacts:
    """The stored card refund as far as the rules need it."""

    key: str
    amount: int
    currency: str
    payment_ref: str | None
    state: str
    checks: int
    gateway_ref: str | None = None
    last_error: str | None = None


def decide_refund(
    facts: RefundFacts, truth: RefundSnapshot | RefundRefused | Absent | Unknown, now: datetime
) -> Decision:
    """What to store for a card refund after `truth`; the same rules as for payments.

    Banks send back what had gone out, and nothing goes out that a bank has refused: the gateway's own `failed` is
    the last word. A refusal to send is none about what was sent before.
    """
    if isinstance(truth, RefundRefused):
        return _refund_to(
            facts, "failed" if facts.state in REFUND_OPEN else facts.state, now, truth.reason, None
        )
    if isinstance(truth, Absent):
        return _refund_to(facts, facts.state, now, "the gateway does not know it", None)
    if isinstance(truth, Unknown):  # not counted as a check, as for payments
        silent = _refund_to(facts, "unknown", now, truth.reason, None)
        again = {"checks": facts.checks, "next_check_at": now + FIRST_CHECK} if silent.changes else {}
        return Decision(silent.state, silent.changes | again, silent.issue)
    told = (truth.key, truth.amount, truth.currency, truth.payment_ref)
    if told != (facts.key, facts.amount, facts.currency, facts.payment_ref):
        detail = {"refund": facts.key, "told": list(told), "amount": facts.amount}
        issue = Issue("refund_mismatch", detail, "Look the refund up at the gateway.")
        return _refund_to(facts, "unknown", now, "mismatch: the answer is about another refund", None, issue)
    if facts.state == "failed" and facts.last_error == REFUSED:
        return Decision(facts.state)
    state = {"pending": "unknown", "succeeded": "succeeded", "failed": "failed"}[truth.status]
    reason = {"pending": "pending", "succeeded": None, "failed": REFUSED}[truth.status]
    return _refund_to(facts, state, now, reason, truth.gateway_ref)


def _refund_to(
    facts: RefundFacts,
    wanted: str,
    now: datetime,
    reason: str | None,
    ref: str | None,
    issue: Issue | None = None,
) -> Decision:
    state = wanted if CARD_REFUND.allows(facts.state, wanted) else facts.state
    if state == facts.state and state not in REFUND_OPEN:
        return Decision(state, issue=issue)
    changes: dict[str, Any] = {"last_error": reason, "gateway_ref": facts.gateway_ref or ref}
    if state in REFUND_OPEN:
        wait = BACKOFF[min(facts.checks, len(BACKOFF) - 1)]
        changes |= {"checks": facts.checks + 1, "next_check_at": now + wait}
    else:
        changes["next_check_at"] = None
    return Decision(state, changes, issue)
