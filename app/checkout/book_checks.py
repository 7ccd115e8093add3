"""What must hold between payments, orders, points and stock: each row that a check finds is an issue.

One statement a check, so that what is in the middle of a transaction is never taken for a difference. The nightly
`verification` proves everything; these are the classes that reconciliation reports one by one, with what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.database import run_atomically, session
from app.outbox.service import MAIL_QUEUE, Job, add
from app.payments import issues

LIMIT = 1_000
PENDING = "pending_too_long"
RECEIPT = "paid_without_receipt"


@dataclass(frozen=True, slots=True)
class Check:
    """`sql` selects ref (text) and detail (jsonb); parameters: now, limit."""

    kind: str
    suggestion: str
    sql: str


PENDING_CHECK = Check(
    PENDING,
    "Ask the gateway again about its payment; nobody knows yet whether the card was charged.",
    # A shopper may take half an hour over the bank's page; reconciliation ends the payment then.
    """
    SELECT o.number, jsonb_build_object('order_number', o.number, 'customer', o.customer_id,
                                        'payment', p.id, 'payment_state', p.state)
      FROM orders o LEFT JOIN LATERAL (
        SELECT id, state, created_at FROM payment WHERE reference = o.number
         ORDER BY created_at DESC, id DESC LIMIT 1) p ON true
     WHERE o.status = 'payment_pending'
       AND coalesce(p.created_at, o.placed_at) < CAST(:now AS timestamptz)
           - CASE WHEN p.state = 'requires_action' THEN interval '45 minutes' ELSE interval '15 minutes' END
    """,
)
CHECKS = (
    PENDING_CHECK,
    Check(
        "captured_not_settled",
        "The card was charged; the order or its points do not show it. Do not ship; refund, or settle by hand.",
        """
        SELECT o.number, jsonb_build_object('order_number', o.number, 'payment', p.id, 'status', o.status,
                                            'hold', h.state)
          FROM payment p JOIN orders o ON o.number = p.reference
          LEFT JOIN points_hold h ON h.order_id = o.id AND h.state <> 'released'
         WHERE p.state = 'captured' AND p.refunded + p.returned_elsewhere < p.captured
           AND (o.status IN ('payment_pending','payment_failed')
                OR (o.points > 0 AND o.status IN ('paid','packed','shipped','delivered')
                    AND h.state IS DISTINCT FROM 'captured'))
        """,
    ),
    Check(
        "ended_hold_active",
        "Every payment of the order ended without money, and its points are still held. Cancel the order.",
        """
        SELECT o.number, jsonb_build_object('order_number', o.number, 'hold', h.id, 'points', h.amount)
          FROM points_hold h JOIN orders o ON o.id = h.order_id
         WHERE h.state = 'active' AND o.status = 'payment_pending'
           AND EXISTS (SELECT 1 FROM payment p WHERE p.reference = o.number)
           AND NOT EXISTS (SELECT 1 FROM payment p WHERE p.reference = o.number
                              AND p.state NOT IN ('declined','canceled'))
        """,
    ),
    Check(
        RECEIPT,
        "The receipt is sent now.",
        # As far back as jobs are remembered for certain
        """
        SELECT o.number, jsonb_build_object('order_number', o.number, 'attempt', o.attempt)
          FROM orders o
         WHERE o.paid_at > CAST(:now AS timestamptz) - interval '14 days'
           AND NOT EXISTS (SELECT 1 FROM outbox x
                            WHERE x.dedupe_key = 'mail:order_paid:' || o.number || ':' || o.attempt)
           AND NOT EXISTS (SELECT 1 FROM mail_message m
                            WHERE m.subject_ref = o.number AND m.template = 'order_paid')
        """,
    ),
    Check(
        "hold_without_order",
        "Points are held for nothing: look the order up, and give them back by an adjustment if they are lost.",
        """
        SELECT h.id::text, jsonb_build_object('order_number', h.order_number, 'customer', h.customer_id,
                                              'points', h.amount, 'status', o.status)
          FROM points_hold h LEFT JOIN orders o ON o.id = h.order_id
         WHERE h.state = 'active' AND o.status IS DISTINCT FROM 'payment_pending'
           AND NOT EXISTS (SELECT 1 FROM payment p WHERE p.reference = o.number AND p.state = 'captured'
                              AND p.refunded + p.returned_elsewhere < p.captured)
        """,
    ),
    Check(
        "ledger_lots_differ",
        "Stop this account's points and run flask rewards verify: its balance is not what its lots say.",
        """
        SELECT a.customer_id::text, jsonb_build_object('available', a.available, 'lots', coalesce(l.available, 0),
                                                       'held', a.held, 'lots_held', coalesce(l.held, 0))
          FROM points_account a LEFT JOIN (
            SELECT customer_id, sum(available) AS available, sum(held) AS held
              FROM points_lot GROUP BY customer_id) l USING (customer_id)
         WHERE (a.available, a.held) IS DISTINCT FROM (coalesce(l.available, 0), coalesce(l.held, 0))
        """,
    ),
    Check(
        "stock_reserved_differs",
        "Count the reservations of the variant's orders; correct what the stock says is reserved.",
        """
        SELECT s.variant_id::text, jsonb_build_object('reserved', s.reserved, 'reservations', coalesce(r.units, 0))
          FROM stock s LEFT JOIN (
            SELECT variant_id, sum(quantity) AS units FROM stock_reservation
             WHERE state = 'active' GROUP BY variant_id) r USING (variant_id)
         WHERE s.reserved <> coalesce(r.units, 0)
        """,
    ),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """`found`: differences there are now; `closed`: issues that are so no more."""

    found: int
    closed: int


def run_checks(*, checks: Sequence[Check] = CHECKS, actor: Actor) -> Checked:
    """Each check in a transaction of its own; its issues opened, and those closed that are so no more."""
    outcomes = [run_atomically(lambda check=check: _run(check, actor)) for check in checks]  # type: ignore[misc]
    return Checked(sum(one.found for one in outcomes), sum(one.closed for one in outcomes))


def _run(check: Check, actor: Actor) -> Checked:
    parameters = {"now": clock.now(), "limit": LIMIT}
    statement = text(f"{check.sql} ORDER BY 1 LIMIT :limit")
    rows: Sequence[tuple[str, dict[str, Any]]] = [
        (row[0], row[1]) for row in session().execute(statement, parameters)
    ]
    for ref, detail in rows:
        issues.record_issue(kind=check.kind, ref=ref, detail=detail, suggestion=check.suggestion)
        if check.kind == RECEIPT:
            _send_receipt(detail, actor)
    if len(rows) == LIMIT:
        return Checked(len(rows), 0)  # there may be more: nothing is known to be over
    refs = [ref for ref, _ in rows] if check.kind != RECEIPT else []
    return Checked(len(rows), issues.close_all_but(kind=check.kind, refs=refs, by=actor.name))


def _send_receipt(detail: dict[str, Any], actor: Actor) -> None:
    number = detail["order_number"]
    key = f"mail:order_paid:{number}:{detail['attempt']}"
    job = Job("mail.order_paid", key, {"order_number": number}, queue=MAIL_QUEUE)
    add(job, request_id=actor.request_id)
