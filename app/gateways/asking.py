"""Ask the gateway what is true and settle that: what callbacks, reconciliation and staff all do.

No transaction is open while the gateway is asked, and none is opened here: `settle` opens its own.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from app.audit import service as audit
from app.checkout.flow import settle
from app.checkout.refunds import settle_refund
from app.checkout.replaced import find_arrived
from app.kernel import clock
from app.kernel.actor import Actor
from app.kernel.crashpoint import crashpoint
from app.kernel.database import end_reading, run_atomically
from app.payments import disputes, issues, queries, rules
from app.payments import refunds as card_refunds
from app.payments.gateway import (
    DISPUTED,
    EARLIER_ARRIVED,
    NEVER_ARRIVED,
    Absent,
    Gateway,
    RefundRefused,
    RefundSnapshot,
    Snapshot,
    Unknown,
)
from app.payments.left import is_too_much
from app.payments.models import Payment
from app.payments.states import OPEN, REFUND_OPEN

OTHER_GATEWAY = "other_gateway"
"""Kind of the issue about payments that were made at a gateway which the settings do not name any more."""
NAME_IT = "Run the shop with this gateway's settings again until its payments and refunds have ended."


def ask_payment(
    *, payment_id: uuid.UUID, gateway: Gateway, actor: Actor
) -> tuple[Snapshot | Absent | Unknown, str]:
    """What the gateway said, and the payment's state after it was settled. Raises NotFound.

    A payment that somebody wants ended, that never arrived, or that has waited too long is cancelled at the
    gateway; it is over only when the gateway says so, and a charge that was faster wins. One that was made at
    another gateway is not asked about: this one has never heard of it, and that would be taken for an answer.
    """
    payment = queries.get_payment(payment_id)
    if payment.gateway != gateway.name:
        state = payment.state
        return _at_another(payment, gateway), state
    gateway_ref, is_open = payment.gateway_ref, payment.state in OPEN
    wanted, age = payment.cancel_requested_at is not None, clock.now() - payment.created_at
    end_reading()
    crashpoint("reconcile.before_fetch")
    truth = gateway.fetch(payment_id, gateway_ref)
    if is_open and _is_to_end(truth, wanted=wanted, age=age):
        crashpoint("reconcile.before_cancel")
        truth = gateway.cancel(payment_id, gateway_ref)
    crashpoint("reconcile.before_settle")
    settled = settle(payment_id=payment_id, truth=truth, actor=actor)
    crashpoint("reconcile.after_settle")
    return truth, settled.payment_state


def ask_again(
    *, payment_id: uuid.UUID, gateway: Gateway, actor: Actor
) -> tuple[Snapshot | Absent | Unknown, str]:
    """`ask_payment`, because somebody of the staff wants to know now: that they asked is in the audit log."""
    before = {"state": queries.get_payment(payment_id).state}
    end_reading()
    run_atomically(
        lambda: audit.record(
            actor=actor,
            action="payment.asked",
            target_type="payment",
            target_id=str(payment_id),
            before=before,
        )
    )
    return ask_payment(payment_id=payment_id, gateway=gateway, actor=actor)


def ask_refund(
    *, refund_id: uuid.UUID, gateway: Gateway, actor: Actor
) -> RefundSnapshot | RefundRefused | Absent | Unknown | None:
    """Send a queued card refund under its own key, or ask how it went: also one that has ended, because a bank may
    send money back that had gone out. None when the gateway has no such refund and none is to be sent.

    One that was never sent is sent whenever its job comes at last; while a bank decides about the payment, or when it
    has given so much back that this is no longer there, it fails instead, and what is still owed is queued again. It
    fails likewise when one that it was to replace has arrived after all.
    One that was sent without a word, and is not there a day after it was sent first, has failed: staff decide, instead
    of it waiting for ever. Raises NotFound.
    """
    refund = queries.get_refund(refund_id)
    payment = queries.get_payment(refund.payment_id)
    if payment.gateway != gateway.name:
        return _at_another(payment, gateway)
    known_ref, payment_ref, amount = refund.gateway_ref, payment.gateway_ref, refund.amount
    is_open, may_send = refund.state in REFUND_OPEN, card_refunds.may_send(refund)
    is_disputed = disputes.count_open([payment.id]) > 0 or is_too_much(payment)
    end_reading()
    crashpoint("refund.before_fetch")
    # Asked first: after a day the gateway may have forgotten the key, and would refund a second time.
    truth: RefundSnapshot | RefundRefused | Absent | Unknown = gateway.fetch_refund(refund_id, known_ref)
    if isinstance(truth, Absent) and not is_open:
        return None
    if isinstance(truth, Absent) and payment_ref is not None:
        if is_disputed:  # queued before the dispute came, or was lost: sent now, the money would leave twice
            truth = RefundRefused(DISPUTED)
        elif _has_arrived(refund_id):
            truth = RefundRefused(EARLIER_ARRIVED)
        elif may_send:
            if not run_atomically(lambda: card_refunds.note_sent(refund_id)):
                return None
            crashpoint("refund.before_send")
            truth = gateway.refund(refund_id, payment_ref, amount)
        else:
            truth = RefundRefused(NEVER_ARRIVED)
    crashpoint("refund.before_settle")
    settle_refund(refund_id=refund_id, truth=truth, actor=actor)
    crashpoint("refund.after_settle")
    return truth


def ask_about(*, about: uuid.UUID, gateway: Gateway, actor: Actor) -> bool | None:
    """The payment or card refund with this id is asked about and settled; whether the gateway said anything. None: it
    cannot be asked, this is of another gateway, or none of ours."""
    payment, refund = queries.find_payment(about), queries.find_refund(about)
    if refund is not None:
        payment = queries.find_payment(refund.payment_id)
    if payment is None or payment.gateway != gateway.name:
        return None
    truth: object
    if refund is not None:
        truth = ask_refund(refund_id=about, gateway=gateway, actor=actor)
    else:
        truth, _ = ask_payment(payment_id=about, gateway=gateway, actor=actor)
    return not isinstance(truth, Unknown)


def _has_arrived(refund_id: uuid.UUID) -> bool:
    """Whether one that this card refund was to replace has, so that the money would leave twice."""
    arrived = find_arrived(refund_id) is not None
    end_reading()
    return arrived


def _is_to_end(truth: Snapshot | Absent | Unknown, *, wanted: bool, age: timedelta) -> bool:
    if isinstance(truth, Unknown):
        return False
    if isinstance(truth, Snapshot) and truth.status in ("captured", "declined", "canceled"):
        return False
    never_arrived = isinstance(truth, Absent) and age >= rules.ABSENT_FOR
    return wanted or never_arrived or age >= rules.GIVE_UP_AFTER


def _at_another(payment: Payment, gateway: Gateway) -> Unknown:
    """Nothing is known, and staff hear of it."""
    theirs, about = payment.gateway, {"payment": str(payment.id), "order_number": payment.reference}
    end_reading()
    run_atomically(
        lambda: issues.record_issue(
            kind=OTHER_GATEWAY, ref=theirs, detail=about | {"configured": gateway.name}, suggestion=NAME_IT
        )
    )
    return Unknown(f"it was made at {theirs}, and the settings name {gateway.name}")
