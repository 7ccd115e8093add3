"""The planted bugs: what is changed where, and which test has to turn red."""

from __future__ import annotations

from dataclasses import dataclass, replace


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
HOLD = "migrations/versions/0054_line_lots.py"
INDEX = '"uq_points_hold_one_live_per_order",\n        "points_hold",\n        ["order_id"],\n        unique='

HISTORY = "tests/simulation/test_histories.py"  # all of them: which one finds it changes with every act that is added
DELIVERED = (
    "tests/crash/test_matrix.py::test_the_order_ends_right[relay.before_mark-timeout_declined-webhook]"
)
SNAPSHOT = '__import__("app.payments.gateway", fromlist=["Snapshot"]).Snapshot'
WIRE = '__import__("app.gateways.sandbox_wire", fromlist=["read"])'
DATABASE = '__import__("app.kernel.database", fromlist=["session"])'
ASKED = """    truth, _ = ask_payment(payment_id=payment_id, gateway=gateway(), actor=job.actor)
    if isinstance(truth, Unknown):
        raise Unanswered(truth.reason)
    return "processed"
"""
BELIEVED = f"""    from app.checkout.flow import settle
    from app.payments.models import WebhookEvent

    told = {DATABASE}.session().get(WebhookEvent, (job.payload["gateway"], job.payload["event_id"]))
    truth = {WIRE}.read(told.raw, {WIRE}.Event).data.payment.snapshot()
    end_reading()
    settle(payment_id=payment_id, truth=truth, actor=job.actor)
    return "processed"
"""

_NAMED = (
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
        "M2",
        "no answer to a charge is taken for a decline",
        HISTORY,
        (
            Edit(
                "app/gateways/sandbox.py",
                "    answer = _payment(reply, (200, 201, 402, 409), request.payment_id, None)\n",
                "    answer = _payment(reply, (200, 201, 402, 409), request.payment_id, None)\n"
                "    if isinstance(answer, Unknown):\n"
                f'        return {SNAPSHOT}(str(request.payment_id), None, "declined", 0, "", "")\n',
            ),
        ),
    ),
    Mutant(
        "M3",
        "nobody walks over the gateway's list",
        HISTORY,
        (Edit("app/gateways/reconcile.py", "        _walk(report, gateway, actor)\n", ""),),
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
        "M7",
        "a callback's body is believed, and the gateway not asked",
        "tests/jobs/test_webhooks.py::test_a_callback_that_lies_changes_nothing",
        (Edit("jobs/handlers/payments.py", ASKED, BELIEVED),),
    ),
    Mutant(
        "M8",
        "the answer is stored after the commit of what it tells",
        HISTORY,
        (
            Edit(
                "app/checkout/flow.py",
                "    answer = store_answer(begun.claim, present, begun.number, next_action_url)\n",
                f"    {DATABASE}.session().commit()\n"
                "    answer = store_answer(begun.claim, present, begun.number, next_action_url)\n",
            ),
        ),
    ),
    Mutant(
        "M9",
        "the relay marks a row before Redis has it",
        "tests/jobs/test_relay.py::test_killed_between_handing_over_and_marking",
        (
            Edit(
                "jobs/relay.py",
                '        crashpoint("relay.before_enqueue")\n',
                "        delivery.mark_enqueued(row_ids=[row.id for row in due])\n"
                "        db.session.commit()\n"
                '        crashpoint("relay.before_enqueue")\n',
            ),
        ),
    ),
    Mutant(
        "M10",
        "a job does not remember that its effect was done",
        "tests/jobs/test_worker.py::test_killed_between_effect_and_finish_sends_no_second_mail",
        (
            Edit(
                "jobs/handlers/mail.py",
                "    if letter is not None and letter.is_sent:\n",
                "    if letter is not None and not letter:\n",
            ),
        ),
    ),
    Mutant(
        "M11",
        "a cancelled order gives points and stock back without asking the gateway",
        HISTORY,
        (
            Edit(
                "app/checkout/cancel.py",
                "    truth = gateway.cancel(begun.payment_id, begun.gateway_ref)\n",
                f'    truth = {SNAPSHOT}(str(begun.payment_id), begun.gateway_ref, "canceled", 0, "", "")\n',
            ),
        ),
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
        "M16",
        "an order is looked up without asking whose it is",
        HISTORY,
        (
            Edit(
                "app/orders/service/moving.py",
                "    if customer_id is not None:\n        statement = statement.where",
                "    if False:\n        statement = statement.where",
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
                "migrations/versions/0048_lots_compared_once.py",
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
                "migrations/versions/0048_lots_compared_once.py",
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
                "    audit.record_all([fact(",
                '    __import__("app.kernel.database", fromlist=["session"]).session().commit()\n'
                "    audit.record_all([fact(",
            ),
        ),
    ),
    Mutant(
        "L1",
        "a charge that never arrived is waited for most of an hour",
        HISTORY,
        (
            Edit(
                "app/payments/rules.py",
                "ABSENT_FOR = timedelta(minutes=2)",
                "ABSENT_FOR = timedelta(minutes=50)",
            ),
        ),
    ),
    Mutant(
        "L2",
        "an abandoned payment keeps points and goods for an hour and a half",
        HISTORY,
        (
            Edit(
                "app/payments/rules.py",
                "GIVE_UP_AFTER = timedelta(minutes=30)",
                "GIVE_UP_AFTER = timedelta(minutes=90)",
            ),
        ),
    ),
    Mutant(
        "C1",
        "callbacks are taken, and nothing is done about them",
        DELIVERED,
        (
            Edit(
                "jobs/handlers/payments.py",
                '    subject = job.payload["subject"]\n',
                '    return\n    subject = job.payload["subject"]\n',
            ),
        ),
    ),
)
SEEN_TWICE = ("M7", "M9", "M10")
MUTANTS = (
    *_NAMED,
    *(replace(one, name=f"{one.name}h", test=HISTORY) for one in _NAMED if one.name in SEEN_TWICE),
)
"""Those seen twice have a test of their own, and must not get past the random histories either."""
