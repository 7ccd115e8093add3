"""Points from one member to another: asked for, confirmed by the link in the sender's mail, then moved at once.

The sender's lots keep their expiry at the recipient, who may spend them after the rules' cool-off, and then has at
least the rules' days of grace for it: nothing is sent that nobody could ever spend. Each side is a transaction of its
own chain; `transit` is empty again when both are posted.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from app.accounts.queries import Person, find_customer, find_customer_by_email
from app.accounts.rules import clean_email
from app.audit import service as audit
from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import constraint_of, session
from app.kernel.errors import Conflict, FieldError, Forbidden, RuleBroken, invalid
from app.outbox import service as outbox
from app.outbox.service import MAIL_QUEUE, Job
from app.rewards.errors import BelowZero, PointsOwed, TransferNotFound, TransferPending
from app.rewards.policies import TransferRules, check_transfer
from app.rewards.programme_models import PointsTransfer
from app.rewards.queries.balance import get_balance, get_spendable
from app.rewards.queries.transfers import Transfer, get_sent, get_transfer
from app.rewards.rules import Rules, choose_lots
from app.rewards.service.accounts import list_spendable_lots, lock_account
from app.rewards.service.posting import Leg, NewLot, Posting, post
from app.rewards.service.taking import pay_debt
from app.rewards.states import TRANSFER


def request(
    *, sender_id: uuid.UUID, recipient_email: str, points: int, rules: Rules, actor: Actor
) -> Transfer:
    """Ask for a transfer; no points move before `confirm`. The sender gets a mail with the link.

    Asking is the same whether or not somebody has the address: it must not tell who is a member.

    Raises RuleBroken naming `email` when it is none or the sender's own, or with a limit's code naming `points`;
    BelowZero; PointsOwed; TransferPending while another one waits; Forbidden for anybody but the sender.
    """
    _only_the_sender(sender_id, actor)
    email = clean_email(recipient_email)
    recipient = find_customer_by_email(email)
    if recipient is not None and recipient.id == sender_id:
        raise invalid("email", "RECIPIENT_IS_SENDER", "Enter the e-mail address of another member.")
    if recipient is not None and not _may_receive(recipient):
        recipient = None
    _lock_sender(sender_id)
    expire_unconfirmed(actor=actor, sender_id=sender_id)
    _check_limits(sender_id, points, rules.transfers)
    _refuse_debtor(-get_balance(sender_id).owed)
    available = get_spendable(sender_id)
    if points > available:
        raise _too_few(available)
    now, transfer_id = clock.now(), ids.uuid7()
    try:
        session().execute(
            insert(PointsTransfer).values(
                id=transfer_id,
                sender_id=sender_id,
                recipient_id=recipient.id if recipient else None,
                recipient_email=email,
                points=points,
                state="awaiting_confirmation",
                created_at=now,
                confirm_until=now + timedelta(minutes=rules.transfers.confirm_within_minutes),
            )
        )
    except IntegrityError as error:
        if constraint_of(error) == "uq_points_transfer_pending":
            raise TransferPending("Confirm or cancel your last transfer first.") from error
        raise
    _mail("mail.transfer_confirm", transfer_id, sender_id, actor)
    transfer = get_transfer(transfer_id)
    _audit("requested", transfer, actor)
    return transfer


def confirm(*, transfer_id: uuid.UUID, rules: Rules, actor: Actor) -> Transfer:
    """Move the points, soonest-expiring first. The caller has checked the link of the mail.

    Raises TransferNotFound, Forbidden, Conflict `TRANSITION_INVALID`, `TRANSFER_EXPIRED` or `RECIPIENT_CLOSED`,
    RuleBroken with a limit's code, PointsOwed, BelowZero. What the recipient owes is paid from it at once.
    """
    _lock_sender(get_transfer(transfer_id).sender_id)
    transfer = lock_transfer(transfer_id=transfer_id)
    _only_the_sender(transfer.sender_id, actor)
    TRANSFER.check(transfer.state, "done")
    now = clock.now()
    if transfer.confirm_until <= now:
        raise Conflict("This link is too old. Ask for the transfer again.", code="TRANSFER_EXPIRED")
    recipient = find_customer(transfer.recipient_id) if transfer.recipient_id else None
    if recipient is None or not _may_receive(recipient):
        raise Conflict("Nobody with this address can receive points.", code="RECIPIENT_CLOSED")
    _check_limits(transfer.sender_id, transfer.points, rules.transfers)
    people = sorted((transfer.sender_id, recipient.id))
    debts = {customer_id: lock_account(customer_id=customer_id).debt for customer_id in people}
    _refuse_debtor(debts[transfer.sender_id])
    spendable_from = now + timedelta(hours=rules.transfers.cool_off_hours)
    _move(
        transfer,
        recipient.id,
        spendable_from,
        spendable_from + timedelta(days=rules.release_grace_days),
        actor,
    )
    pay_debt(
        customer_id=recipient.id,
        debt=debts[recipient.id],
        idem_key=f"transfer:{transfer.id}",
        ref_type="transfer",
        ref_id=str(transfer.id),
        actor=actor,
    )
    _resolve(transfer.id, "done", spendable_from=spendable_from)
    _mail("mail.transfer_received", transfer.id, recipient.id, actor)
    done = get_transfer(transfer.id)
    _audit("done", done, actor)
    return done


def cancel(*, transfer_id: uuid.UUID, actor: Actor) -> Transfer:
    """The sender does not want it after all. Raises TransferNotFound, Forbidden, Conflict."""
    transfer = lock_transfer(transfer_id=transfer_id)
    _only_the_sender(transfer.sender_id, actor)
    TRANSFER.check(transfer.state, "cancelled")
    _resolve(transfer.id, "cancelled")
    cancelled = get_transfer(transfer.id)
    _audit("cancelled", cancelled, actor)
    return cancelled


def expire_unconfirmed(*, actor: Actor, sender_id: uuid.UUID | None = None, limit: int = 200) -> int:
    """End transfers (of one sender, or anybody's) whose link has become too old; how many."""
    statement = (
        select(PointsTransfer.id)
        .where(PointsTransfer.state == "awaiting_confirmation", PointsTransfer.confirm_until <= clock.now())
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if sender_id is not None:
        statement = statement.where(PointsTransfer.sender_id == sender_id)
    old = list(session().scalars(statement))
    for transfer_id in old:
        _resolve(transfer_id, "expired")
        _audit("expired", get_transfer(transfer_id), actor)
    return len(old)


def lock_transfer(*, transfer_id: uuid.UUID) -> Transfer:
    """The transfer, its row locked. Raises TransferNotFound."""
    statement = select(PointsTransfer.id).where(PointsTransfer.id == transfer_id).with_for_update()
    if session().scalar(statement) is None:
        raise TransferNotFound("There is no such transfer.")
    return get_transfer(transfer_id)


def _only_the_sender(sender_id: uuid.UUID, actor: Actor) -> None:
    if actor.kind != "customer" or actor.id != sender_id:
        raise Forbidden("Only the sender can do this.")


def _may_receive(recipient: Person) -> bool:
    """Asked again when the link is opened: who has become staff since may not."""
    return recipient.is_active and recipient.role == "customer"


def _refuse_debtor(debt: int) -> None:
    if debt:
        raise PointsOwed(f"You owe {-debt:,} points. Points can be sent when they are paid.")


def _lock_sender(sender_id: uuid.UUID) -> None:
    """Two transfers of one sender wait for each other here, so that both together stay within the limits."""
    session().execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 7303))"), {"key": f"transfer:{sender_id}"}
    )


