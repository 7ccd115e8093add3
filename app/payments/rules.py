"""What an answer of the gateway means for a payment: computed here, written by the service.

Answers come from replies, callbacks and polls, doubled and in any order. The state therefore never depends on
the order: each status has a rank, the highest word heard wins, and the state table refuses what is left over.
A late authorisation (declined or canceled, and then captured all the same) is the highest of all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.payments.gateway import Absent, RefundRefused, RefundSnapshot, Snapshot, Unknown
from app.payments.states import CARD_REFUND, OPEN, PAYMENT, REFUND_OPEN

BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 30, 60))
"""How long to wait before asking again; the last one for ever after."""
FIRST_CHECK = BACKOFF[0]
ABSENT_FOR = timedelta(minutes=2)
"""A charge that the gateway has not heard of after this long never left, or is blocked by a tombstone."""
GIVE_UP_AFTER = timedelta(minutes=30)
"""A payment still open after this is cancelled at the gateway: an abandoned page must not keep points."""
NEVER_RESEND_AFTER = timedelta(hours=23)
"""Gateways forget idempotency keys after 24 hours (Stripe: "idempotent requests"): then only read."""

REFUSED = "refused by the bank"
"""Why a refund failed that the gateway had taken."""

_RANK = {
    "submitting": 0,
    "unknown": 1,
    "requires_action": 2,
    "authorized": 3,
    "declined": 4,
    "canceled": 4,
    "captured": 5,
}


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """The stored payment as far as the rules need it. Amounts in minor units.

    `returned`: what has certainly arrived of `refunded`, some of which may be on its way.
    """

    key: str
    reference: str
    amount: int
    currency: str
    state: str
    captured: int
    refunded: int
    checks: int
    created_at: datetime
    gateway_ref: str | None = None
    next_action_url: str | None = None
    decline_code: str | None = None
    card_brand: str | None = None
    card_last4: str | None = None
    returned: int = 0


@dataclass(frozen=True, slots=True)
class Issue:
    """A difference to record: `suggestion` tells staff what would settle it."""

    kind: str
    detail: dict[str, Any]
    suggestion: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The state to store, the columns that change with it, and the issue to open, if any."""

    state: str
    changes: dict[str, Any] = field(default_factory=dict)
    issue: Issue | None = None


def decide(facts: PaymentFacts, truth: Snapshot | Absent | Unknown, now: datetime) -> Decision:
    """What to store after `truth`. Never raises: whatever does not fit is a no-op or an issue."""
    if isinstance(truth, Unknown):
        return _unclear(facts, truth.reason, now, _mismatch_issue(facts, truth.reason))
    if isinstance(truth, Absent):
        return _absent(facts, now)
    problem = mismatch(facts, truth)
    if problem is not None:
        return _unclear(facts, problem, now, _mismatch_issue(facts, problem), doubt=True)
    return _settle(facts, truth, now)


def mismatch(facts: PaymentFacts, snapshot: Snapshot) -> str | None:
    """`mismatch: …` when the answer is about other money than we asked for; None when it fits.

    A payment that took no money is believed without its amount: the tombstone of a key has none.
    """
    if snapshot.key != facts.key:
        return "mismatch: the answer is about another payment"
    if facts.gateway_ref is not None and snapshot.gateway_ref != facts.gateway_ref:
        return "mismatch: gateway reference differs"
    if snapshot.status in ("declined", "canceled") and snapshot.captured == 0:
        return None
    for name in ("reference", "currency", "amount"):
        told, ours = getattr(snapshot, name), getattr(facts, name)
        if told != ours:
            return f"mismatch: {name} is {told}, ours is {ours}"
    if snapshot.status == "captured" and snapshot.captured != facts.amount:
        return f"mismatch: captured is {snapshot.captured}, ours is {facts.amount}"
    return None


