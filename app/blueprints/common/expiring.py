"""A run over all points that are due, by the job or by hand: a damaged account keeps no other from expiring."""

from __future__ import annotations

import uuid
from functools import partial

from rq.timeouts import JobTimeoutException

from app.blueprints.common.damaged import Damaged
from app.kernel.actor import Actor
from app.kernel.crashpoint import crashpoint
from app.kernel.database import end_reading, is_outage, run_atomically
from app.rewards.service import expiry


def expire_next(
    *, after: expiry.Place, actor: Actor, damaged: Damaged, limit: int = expiry.BATCH
) -> expiry.ExpiryBatch:
    """The next batch; when it fails, the same customer by customer, past those whose account is damaged."""
    try:
        return run_atomically(partial(_expire_batch, after, actor, damaged.customers, limit))
    except JobTimeoutException:
        raise
    except Exception as error:
        if is_outage(error):
            raise
    due = expiry.list_due(after=after, limit=limit)
    end_reading()
    lots = points = busy = 0
    for customer_id in sorted({lot.customer_id for lot in due} - damaged.customers):
        work = partial(expiry.expire_due, [lot for lot in due if lot.customer_id == customer_id], actor)
        done = damaged.go_past(customer_id, work)
        if done is not None:
            lots, points, busy = lots + done.lots, points + done.points, busy + done.busy
    return expiry.ExpiryBatch(lots, points, busy, due[-1].place if due else None)


def _expire_batch(
    after: expiry.Place, actor: Actor, past: frozenset[uuid.UUID], limit: int
) -> expiry.ExpiryBatch:
    batch = expiry.expire_batch(after=after, actor=actor, past=past, limit=limit)
    crashpoint("expire.before_commit")
    return batch
