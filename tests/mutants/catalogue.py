"""The planted bugs: what is changed where, and which test has to turn red."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """`old`, which is there once, becomes `new` in `path`."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """With all `edits` made, `test` must fail."""

    name: str
    what: str
    test: str
    edits: tuple[Edit, ...]


GUARDS = "tests/services/test_ledger_guards.py"
HOLD = "migrations/versions/0031_points_hold.py"
INDEX = '"uq_points_hold_one_live_per_order",\n        "points_hold",\n        ["order_id"],\n        unique='

MUTANTS = (
    Mutant(
        "M1",
        "every try gets a new key at the gateway",
        "tests/gateways/test_sandbox_adapter.py::test_a_key_used_for_another_charge_is_unknown",
        (
            Edit(
                "app/gateways/sandbox.py",
                '"Idempotency-Key": str(request.payment_id)',
                '"Idempotency-Key": __import__("uuid").uuid4().hex',
            ),
        ),
    ),
    Mutant(
        "M4",
        "no row lock before points are held, constraints kept",
        f"{GUARDS}::test_holds_at_once_share_the_lots_and_refuse_nobody",
        (Edit(HOLD, "WHERE customer_id = p_customer FOR UPDATE;", "WHERE customer_id = p_customer;"),),
    ),
    Mutant(
        "M5",
        "neither the code nor a constraint stops selling what is not there",
        "tests/checkout/test_placing.py::test_stock_that_is_gone_is_refused",
        (
            Edit(
                "app/inventory/service/reservations.py",
                "     WHERE s.variant_id = w.variant_id AND s.reserved + w.quantity <= s.on_hand",
                "     WHERE s.variant_id = w.variant_id",
            ),
            Edit("migrations/versions/0001_tables.py", "reserved >= 0 AND reserved <= on_hand", "true"),
        ),
    ),
    Mutant(
        "M6",
        "an order may have two live holds",
        f"{GUARDS}::test_an_order_holds_points_once",
        (Edit("migrations/versions/0001_tables.py", INDEX + "True", INDEX + "False"),),
    ),
    Mutant(
        "M15",
        "a refund does not lock its payment",
        "tests/services/test_payments.py::test_racing_refunds_share_what_is_left",
        (
            Edit(
                "app/payments/service.py",
                "select(Payment).where(Payment.id == payment_id).with_for_update()",
                "select(Payment).where(Payment.id == payment_id)",
            ),
        ),
    ),
    Mutant(
        "M17",
        "held points expire too, and lots need not match the balance",
        "tests/services/test_expiry.py::test_a_held_point_does_not_expire_and_comes_back_with_grace",
        (
            Edit(
                "app/rewards/service/expiry.py",
                "SELECT id, customer_id, available, expires_at FROM points_lot",
                "SELECT id, customer_id, available + held AS available, expires_at FROM points_lot",
            ),
            Edit(
                "migrations/versions/0002_guards.py",
                "IF a.available <> l.available OR a.held <> l.held THEN",
                "IF false THEN",
            ),
        ),
    ),
    Mutant(
        "M17b",
        "the database does not compare lots and balance at commit",
        f"{GUARDS}::test_lots_and_balance_agree_at_commit",
        (
            Edit(
                "migrations/versions/0002_guards.py",
                "IF a.available <> l.available OR a.held <> l.held THEN",
                "IF false THEN",
            ),
        ),
    ),
    Mutant(
        "M18",
        "what was adjusted is committed before its audit row is written",
        f"{GUARDS}::test_what_fails_after_the_audit_row_leaves_neither",
        (
            Edit(
                "app/rewards/service/adjusting.py",
                "    audit.record(\n        actor=actor,\n        action=action,",
                "    session().commit()\n    audit.record(\n        actor=actor,\n        action=action,",
            ),
        ),
    ),
)
