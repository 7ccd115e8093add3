"""Give back what an order was paid with. Called inside one transaction; queues the card part, never sends it.

The points part and what was earned move at once, in the same transaction that queues the card part. Points cannot
be refused, the card part is owed whatever the gateway says first, and its own state says whether it has arrived:
a refund that is refused stays `stuck` until staff have sent it again, and the shopper does not wait for points
that were never at risk.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.audit import service as audit
from app.checkout import twice
from app.checkout.clawback import earned_by, would_earn
from app.checkout.refund_words import count_never_came, sentence
from app.checkout.rules import Earned, Quote, with_clawback
from app.kernel import ids
from app.kernel.actor import Actor
from app.kernel.errors import Conflict, invalid
from app.kernel.money import Money
from app.orders.models import OrderRefund
from app.orders.rules import LinePaid, LineRefund, RefundPlan, Strategy, Tenders, plan_refund
from app.orders.service import line_lots, moving, refunding, story
from app.orders.service.moving import LockedOrder, lock_order, look_at_order
from app.orders.states import REFUNDABLE
from app.outbox.service import MAIL_QUEUE, Job, add
from app.payments import queries as payment_queries
from app.payments import refunds as card_refunds
from app.payments.left import count_to_send
from app.payments.models import Payment
from app.payments.service import lock_payment
from app.rewards.queries import rules_of_version
from app.rewards.service import refunds as points_refunds
from app.rewards.service.accounts import lock_account

MIN_REASON, MAX_REASON = 3, 500


@dataclass(frozen=True, slots=True)
class Refunded:
    """A refund as it was made. `state`: done, running while the card part is on its way, stuck. `sent`: how much of
    `card` the shop sends; the rest has gone back to the card already, by the bank or at the gateway."""

    id: uuid.UUID
    order_number: str
    strategy: str
    points: int
    points_value: Money
    card: Money
    sent: Money
    clawback: int
    state: str
    reason: str
    lines: Sequence[Mapping[str, Any]]


def promise(quote: Quote, sku: str, quantity: int = 1, *, earned: Earned | None = None) -> RefundPlan:
    """What returning `quantity` of a line would give back and take back, said before buying; `earned`: as
    `would_earn` says, looked up without. Raises RuleBroken."""
    plan = plan_refund(_lines_of_quote(quote), {sku: quantity}, "proportional")
    return with_clawback(plan, earned or would_earn(quote, rules_of_version(quote.rules_version)))


def preview(*, number: str, lines: Sequence[tuple[str, int]] | None, strategy: Strategy) -> RefundPlan:
    """What `refund` would do now; writes nothing. Raises what `refund` raises."""
    order = look_at_order(number=number)
    _check_refundable(order.status)
    plan = plan_refund(refunding.list_lines_paid(order.id), _wanted(lines), strategy)
    if plan.give.card:
        card_refunds.check_undisputed(_paying(order.id, number).id)
    return with_clawback(plan, earned_by(order))


def count_sent(*, number: str, card: int) -> tuple[int, int]:
    """How much of the card part of a plan, in minor units, `refund` would send now, and how much had gone back to the
    card before; what is left was never charged. Writes nothing. Raises what `preview` raises."""
    order = look_at_order(number=number)
    if not card:
        return 0, 0
    payment = _paying(order.id, number)
    sent = count_to_send(payment, card)
    return sent, card - sent - count_never_came(payment, refunding.list_lines_paid(order.id), card, sent)


def refund(
    *,
    number: str,
    lines: Sequence[tuple[str, int]] | None,
    strategy: Strategy,
    reason: str,
    idem_key: str,
    actor: Actor,
) -> Refunded:
    """Give back `lines` ([(sku, units)]; None: all that is left, delivery included). The same key again is no
    second refund. A full refund ends the order when the card part has arrived.

    Raises OrderNotFound, PaymentDisputed, Conflict `ORDER_NOT_REFUNDABLE`, `NOTHING_TO_REFUND`, RuleBroken naming
    `lines`, `strategy` or `reason`.
    """
    if not MIN_REASON <= len(reason.strip()) <= MAX_REASON:
        raise invalid("reason", "LENGTH", f"Give a reason of {MIN_REASON} to {MAX_REASON} characters.")
    order = lock_order(number=number)
    earlier = refunding.find_by_key(order.id, idem_key)
    if earlier is not None:
        return _view(order, earlier)
    _check_refundable(order.status)
    paid = refunding.list_lines_paid(order.id)
    plan = plan_refund(paid, _wanted(lines), strategy)
    if not plan.give.value:
        raise Conflict("These lines cost nothing: there is nothing to give back.", code="NOTHING_TO_REFUND")
    made = give_back(order, plan, reason=reason, idem_key=idem_key, actor=actor)
    unsent = made.card.amount - made.sent.amount
    missing = (
        count_never_came(_paying(order.id, number), paid, made.card.amount, made.sent.amount) if unsent else 0
    )
    text = sentence(made, missing=Money(missing, order.currency))
    if made.state == "done" and refunding.is_settled(order.id):
        moving.move(order=order, to="refunded", event="refunded", text=text, actor=actor)
    else:
        story.tell(order_id=order.id, event="refund", text=text, actor=actor)
    payload = {"order_number": number, "refund_id": str(made.id), "taken_back": made.clawback}
    add(
        Job("mail.order_refunded", f"mail:order_refunded:{made.id}", payload, queue=MAIL_QUEUE),
        request_id=actor.request_id,
    )
    return made


def give_back(
    order: LockedOrder,
    plan: RefundPlan,
    *,
    reason: str,
    idem_key: str,
    actor: Actor,
    is_audited: bool = True,
) -> Refunded:
    """Carry a plan (worth more than nothing) out on a locked order: card queued, points moved, all recorded.

    What the bank has given back itself, after a dispute, is recorded and not sent again. `is_audited`: it is what
    staff do, and not a part of that. Raises PaymentDisputed.
    """
    give = plan.give
    payment_id = _paying(order.id, order.number).id if give.card else None
    card_refund_id = _queue_card(payment_id, give.card, reason, actor) if payment_id else None
    lock_account(customer_id=order.customer_id)
    plan = with_clawback(plan, earned_by(order))
    _move_points(order, plan, idem_key, actor)
    refund_id = refunding.record(
        order_id=order.id,
        idem_key=idem_key,
        reason=reason,
        strategy=plan.strategy,
        points=give.points,
        points_value=give.points_value,
        card=give.card,
        clawback=plan.clawback,
        lines=[_line_row(line) for line in plan.lines],
        card_refund_id=card_refund_id,
        actor=actor,
    )
    refunding.count_back(order_id=order.id, plan=plan)
    if payment_id:
        twice.look_again(order, lock_payment(payment_id), actor=actor)
    if actor.kind == "staff" and is_audited:
        audit.record(
            actor=actor,
            action="order.refund",
            target_type="order",
            target_id=order.number,
            after={"refund": str(refund_id), "clawback": plan.clawback, **asdict(give)},
            reason=reason,
        )
    stored = refunding.find_by_key(order.id, idem_key)
    assert stored is not None
    return _view(order, stored)


def _queue_card(payment_id: uuid.UUID, amount: int, reason: str, actor: Actor) -> uuid.UUID | None:
    """None: the bank has given all of it back already."""
    sent = card_refunds.to_send(payment_id=payment_id, amount=amount)
    if not sent:
        return None
    refund_id = ids.uuid7()
    card_refunds.queue_refund(
        refund_id=refund_id,
        payment_id=payment_id,
        amount=sent,
        reason=reason,
        request_id=actor.request_id,
    )
    return refund_id


def _paying(order_id: uuid.UUID, number: str) -> Payment:
    """The captured payment that paid the order, not one that came too late and goes back by itself."""
    unwanted = refunding.list_unwanted_payments(order_id)
    captured = [p for p in payment_queries.list_payments_of(number) if p.state == "captured"]
    for payment in captured:
        if payment.id not in unwanted:
            return payment
    raise Conflict("No card payment of this order can be refunded.", code="PAYMENT_NOT_CAPTURED")


def _move_points(order: LockedOrder, plan: RefundPlan, idem_key: str, actor: Actor) -> None:
    """Return first, then take back, so that returned points can pay for what is taken."""
    who: dict[str, Any] = {
        "customer_id": order.customer_id,
        "order_id": order.id,
        "order_number": order.number,
    }
    key = f"refund:{order.id}:{idem_key}"
    if plan.give.points:
        rules = rules_of_version(order.rules_version)
        lots = line_lots.count_back(order_id=order.id, plan=plan)
        points_refunds.return_points(**who, lots=lots, idem_key=key, rules=rules, actor=actor)
    del who["order_id"]
    if plan.earned:
        points_refunds.take_back(
            **who, source_id=str(order.id), points=plan.earned, idem_key=f"{key}:earned", actor=actor
        )
    if plan.bonus:
        points_refunds.take_back(
            **who,
            source_type="first_order",
            source_id=str(order.customer_id),
            points=plan.bonus,
            idem_key=f"{key}:bonus",
            actor=actor,
        )


def _check_refundable(status: str) -> None:
    if status not in REFUNDABLE:
        message = f"This order is {status.replace('_', ' ')}; it cannot be refunded."
        raise Conflict(message, code="ORDER_NOT_REFUNDABLE")


def _wanted(lines: Sequence[tuple[str, int]] | None) -> dict[str, int] | None:
    if lines is None:
        return None
    wanted: dict[str, int] = {}
    for sku, quantity in lines:
        if sku in wanted:
            raise invalid("lines", "DUPLICATE", f"{sku} is named twice.")
        wanted[sku] = quantity
    return wanted


def _lines_of_quote(quote: Quote) -> list[LinePaid]:
    return [
        LinePaid(
            sku=line.sku,
            quantity=line.quantity,
            unit_price=line.unit_price,
            extras=line.extras,
            paid=Tenders(line.points, line.points_value, line.card),
            earn_points=line.earn_points,
        )
        for line in quote.lines
    ]


def _line_row(line: LineRefund) -> dict[str, Any]:
    return {"sku": line.sku, "quantity": line.quantity, "clawback": line.clawback, **asdict(line.give)}


def _view(order: LockedOrder, stored: OrderRefund) -> Refunded:
    sent = payment_queries.get_refund(stored.card_refund_id).amount if stored.card_refund_id else 0
    return Refunded(
        id=stored.id,
        order_number=order.number,
        strategy=stored.strategy,
        points=stored.points,
        points_value=Money(stored.points_value, order.currency),
        card=Money(stored.card, order.currency),
        sent=Money(sent, order.currency),
        clawback=stored.clawback,
        state=stored.state,
        reason=stored.reason,
        lines=stored.lines,
    )
