"""What staff and the shop's own jobs do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from app.checkout import by_hand
from app.checkout import refund as refunding
from app.checkout import refunds as card_refunds
from app.gateways.reconcile import reconcile as reconcile_now
from app.inventory.service import stock
from app.kernel import clock
from app.kernel.actor import system
from app.kernel.database import run_atomically
from app.orders.rules import STRATEGIES
from app.orders.service import moving
from app.rewards.queries import rules_in_force
from app.rewards.service import adjustments
from jobs.execute import run
from jobs.registry import tasks
from jobs.relay import relay_once
from tests.simulation.customers import CANCELLABLE, order_of

if TYPE_CHECKING:
    from tests.simulation.history import History

REASON = "Came broken"
DUE = (
    "SELECT id, topic, dedupe_key FROM outbox WHERE done_at IS NULL AND dead_at IS NULL AND run_at <= %s"
    " ORDER BY run_at, id"
)
HANDED_OVER = "SELECT id, topic, enqueued_at FROM outbox WHERE enqueued_at IS NOT NULL AND done_at IS NULL"
STUCK = (
    "SELECT r.id, o.number FROM order_refund r JOIN orders o ON o.id = r.order_id WHERE r.state = 'stuck'"
    " ORDER BY r.id"
)
QUEUED = "SELECT id, topic, dedupe_key FROM outbox WHERE id = ANY(%s::uuid[]) ORDER BY id"


def refund(history: History) -> None:
    """All or a part of an order; sometimes the same click twice."""
    rows = history.world.rows(
        "SELECT o.number, array_agg(l.sku ORDER BY l.position) AS skus FROM orders o"
        " JOIN order_line l ON l.order_id = o.id"
        " WHERE o.status IN ('paid','packed','shipped','delivered','cancelled')"
        " GROUP BY o.id ORDER BY o.placed_at, o.id"
    )
    if not rows:
        return
    rng, row = history.rng, history.rng.choice(rows)
    lines = None if rng.random() < 0.4 else [(rng.choice(row["skus"]), 1)]
    key, strategy = f"{rng.getrandbits(64):016x}", rng.choice(STRATEGIES)
    make = partial(
        refunding.refund,
        number=row["number"],
        lines=lines,
        strategy=strategy,
        reason=REASON,
        idem_key=key,
        actor=rng.choice(history.cast.staff),
    )
    for _ in range(rng.choices((1, 2), (4, 1))[0]):
        part = "all" if lines is None else "one"
        with history.attempt(f"refund {part} of {row['number']} {strategy}"):
            run_atomically(make)


def cancel(history: History) -> None:
    """Staff end an order; without an idempotency key, so a second click finds it ended."""
    found = order_of(history, *CANCELLABLE)
    if found is None:
        return
    number, staff = found[0], history.rng.choice(history.cast.staff)
    with history.attempt(f"cancel {number} by {staff.role}"):
        by_hand.cancel(number=number, reason="Simulated", gateway=history.world.gateway, actor=staff)


def adjust(history: History) -> None:
    rng = history.rng
    points = rng.choice((-1, 1)) * rng.choice((300, 2_000, 6_000))
    person, actor = rng.choice(history.cast.shoppers), rng.choice(history.cast.staff)
    with history.attempt(f"adjust {points:+d} by {actor.role}"):
        wish = partial(
            adjustments.request,
            customer_id=person.id,
            points=points,
            reason_code=rng.choice(("goodwill", "correction")),
            note="Simulated adjustment",
            rules=rules_in_force(),
            actor=actor,
        )
        run_atomically(wish)


def decide(history: History) -> None:
    """Somebody approves, rejects or undoes an adjustment; that it may be their own is for the shop to refuse."""
    rows = history.world.rows(
        "SELECT id FROM points_adjustment WHERE requested_by <> '00000000-0000-0000-0000-000000000000'"
        " ORDER BY created_at, id"
    )
    if not rows:
        return
    verb = history.rng.choice(("approve", "reject", "undo"))
    chosen, actor = history.rng.choice(rows)["id"], history.rng.choice(history.cast.staff)
    with history.attempt(f"{verb} an adjustment by {actor.role}"):
        more: dict[str, Any] = {} if verb == "reject" else {"rules": rules_in_force()}
        act = getattr(adjustments, verb)
        run_atomically(partial(act, adjustment_id=chosen, note="Simulated decision", actor=actor, **more))


def count_stock(history: History) -> None:
    """Damage and deliveries: also while orders hold the units."""
    variant, by = history.rng.choice(history.cast.variants), history.rng.choice((-5, -1, 1, 4))
    with history.attempt(f"stock {by:+d}"):
        change = partial(
            stock.adjust, variant_id=variant, by=by, reason="Counted again", actor=history.cast.staff[2]
        )
        run_atomically(change)


def move_order(history: History) -> None:
    rows = history.world.rows(
        "SELECT number, status FROM orders WHERE status IN ('paid','packed','shipped') ORDER BY placed_at, id"
    )
    if not rows:
        return
    row = history.rng.choice(rows)
    to = history.rng.choice(("packed", "shipped", "delivered"))
    with history.attempt(f"{row['number']} {row['status']} -> {to}"):
        run_atomically(
            partial(moving.move_by_staff, number=row["number"], to=to, actor=history.cast.staff[0])
        )


def run_jobs(history: History) -> None:
    """A few of the due jobs, in any order."""
    due = history.world.rows(DUE, clock.now())
    for row in history.rng.sample(due, min(len(due), history.rng.randint(1, 6))):
        _run(history, row)


def relay(history: History) -> None:
    """What counts as handed over was in Redis, whatever died (M9). Some of it Redis loses, the rest is done."""
    before = history.world.rows(HANDED_OVER)
    with history.attempt("relay", share=0.6, points=3):
        relay_once(history.world.queues)
    queued = history.world.take_queued()
    for row in history.world.rows(HANDED_OVER):
        if row not in before and str(row["id"]) not in queued:
            history.wrong(f"job {row['topic']} counts as handed over, and Redis never had it")
    for row in history.world.rows(QUEUED, queued):
        if history.rng.random() < 0.8:
            _run(history, row)


def _run(history: History, row: dict[str, Any]) -> None:
    """Mails die more often, at one of their four crash points: one that was sent must not be sent again (M10)."""
    attempt = partial(history.attempt, f"job {row['topic']}", context=False)
    with attempt(share=0.5, points=4) if row["topic"].startswith("mail.") else attempt():
        try:
            run(history.world.app, row["id"])
        finally:
            struck = history.world.faults.struck
            if struck in ("mail.before_mark", "connection dropped", "commit lost"):
                history.torn[row["dedupe_key"]] += 1


def run_job_twice(history: History) -> None:
    """A queue may hand a job over again long after it was done."""
    done = history.world.rows("SELECT id, topic FROM outbox WHERE done_at IS NOT NULL ORDER BY id")
    if done:
        row, before = history.rng.choice(done), _effects(history)
        with history.attempt(f"once more: job {row['topic']}", context=False):
            run(history.world.app, row["id"])
        if _effects(history) != before:
            history.wrong(f"job {row['topic']} had an effect when it ran again")


def send_refunds_again(history: History) -> None:
    """Staff look after card refunds that failed."""
    for row in history.world.rows(STUCK):
        with history.attempt(f"{row['number']}: send a card refund again", mortal=False):
            run_atomically(
                partial(
                    card_refunds.send_again,
                    number=row["number"],
                    refund_id=row["id"],
                    actor=history.cast.staff[0],
                )
            )


def reconcile(history: History) -> None:
    with history.attempt("reconcile"):
        report = reconcile_now(gateway=history.world.gateway, actor=system("simulation"))
        assert report is not None
        history.note(f"   {report}")


def run_task(history: History) -> None:
    task = history.rng.choice(tasks())
    with history.attempt(f"task {task.name}"):
        task.run()


def _effects(history: History) -> list[dict[str, Any]]:
    return history.world.rows(
        "SELECT (SELECT count(*) FROM mail_message) AS mails, (SELECT count(*) FROM points_tx) AS points,"
        " (SELECT count(*) FROM order_event) AS events, (SELECT sum(refunded) FROM payment) AS refunded"
    )
