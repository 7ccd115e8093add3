"""What an answer of the gateway means for a payment: computed here, written by the service.

Answers come from replies, callbacks and polls, doubled and in any order. The state therefore never depends on
the order: each status has a rank, the highest word heard wins, and the state table refuses what is left over.
A late authorisation (declined or canceled, and then captured all the same) is the highest of all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.kernel.money import Money
from app.payments.gateway import Absent, Snapshot, Unknown
from app.payments.states import OPEN, PAYMENT

BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 30, 60))
"""How long to wait before asking again; the last one for ever after."""
FIRST_CHECK = BACKOFF[0]
ABSENT_FOR = timedelta(minutes=2)
"""A charge that the gateway has not heard of after this long never left, or is blocked by a tombstone."""
GIVE_UP_AFTER = timedelta(minutes=30)
"""A payment still open after this is cancelled at the gateway: an abandoned page must not keep points."""
NEVER_RESEND_AFTER = timedelta(hours=23)
"""Gateways forget idempotency keys after 24 hours (Stripe: "idempotent requests"): then only read."""

GIVEN_BACK = "captured, and given back at the gateway before we heard of it"
"""Why such a payment counts as cancelled."""
MISMATCH, REFUND_DIFFERS, MISSING = "payment_mismatch", "refund_differs", "missing_at_gateway"
ACCUSING = frozenset({MISMATCH, REFUND_DIFFERS, MISSING})
"""Kinds of issues about one payment that the gateway's own later word can take back; `ref` is the payment's id."""

TAKE_OR_GIVE_BACK = (
    "Look it up at the gateway. Give all of it back there, and the order ends by itself; or accept it on the page "
    "of the payment."
)
GIVE_BACK = (
    "Give all of it back at the gateway: this payment had ended here, and the issue closes by itself then."
)
TAKE_NOTE = (
    "Ask the gateway who made it, and take note of it on the page of the payment: then a refund of the order does "
    "not send it again."
)
OF_OURS = (
    "A refund of ours has come back: the bank did not take it. It is asked about; ask again if this stays."
)
TAKE_BACK = (
    "What had gone back at the gateway has come back from the bank, or some of it. Take note of it on the page of the "
    "payment: then what refunds of the order had counted on is sent again."
)

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

    `returned`: what has certainly arrived of `refunded`, some of which may be on its way. `accepted` and `outside`:
    what staff have taken for right (Payment.accepted, Payment.refunded_outside).
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
    accepted: int | None = None
    outside: int = 0


@dataclass(frozen=True, slots=True)
class Issue:
    """A difference to record: `suggestion` tells staff what would settle it."""

    kind: str
    detail: dict[str, Any]
    suggestion: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The state to store, the columns that change with it, and the issue to open, if any.

    `settles`: kinds of issues about this payment that are so no more. `is_given_back`: nothing is left of it.
    """

    state: str
    changes: dict[str, Any] = field(default_factory=dict)
    issue: Issue | None = None
    settles: frozenset[str] = frozenset()

    @property
    def is_given_back(self) -> bool:
        return self.changes.get("last_error") == GIVEN_BACK


def decide(facts: PaymentFacts, truth: Snapshot | Absent | Unknown, now: datetime) -> Decision:
    """What to store after `truth`. Never raises: whatever does not fit is a no-op or an issue."""
    if isinstance(truth, Unknown):
        return _unclear(facts, truth.reason, now, _mismatch_issue(facts, truth.reason))
    if isinstance(truth, Absent):
        return _absent(facts, now)
    if _is_given_back(facts, truth):
        return _given_back(facts, truth)
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
    if facts.accepted is not None and (snapshot.status, snapshot.captured) == ("captured", facts.accepted):
        return None
    if facts.gateway_ref is not None and snapshot.gateway_ref != facts.gateway_ref:
        return "mismatch: gateway reference differs"
    if snapshot.status in ("declined", "canceled") and snapshot.captured == 0:
        return None
    for name in ("reference", "currency", "amount"):
        told, ours = getattr(snapshot, name), getattr(facts, name)
        if told != ours:
            return _differs(name, told, ours, facts.currency)
    if snapshot.status == "captured" and snapshot.captured != facts.amount:
        return _differs("captured", snapshot.captured, facts.amount, facts.currency)
    return None


