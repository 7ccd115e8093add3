"""Probes of what staff added and took: booked as decided, and decided by whom the audit log names."""

from __future__ import annotations

from app.audit.verification import Probe
from app.rewards.service.given import NOBODY

_STEPS = ("applied", "requested", "approved", "rejected", "expired")
_ACTIONS = ", ".join(f"'points.{what}_{step}'" for what in ("adjustment", "batch") for step in _STEPS)
STAFF = Probe(
    checks={
        "adjustments_booked": "an applied adjustment moved exactly its points, any other none",
        "files_booked": "a file of adjustments has as many rows and points as it says, and all have its state",
        "two_people": "nobody approved what they had asked for themselves",
        "asked_and_decided": "who asked for an adjustment or a file, when, for how much, who decided: as audited",
    },
    examined="SELECT count(*) FROM points_adjustment",
    sql=f"""
      WITH told AS (
        SELECT CASE target_type WHEN 'customer' THEN after ->> 'adjustment_id' ELSE target_id END AS id,
               substring(action FROM '[a-z]+$') AS what, actor_id, at, after ->> 'points' AS points
          FROM audit_log WHERE action IN ({_ACTIONS})
      ), named AS (
        SELECT id, min(actor_id::text) FILTER (WHERE what IN ('applied','requested')) AS asked,
               min(actor_id::text) FILTER (WHERE what <> 'requested') AS decided, bool_or(what = 'applied') AS alone,
               min(at) FILTER (WHERE what IN ('applied','requested')) AS at, min(points) AS points
          FROM told GROUP BY id
      ), kept AS (
        SELECT id, requested_by, decided_by, auto_approved, created_at, points::text FROM points_adjustment
         WHERE batch_id IS NULL AND requested_by <> '{NOBODY}'
        UNION ALL
        SELECT id, requested_by, decided_by, auto_approved, created_at, NULL FROM points_adjustment_batch
      )
      SELECT 'asked_and_decided', k.id::text FROM kept k LEFT JOIN named n ON n.id = k.id::text
       WHERE (k.requested_by::text, k.decided_by::text, k.auto_approved, k.points)
             IS DISTINCT FROM (n.asked, n.decided, n.alone, n.points)
          OR k.created_at - n.at NOT BETWEEN '-1 minute' AND '1 minute'
      UNION ALL
      SELECT 'asked_and_decided', a.id::text
        FROM points_adjustment a JOIN points_adjustment_batch b ON b.id = a.batch_id
       WHERE (a.requested_by, a.decided_by, a.auto_approved)
             IS DISTINCT FROM (b.requested_by, b.decided_by, b.auto_approved)
      UNION ALL
      SELECT flag.name, a.id::text
        FROM points_adjustment a
        LEFT JOIN points_tx x ON x.customer_id = a.customer_id AND x.idem_key = 'adjustment:' || a.id
       CROSS JOIN LATERAL (
         SELECT -coalesce(sum(e.amount), 0) AS points FROM points_entry e
          WHERE e.tx_id = x.id AND e.account = 'adjusted') AS booked
       CROSS JOIN LATERAL (VALUES
         ('adjustments_booked', (a.state = 'applied') <> (x.id IS NOT NULL) OR x.id IS DISTINCT FROM a.tx_id
            OR booked.points <> CASE a.state WHEN 'applied' THEN a.points ELSE 0 END),
         ('two_people', a.state = 'applied' AND NOT a.auto_approved AND a.decided_by = a.requested_by),
         ('asked_and_decided', a.requested_by = '{NOBODY}'
            AND (a.decided_by, a.auto_approved, a.state) IS DISTINCT FROM (a.requested_by, true, 'applied')
              OR (a.requested_by = '{NOBODY}') <> (x.actor LIKE 'system:%'))
       ) AS flag(name, broken)
       WHERE flag.broken
      UNION ALL
      SELECT 'files_booked', coalesce(b.id, r.batch_id)::text
        FROM points_adjustment_batch b FULL JOIN (
          SELECT batch_id, count(*) AS rows, coalesce(sum(points) FILTER (WHERE points > 0), 0) AS credit,
                 -coalesce(sum(points) FILTER (WHERE points < 0), 0) AS debit, min(state) AS first, max(state) AS last
            FROM points_adjustment WHERE batch_id IS NOT NULL GROUP BY batch_id) r ON r.batch_id = b.id
       WHERE (b.rows, b.credit, b.debit, b.state, b.state)
             IS DISTINCT FROM (r.rows, r.credit, r.debit, r.first, r.last)
    """,  # noqa: S608 (our own words)
)