def _check_limits(sender_id: uuid.UUID, points: int, rules: TransferRules) -> None:
    check_transfer(
        points=points,
        sent_today=get_sent(sender_id, since=clock.now() - timedelta(hours=24)),
        sent_this_year=get_sent(sender_id, since=clock.now() - timedelta(days=365)),
        rules=rules,
    )


def _move(
    transfer: Transfer, recipient_id: uuid.UUID, spendable_from: datetime, lives_until: datetime, actor: Actor
) -> None:
    lots = list_spendable_lots(customer_id=transfer.sender_id, now=clock.now())
    plan = choose_lots(transfer.points, lots)
    if plan is None:
        raise _too_few(sum(lot.available for lot in lots))
    key, ref = f"transfer:{transfer.id}", str(transfer.id)
    legs = [Leg("available", -part, lot_id) for lot_id, part in plan]
    legs += [Leg("transit", part, lot_id) for lot_id, part in plan]
    sent = Posting(transfer.sender_id, "transfer_out", key, "transfer", ref, "Sent to another member", legs)
    expiries = {lot.id: lot.expires_at and max(lot.expires_at, lives_until) for lot in lots}
    arriving = [
        NewLot(
            ids.uuid7(),
            "transfer",
            ref,
            expiries[lot_id],
            parent_lot_id=lot_id,
            spendable_from=spendable_from,
        )
        for lot_id, _ in plan
    ]
    legs = [Leg("transit", -part, lot.id) for lot, (_, part) in zip(arriving, plan, strict=True)]
    legs += [Leg("available", part, lot.id) for lot, (_, part) in zip(arriving, plan, strict=True)]
    received = Posting(
        recipient_id,
        "transfer_in",
        key,
        "transfer",
        ref,
        "Received from another member",
        legs,
        arriving,
    )
    for posting in (sent, received):
        post(posting, actor=actor)


def _resolve(transfer_id: uuid.UUID, state: str, *, spendable_from: datetime | None = None) -> None:
    session().execute(
        update(PointsTransfer)
        .where(PointsTransfer.id == transfer_id)
        .values(state=state, resolved_at=clock.now(), spendable_from=spendable_from)
    )


def _too_few(available: int) -> RuleBroken:
    message = f"You have {available:,} points available."
    errors = (FieldError("points", BelowZero.code, message),)
    return BelowZero(message, errors=errors, details={"available": available})


def _mail(topic: str, transfer_id: uuid.UUID, customer_id: uuid.UUID, actor: Actor) -> None:
    payload = {"transfer_id": str(transfer_id), "customer_id": str(customer_id)}
    outbox.add(Job(topic, f"{topic}:{transfer_id}", payload, queue=MAIL_QUEUE), request_id=actor.request_id)


def _audit(word: str, transfer: Transfer, actor: Actor) -> None:
    audit.record(
        actor=actor,
        action=f"points.transfer_{word}",
        target_type="points_transfer",
        target_id=str(transfer.id),
        after={
            "sender_id": str(transfer.sender_id),
            "recipient_id": str(transfer.recipient_id) if transfer.recipient_id else None,
            "points": transfer.points,
            "state": transfer.state,
        },
    )