def _differs(name: str, told: str | int, ours: str | int, currency: str) -> str:
    shown = [str(Money(one, currency).display if isinstance(one, int) else one) for one in (told, ours)]
    return "mismatch: {} is {}, ours is {}".format(name, *shown)


def _settle(facts: PaymentFacts, snapshot: Snapshot, now: datetime) -> Decision:
    told = "unknown" if snapshot.status == "processing" else snapshot.status
    higher = _RANK[told] > _RANK[facts.state] and PAYMENT.allows(facts.state, told)
    state = told if higher else facts.state
    changes: dict[str, Any] = {"gateway_ref": facts.gateway_ref or snapshot.gateway_ref or None}
    changes["card_brand"] = snapshot.card_brand or facts.card_brand
    changes["card_last4"] = snapshot.card_last4 or facts.card_last4
    if state == "captured":
        changes["captured"] = facts.captured if facts.state == "captured" else _taken(facts)
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
    changes |= {"next_check_at": None, "last_error": None}
    return Decision(state, changes, _refund_issue(facts, snapshot), _taken_back(facts, snapshot, state))


def _taken_back(facts: PaymentFacts, snapshot: Snapshot, state: str) -> frozenset[str]:
    """What an answer that fits, and knows the same end, takes back. Of refunds only when none is on its way: until
    then nobody can tell them from those of another hand."""
    if snapshot.status != state:
        return frozenset()
    if state != "captured":
        return frozenset({MISSING})
    is_even = snapshot.refunded == facts.refunded + facts.outside
    return ACCUSING if is_even else ACCUSING - {REFUND_DIFFERS}


def _taken(facts: PaymentFacts) -> int:
    """What of the capture pays for the order."""
    return facts.amount if facts.accepted is None else min(facts.amount, facts.accepted - facts.outside)


def outside_of(captured: int, accepted: int | None, outside: int) -> int:
    """How much of what counts as captured went back by another hand: first of all what was captured too much."""
    return max(0, outside - ((accepted or captured) - captured))


def _is_given_back(facts: PaymentFacts, snapshot: Snapshot) -> bool:
    """All of what was captured, right or wrong, of this payment, while no order had it."""
    ours = snapshot.key == facts.key and facts.gateway_ref in (None, snapshot.gateway_ref)
    return ours and facts.state != "captured" and 0 < snapshot.captured <= snapshot.refunded


def _given_back(facts: PaymentFacts, snapshot: Snapshot) -> Decision:
    """Nothing is left of it: the payment has ended without any money, and pays no order."""
    ended = {"gateway_ref": snapshot.gateway_ref, "last_error": GIVEN_BACK}
    if facts.state not in OPEN:
        return Decision(facts.state, ended, settles=ACCUSING)
    return Decision("canceled", {**ended, "next_check_at": None, "next_action_url": None}, settles=ACCUSING)


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
        MISSING,
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
    return Issue(MISMATCH, detail, TAKE_OR_GIVE_BACK if facts.state in OPEN else GIVE_BACK)


def _refund_issue(facts: PaymentFacts, snapshot: Snapshot) -> Issue | None:
    """More went back than we sent: somebody refunded at the gateway itself. Less: a bank sent some of it back."""
    if facts.returned <= snapshot.refunded - facts.outside <= facts.refunded:
        return None
    suggestion = TAKE_NOTE
    if snapshot.refunded - facts.outside < facts.returned:
        suggestion = TAKE_BACK if facts.outside else OF_OURS
    return Issue(
        REFUND_DIFFERS,
        {
            "payment": facts.key,
            "reference": facts.reference,
            "gateway_refunded": snapshot.refunded,
            "shop_refunded": facts.refunded + facts.outside,
        },
        suggestion,
    )
