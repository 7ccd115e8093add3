"""A whole file of adjustments booked at once: the same few statements for one row and for a thousand.

All accounts are locked from the first statement to the commit, so nothing here may ask the database row by row.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from app.audit import service as audit
from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import session
from app.kernel.errors import FieldError
from app.outbox import service as outbox
from app.rewards.errors import BelowZero, PointsInsufficient
from app.rewards.queries.batches import emails_of
from app.rewards.rules import LotView, Rules
from app.rewards.service.accounts import Balances, lock_accounts, takeable_lots_of
from app.rewards.service.adjusting import Wish, below_zero, fact, mail
from app.rewards.service.grants import credit_legs, debit_legs
from app.rewards.service.posting import NewLot, Posting, post_all

Wishes = Mapping[uuid.UUID, Wish]

APPLIED = text(
    """
    UPDATE points_adjustment a
       SET state = 'applied', decided_by = :decided_by, decided_at = :now, decision_note = :note,
           auto_approved = :alone, tx_id = booked.tx_id
      FROM unnest(CAST(:ids AS uuid[]), CAST(:txs AS uuid[])) AS booked(id, tx_id)
     WHERE a.id = booked.id
    """
)


def apply_all(wishes: Wishes, *, rules: Rules, actor: Actor, note: str | None) -> None:
    """Book the adjustments (id -> wish, one a customer, no undo), tell their customers, write the audit log.

    `note` is the second person's; None: the maker's own limit covers the file. Raises BelowZero naming each row,
    counted from 1 in the order of the ids, whose customer has too few points; then nothing has changed.
    """
    customers = {wish.customer_id for wish in wishes.values()}
    balances = lock_accounts(customers=customers)
    debited = {wish.customer_id for wish in wishes.values() if wish.points < 0}
    lots = takeable_lots_of(customers=debited, now=clock.now())
    postings = _plan(wishes, balances, lots, rules)
    order = sorted(
        wishes, key=lambda key: wishes[key].customer_id
    )  # as every verb that locks several accounts
    tx_ids = post_all([postings[key] for key in order], actor=actor)
    decided: dict[str, Any] = {
        "decided_by": actor.id,
        "now": clock.now(),
        "note": note,
        "alone": note is None,
    }
    session().execute(APPLIED, {"ids": order, "txs": tx_ids, **decided})
    facts = []
    for key in order:
        before = balances[wishes[key].customer_id].available
        moved = sum(leg.amount for leg in postings[key].legs if leg.account == "available")
        facts.append(
            fact("points.adjustment_applied", key, wishes[key], wishes[key].note, before, before + moved)
        )
    audit.record_all(facts, actor=actor)
    outbox.add(*(mail(key, wishes[key].customer_id) for key in order), request_id=actor.request_id)


def _plan(
    wishes: Wishes,
    balances: Mapping[uuid.UUID, Balances],
    lots: Mapping[uuid.UUID, list[LotView]],
    rules: Rules,
) -> dict[uuid.UUID, Posting]:
    postings, short = {}, {}
    for row, key in enumerate(sorted(wishes), start=1):
        wish = wishes[key]
        try:
            postings[key] = _posting(key, wish, balances, lots, rules)
        except PointsInsufficient as error:
            short[row] = (wish.customer_id, int(error.details["available"]))
    if short:
        raise _refusal(short, len(wishes))
    return postings


def _posting(
    key: uuid.UUID,
    wish: Wish,
    balances: Mapping[uuid.UUID, Balances],
    lots: Mapping[uuid.UUID, list[LotView]],
    rules: Rules,
) -> Posting:
    ref = str(key)
    made: list[NewLot] = []
    if wish.points > 0:
        lot = NewLot(ids.uuid7(), "adjustment", ref, wish.points_expire_at)
        legs, made = credit_legs(wish.points, lot=lot, owed=-balances[wish.customer_id].debt)
    else:
        legs = debit_legs(-wish.points, lots=lots[wish.customer_id])
    description = rules.adjustments.reasons.get(wish.reason_code, "Adjustment")
    return Posting(
        wish.customer_id, "adjust", f"adjustment:{key}", "adjustment", ref, description, legs, made
    )


def _refusal(short: Mapping[int, tuple[uuid.UUID, int]], rows: int) -> BelowZero:
    emails = emails_of([customer_id for customer_id, _ in short.values()])
    sentences = {
        row: f"{emails[customer_id]}: {below_zero(available).message}"
        for row, (customer_id, available) in short.items()
    }
    errors = tuple(FieldError(f"row {row}", BelowZero.code, sentence) for row, sentence in sentences.items())
    first = next(iter(sentences))
    message = (
        f"{len(short):,} of {rows:,} rows cannot be booked, so none was. Row {first}, {sentences[first]}"
    )
    return BelowZero(message, errors=errors[:100])
