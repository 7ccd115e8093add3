"""What is thrown away, and when: each verb deletes one batch in the caller's transaction and says how many.

Rows that somebody holds locked are passed by; the next run meets them. Orders, payments, the ledger, the audit log
and the mails that were sent are kept for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, select, tuple_

from app.accounts.models import ApiToken
from app.checkout.models import QuoteRow
from app.idempotency.models import IdempotencyKey
from app.kernel import clock
from app.kernel.database import session
from app.orders.models import Order
from app.outbox import delivery
from app.outbox.models import EffectDone
from app.payments.models import WebhookEvent

BATCH = 1_000
KEYS = timedelta(hours=72)
"""A client that retries after a weekend still gets the first answer (brandur.org, idempotency keys)."""
QUOTES = timedelta(hours=24)
INBOX = timedelta(days=35)
"""Gateways send again for up to 30 days; an event that comes later than that would be applied a second time."""
EFFECTS = timedelta(days=90)
"""Well beyond the outbox's 30 days: no job can come again whose effect is forgotten."""
TOKENS = timedelta(days=30)
"""After the refresh token's end: until then a stolen one that is used again still ends its family."""


def delete_keys(*, limit: int = BATCH) -> int:
    """Idempotency keys, unless nobody knows yet how the payment of their order ends."""
    undecided = exists().where(
        Order.number == IdempotencyKey.subject, Order.status.in_(("payment_pending", "needs_review"))
    )
    old = (IdempotencyKey.created_at < clock.now() - KEYS) & (IdempotencyKey.lease_until < clock.now())
    return _delete(IdempotencyKey, old & ~undecided, limit)


def delete_quotes(*, limit: int = BATCH) -> int:
    """Quotes that ended a day ago; orders keep their own copy of what was agreed."""
    return _delete(QuoteRow, QuoteRow.expires_at < clock.now() - QUOTES, limit)


def delete_webhooks(*, limit: int = BATCH) -> int:
    """Callbacks that were applied; one that never was stays."""
    applied = WebhookEvent.state.in_(("processed", "ignored"))
    return _delete(WebhookEvent, (WebhookEvent.received_at < clock.now() - INBOX) & applied, limit)


def delete_effects(*, limit: int = BATCH) -> int:
    """The memory of effects that happened once; marks of the shop's own set-up are kept."""
    old = EffectDone.done_at < clock.now() - EFFECTS
    return _delete(EffectDone, old & ~EffectDone.dedupe_key.startswith("demo."), limit)


def delete_tokens(*, limit: int = BATCH) -> int:
    """API tokens that cannot be refreshed any more."""
    return _delete(ApiToken, ApiToken.refresh_expires_at < clock.now() - TOKENS, limit)


def delete_jobs(*, limit: int = BATCH) -> int:
    """Outbox rows that were done 30 days ago; dead ones wait for staff."""
    return delivery.prune(limit=limit)


CLEANERS: Mapping[str, Callable[..., int]] = {
    "idempotency_keys": delete_keys,
    "quotes": delete_quotes,
    "webhooks": delete_webhooks,
    "effects": delete_effects,
    "tokens": delete_tokens,
    "jobs": delete_jobs,
}


def _delete(model: type[Any], where: ColumnElement[bool], limit: int) -> int:
    key = tuple_(*model.__table__.primary_key)
    old = select(*model.__table__.primary_key).where(where).limit(limit).with_for_update(skip_locked=True)
    gone = session().execute(
        delete(model).where(key.in_(old)).returning(*model.__table__.primary_key),
        execution_options={"synchronize_session": False},
    )
    return len(gone.all())
