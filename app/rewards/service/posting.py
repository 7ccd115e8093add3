"""Post one transaction to the ledger: the only way points move. One statement, one round trip.

The database adds the entries to balances and lots, refuses what overdraws or does not balance, and chains the
transaction to the customer's last one (migrations 0002 and 0047, points_apply_entries).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.kernel import clock, ids
from app.kernel.actor import Actor
from app.kernel.database import constraint_of, session
from app.rewards.errors import AlreadyPosted, PointsInsufficient


@dataclass(frozen=True, slots=True)
class Leg:
    """One entry: `amount` points (signed) on `account`, of `lot_id` where points are in a lot."""

    account: str
    amount: int
    lot_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class NewLot:
    """A lot that the transaction fills. `expires_at` None: never."""

    id: uuid.UUID
    origin_type: str
    origin_id: str
    expires_at: datetime | None
    parent_lot_id: uuid.UUID | None = None
    spendable_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """A transaction to post. `idem_key` names the effect per customer; `description` is for the shopper."""

    customer_id: uuid.UUID
    kind: str
    idem_key: str
    ref_type: str
    ref_id: str
    description: str
    legs: Sequence[Leg]
    lots: Sequence[NewLot] = ()
    meta: dict[str, Any] = field(default_factory=dict)


POST = text(
    """
    WITH tx AS (
      INSERT INTO points_tx
        (id, customer_id, kind, idem_key, ref_type, ref_id, actor, description, meta, created_at)
      VALUES (:id, :customer_id, :kind, :idem_key, :ref_type, :ref_id, :actor, :description,
              CAST(:meta AS jsonb), :now)
    ), lots AS (
      INSERT INTO points_lot
        (id, customer_id, parent_lot_id, origin_type, origin_id, created_at, expires_at, spendable_from)
      SELECT l.id, :customer_id, l.parent, l.origin_type, l.origin_id, :now, l.expires_at, l.spendable_from
        FROM unnest(CAST(:lot_ids AS uuid[]), CAST(:lot_parents AS uuid[]), CAST(:lot_types AS text[]),
                    CAST(:lot_origins AS text[]), CAST(:lot_expiries AS timestamptz[]),
                    CAST(:lot_from AS timestamptz[]))
          AS l(id, parent, origin_type, origin_id, expires_at, spendable_from)
    )
    INSERT INTO points_entry (tx_id, line, customer_id, account, lot_id, amount)
    SELECT :id, e.line, :customer_id, e.account, e.lot_id, e.amount
      FROM unnest(CAST(:accounts AS text[]), CAST(:entry_lots AS uuid[]), CAST(:amounts AS bigint[]))
        WITH ORDINALITY AS e(account, lot_id, amount, line)
    """
)


def post(posting: Posting, *, actor: Actor) -> uuid.UUID:
    """Write the transaction; its id. Raises AlreadyPosted, PointsInsufficient (the database refused)."""
    tx_id = ids.uuid7()
    try:
        session().execute(POST, _parameters(tx_id, posting, actor))
    except IntegrityError as error:
        raise translate(error) from error
    return tx_id


def _parameters(tx_id: uuid.UUID, posting: Posting, actor: Actor) -> dict[str, Any]:
    return {
        "id": tx_id,
        "customer_id": posting.customer_id,
        "kind": posting.kind,
        "idem_key": posting.idem_key,
        "ref_type": posting.ref_type,
        "ref_id": posting.ref_id,
        "actor": actor.name,
        "description": posting.description,
        "meta": msgspec.json.encode(posting.meta).decode(),
        "now": clock.now(),
        "lot_ids": [lot.id for lot in posting.lots],
        "lot_parents": [lot.parent_lot_id for lot in posting.lots],
        "lot_types": [lot.origin_type for lot in posting.lots],
        "lot_origins": [lot.origin_id for lot in posting.lots],
        "lot_expiries": [lot.expires_at for lot in posting.lots],
        "lot_from": [lot.spendable_from for lot in posting.lots],
        "accounts": [leg.account for leg in posting.legs],
        "entry_lots": [leg.lot_id for leg in posting.legs],
        "amounts": [leg.amount for leg in posting.legs],
    }


def translate(error: IntegrityError) -> Exception:
    """The shop's own error for a constraint of the ledger; an unknown one comes back as it is."""
    constraint = constraint_of(error)
    if constraint == "uq_points_tx_customer_id_idem_key":
        return AlreadyPosted("This has already been booked.")
    if constraint in {"ck_points_account_no_overdraw", "ck_points_lot_amounts"}:
        return PointsInsufficient("There are not enough points for this.")
    return error
