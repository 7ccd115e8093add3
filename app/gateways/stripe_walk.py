"""Walks over Stripe's lists: a payment or refund by our own key, and everything that changed.

Stripe has no look-up by metadata that is true at once: its search is, by its own documentation, minutes behind.
Its lists are current and newest first, so a key is looked for from now back to the moment at which it was made.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from app.gateways import stripe_replies as replies
from app.gateways import stripe_wire as wire
from app.gateways.stripe_calls import Calls
from app.payments.gateway import Absent, ListPage, RefundSnapshot, Snapshot, Unknown

CLOCKS_DIFFER = timedelta(minutes=10)
SESSION_LIVES = timedelta(hours=24)
"""A Checkout Session may be paid this long after it was made (Stripe: "expires_at", 24 hours by default)."""
MOST_PAGES = 50
"""Of 100 objects. A key that is not found within them is not called absent."""


def find_intent(calls: Calls, payment_id: uuid.UUID) -> wire.Intent | Absent | Unknown:
    """The PaymentIntent with our id; a tombstone only when there is nothing else."""
    tombstone: wire.Intent | None = None
    oldest, after = made_at(payment_id) - CLOCKS_DIFFER, None
    for _ in range(MOST_PAGES):
        reply = calls.list_intents(after)
        page = replies.read(reply, wire.IntentList)
        if page is None:
            return Unknown(replies.reason(reply))
        for intent in page.data:
            if intent.metadata.get("payment_id") != str(payment_id):
                continue
            if not intent.is_tombstone:
                return intent
            tombstone = intent
        if not page.has_more or not page.data or _at(page.data[-1].created) < oldest:
            return tombstone or Absent()
        after = page.data[-1].id
    return tombstone or Unknown("not among the newest payments of Stripe's list")


def find_refund(calls: Calls, refund_id: uuid.UUID) -> RefundSnapshot | Absent | Unknown:
    oldest, after = made_at(refund_id) - CLOCKS_DIFFER, None
    for _ in range(MOST_PAGES):
        reply = calls.list_refunds(after)
        page = replies.read(reply, wire.RefundList)
        if page is None:
            return Unknown(replies.reason(reply))
        for refund in page.data:
            if refund.about.get("refund_id") == str(refund_id):
                return refund.snapshot()
        if not page.has_more or not page.data or _at(page.data[-1].created) < oldest:
            return Absent()
        after = page.data[-1].id
    return Unknown("not among the newest refunds of Stripe's list")


def list_changed(calls: Calls, cursor: str | None, since: datetime) -> ListPage | Unknown:
    """One page of the walk: what is new since then, then what is older and changed.

    The cursor is `<list>:<last id>`. Only who has payments of the hosted page walks over sessions as well.
    """
    name, _, after = (cursor or "intents:").partition(":")
    if name in ("intents", "intents and sessions"):
        return _new_intents(calls, name, after or None, since)
    if name == "sessions":
        return _new_sessions(calls, after or None, since)
    return _old_changed(calls, name, after or None, since)


def snapshot_of(calls: Calls, intent: wire.Intent) -> Snapshot | Unknown:
    """A payment of the hosted page is known by its session, which the intent does not name."""
    if not intent.is_hosted:
        return intent.snapshot()
    reply = calls.list_sessions(None, of=intent.id)
    page = replies.read(reply, wire.SessionList)
    snapshot = page.data[0].snapshot() if page and page.data else None
    return snapshot or Unknown(
        replies.reason(reply) if page is None else "a hosted payment without a session"
    )


def made_at(key: uuid.UUID) -> datetime:
    """When a version 7 UUID was made (RFC 9562, 5.7); for others the beginning of time."""
    milliseconds = key.int >> 80 if key.version == 7 else 0
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _new_intents(calls: Calls, name: str, after: str | None, since: datetime) -> ListPage | Unknown:
    reply = calls.list_intents(after)
    page = replies.read(reply, wire.IntentList)
    if page is None:
        return Unknown(replies.reason(reply))
    new = [intent for intent in page.data if _at(intent.created) >= since]
    if any(intent.is_hosted for intent in new):
        name = "intents and sessions"
    snapshots = tuple(intent.snapshot() for intent in new if not intent.is_hosted)
    if page.has_more and page.data and len(new) == len(page.data):
        return ListPage(snapshots, f"{name}:{page.data[-1].id}", True)
    return ListPage(snapshots, "sessions:" if name == "intents and sessions" else "succeeded:", True)


def _new_sessions(calls: Calls, after: str | None, since: datetime) -> ListPage | Unknown:
    """Those without an intent took no money, and are asked about one by one while they are open."""
    reply = calls.list_sessions(after)
    page = replies.read(reply, wire.SessionList)
    if page is None:
        return Unknown(replies.reason(reply))
    new = [session for session in page.data if _at(session.created) >= since - SESSION_LIVES]
    told = (session.snapshot() for session in new if session.payment_intent is not None)
    snapshots = tuple(snapshot for snapshot in told if snapshot is not None)
    if page.has_more and page.data and len(new) == len(page.data):
        return ListPage(snapshots, f"sessions:{page.data[-1].id}", True)
    return ListPage(snapshots, "succeeded:", True)


def _old_changed(calls: Calls, name: str, after: str | None, since: datetime) -> ListPage | Unknown:
    """Payments from before `since` that were captured or refunded after it: each is fetched as it is now."""
    kind = "payment_intent.succeeded" if name == "succeeded" else "charge.refunded"
    reply = calls.list_events(kind, int(since.timestamp()), after)
    page = replies.read(reply, wire.EventList)
    if page is None:
        return Unknown(replies.reason(reply))
    objects = [event.data.object for event in page.data]
    refs = {told.intent_id for told in objects if told.intent_id and _at(told.created) < since}
    snapshots: list[Snapshot] = []
    for ref in sorted(refs):
        fetched = calls.get_intent(ref)
        intent = replies.read(fetched, wire.Intent)
        snapshot = snapshot_of(calls, intent) if intent else Unknown(replies.reason(fetched))
        if isinstance(snapshot, Unknown):
            return snapshot
        snapshots.append(snapshot)
    if page.has_more and page.data:
        return ListPage(tuple(snapshots), f"{name}:{page.data[-1].id}", True)
    return ListPage(tuple(snapshots), "refunded:", name == "succeeded")


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