def _settle(facts: PaymentFacts, snapshot: Snapshot, now: datetime) -> Decision:
    told = "unknown" if snapshot.status == "processing" else snapshot.status
    higher = _RANK[told] > _RANK[facts.state] and PAYMENT.allows(facts.state, told)
    state = told if higher else facts.state
    changes: dict[str, Any] = {"gateway_ref": facts.gateway_ref or snapshot.gateway_ref or None}
    changes["card_brand"] = snapshot.card_brand or facts.card_brand
    changes["card_last4"] = snapshot.card_last4 or facts.card_last4
    if state == "captured":
        changes["captured"] = facts.amount
        if facts.state in ("declined", "canceled"):
            changes["late"] = True
    changes["decline_code"] = None
    if state == "declined":
        changes["decline_code"] = facts.decline_code or snapshot.decline_code
    changes["next_action_url"] = None
    if state == "requires_action":
        changes["next_action_url"] = snapshot.next_action_url or facts.next_action_url
    if state in OPEN:
        error = "processing" if snapshot.status == "processing" else None
        return Decision(state, changes | _ask_again(facts, now) | {"last_error": error})
    return Decision(
        state, changes | {"next_check_at": None, "last_error": None}, _refund_issue(facts, snapshot)
    )


def _unclear(
    facts: PaymentFacts, reason: str, now: datetime, issue: Issue | None, *, doubt: bool = False
) -> Decision:
    """No word to go by. `doubt`: what we showed the shopper so far is not to be trusted either.

    Not counted as a check: a gateway that was away for an hour is asked again within a minute of its return.
    """
    if facts.state not in OPEN:
        return Decision(facts.state, issue=issue)
    moves = facts.state == "submitting" or (doubt and facts.state != "unknown")
    changes: dict[str, Any] = {"last_error": reason, "next_check_at": now + FIRST_CHECK}
    if moves:
        changes["next_action_url"] = None
    return Decision("unknown" if moves else facts.state, changes, issue)


def _absent(facts: PaymentFacts, now: datetime) -> Decision:
    if facts.state in OPEN:
        changes = {"last_error": "the gateway does not know it", **_ask_again(facts, now)}
        return Decision("unknown" if facts.state == "submitting" else facts.state, changes)
    if facts.gateway_ref is None:
        return Decision(facts.state)
    issue = Issue(
        "missing_at_gateway",
        {"payment": facts.key, "reference": facts.reference, "state": facts.state},
        "Ask the gateway: it no longer knows a payment that it told us about.",
    )
    return Decision(facts.state, issue=issue)


def _ask_again(facts: PaymentFacts, now: datetime) -> dict[str, Any]:
    return {"checks": facts.checks + 1, "next_check_at": next_check(facts.checks, facts.created_at, now)}


def next_check(checks: int, created_at: datetime, now: datetime) -> datetime:
    """When to ask again: by the table, but not later than the moment at which we give up waiting."""
    planned = now + BACKOFF[min(checks, len(BACKOFF) - 1)]
    limit = created_at + GIVE_UP_AFTER
    return min(planned, limit) if now < limit else planned


def _mismatch_issue(facts: PaymentFacts, reason: str) -> Issue | None:
    if not reason.startswith("mismatch"):
        return None
    detail = {"payment": facts.key, "reference": facts.reference, "reason": reason, "state": facts.state}
    return Issue(
        "payment_mismatch",
        detail,
        "Look it up at the gateway; refund it there, or accept it by hand.",
    )


def _refund_issue(facts: PaymentFacts, snapshot: Snapshot) -> Issue | None:
    """More went back than we sent: somebody refunded at the gateway itself. Less: a bank sent some of it back."""
    if facts.returned <= snapshot.refunded <= facts.refunded:
        return None
    return Issue(
        "refund_differs",
        {
            "payment": facts.key,
            "reference": facts.reference,
            "gateway_refunded": snapshot.refunded,
            "shop_refunded": facts.refunded,
        },
        "Record a refund of the difference, or ask the gateway who made it.",
    )


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
