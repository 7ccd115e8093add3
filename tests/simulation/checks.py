"""What must be true after a history (docs/reliability.md, invariants)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

from tests import verify
from tests.live.shop import LiveShop
from tests.simulation.office import REASON

if TYPE_CHECKING:
    from tests.simulation.history import History

# What a job may have failed with on the way: a gateway without a word, and connections that the history itself broke.
JOB_ERRORS = """
  SELECT topic || ': ' || last_error AS what FROM outbox
   WHERE last_error IS NOT NULL
     AND last_error !~ '^(Later|Unanswered|OperationalError|PendingRollbackError|InvalidRequestError):'
"""
# Each staff write has its audit row in the same commit, whatever died (I14).
AUDIT = """
  SELECT 'orders moved by staff' AS what,
         (SELECT count(*) FROM order_event WHERE event IN ('packed','shipped','delivered')) AS done,
         (SELECT count(*) FROM audit_log WHERE action = 'order.moved') AS told
  UNION ALL SELECT 'refunds by staff',
         (SELECT count(*) FROM order_refund WHERE requested_by LIKE 'staff:%%' AND reason = %(reason)s),
         (SELECT count(*) FROM audit_log WHERE action = 'order.refund' AND reason = %(reason)s)
  UNION ALL SELECT 'orders ended by staff: ' || o.number, 1,
         (SELECT least(count(*), 1) FROM audit_log WHERE action = 'order.cancel' AND target_id = o.number)
    FROM order_event e JOIN orders o ON o.id = e.order_id WHERE e.event = 'cancelled' AND e.actor LIKE 'staff:%%'
  UNION ALL SELECT 'adjustments asked for',
         (SELECT count(*) FROM points_adjustment WHERE requested_by <> '00000000-0000-0000-0000-000000000000'),
         (SELECT count(DISTINCT after->>'adjustment_id') FROM audit_log WHERE after ? 'adjustment_id')
"""
SHELF = """
  SELECT s.variant_id AS id, s.on_hand, s.reserved,
         coalesce((SELECT sum((a.after->>'on_hand')::int - (a.before->>'on_hand')::int) FROM audit_log a
                    WHERE a.action = 'stock.adjust' AND a.target_id = s.variant_id::text), 0)::int AS counted,
         coalesce((SELECT sum(r.quantity) FROM stock_reservation r
                    WHERE r.variant_id = s.variant_id AND r.state = 'committed'), 0)::int AS sold
    FROM stock s
"""
MAILS = """
  SELECT o.number, count(m.dedupe_key) AS mails FROM orders o
    LEFT JOIN mail_message m ON m.subject_ref = o.number AND m.template = 'order_paid' AND m.sent_at IS NOT NULL
   WHERE o.paid_at IS NOT NULL GROUP BY o.number HAVING count(m.dedupe_key) <> 1
"""
WRITTEN = """
  SELECT dedupe_key, CASE WHEN superseded_at IS NULL THEN 1 ELSE 0 END AS least FROM mail_message
   ORDER BY created_at, dedupe_key
"""

# What accuses, or says that something could not be settled, with what we have of the payment that it is about.
ACCUSING = """
  SELECT i.kind, i.ref, p.state, p.captured, p.refunded + p.refunded_outside AS refunded
    FROM reconciliation_issue i LEFT JOIN payment p ON p.id::text = i.ref
   WHERE i.state = 'open' AND i.kind IN
     ('settling_failed','match_failed','payment_mismatch','refund_differs','missing_at_gateway')
"""


def everything(history: History) -> list[str]:
    world = history.world
    found = verify.differences(cast(LiveShop, world))
    found += [f"job failed: {row['what']}" for row in world.rows(JOB_ERRORS)]
    found += [f"audit: {row}" for row in world.rows(AUDIT, reason=REASON) if row["done"] != row["told"]]
    found += [f"receipts: {row}" for row in world.rows(MAILS)]
    return found + _shelf(history) + _self_made(history) + _mails(history) + _accused(history)


def _mails(history: History) -> list[str]:
    """Each mail that was written is in the mailbox once (I15), unless it was so no more; once more only for each job
    that died in the middle (M10)."""
    found = history.world.mails()
    wrong = []
    for row in history.world.rows(WRITTEN):
        digest = hashlib.sha256(row["dedupe_key"].encode()).hexdigest()[:32]
        copies = sum(found.pop(key) for key in [one for one in found if one.startswith(f"<{digest}@")])
        if not row["least"] <= copies <= row["least"] + history.torn[row["dedupe_key"]]:
            wrong.append(f"mail {row['dedupe_key']}: {copies} copies in the mailbox")
    return wrong + [f"mail that nobody wrote: {key}" for key in found]


def _shelf(history: History) -> list[str]:
    """Nothing is sold that was not there: what came, less what was sold, is what is left (I9)."""
    return [
        f"stock: {row}"
        for row in history.world.rows(SHELF)
        if row["on_hand"] != history.cast.stock[row["id"]] + row["counted"] - row["sold"]
    ]


def _self_made(history: History) -> list[str]:
    """A success is late only where the bank changed its mind, never because we had given up early (I12)."""
    late: list[dict[str, Any]] = history.world.rows("SELECT id::text, reference FROM payment WHERE late")
    return [f"self-made late success: {row}" for row in late if row["id"] not in history.late]


def _accused(history: History) -> list[str]:
    """No issue stays open about a payment that is as the gateway has it, nor about what has been settled since."""
    truths = {one["idempotency_key"]: one for one in history.world.gateway_payments()}
    wrong = []
    for row in history.world.rows(ACCUSING):
        truth = truths.get(row["ref"], {})
        theirs = (truth.get("status"), truth.get("amount_captured"), truth.get("amount_refunded"))
        if row["kind"] in ("settling_failed", "match_failed") or theirs == (
            row["state"],
            row["captured"],
            row["refunded"],
        ):
            wrong.append(f"open without a reason: {row}")
    return wrong
