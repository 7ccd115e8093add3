"""Post transactions to the ledger: the only way points move. One statement, one round trip, however many they are.

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
      SELECT t.id, t.customer_id, t.kind, t.idem_key, t.ref_type, t.ref_id, :actor, t.description,
             CAST(t.meta AS jsonb), :now
        FROM unnest(CAST(:ids AS uuid[]), CAST(:customers AS uuid[]), CAST(:kinds AS text[]),
                    CAST(:keys AS text[]), CAST(:ref_types AS text[]), CAST(:ref_ids AS text[]),
                    CAST(:descriptions AS text[]), CAST(:metas AS text[]))
          AS t(id, customer_id, kind, idem_key, ref_type, ref_id, description, meta)
    ), lots AS (
      INSERT INTO points_lot
        (id, customer_id, parent_lot_id, origin_type, origin_id, created_at, expires_at, spendable_from)
      SELECT l.id, l.customer_id, l.parent, l.origin_type, l.origin_id, :now, l.expires_at, l.spendable_from
        FROM unnest(CAST(:lot_ids AS uuid[]), CAST(:lot_customers AS uuid[]), CAST(:lot_parents AS uuid[]),
                    CAST(:lot_types AS text[]), CAST(:lot_origins AS text[]),
                    CAST(:lot_expiries AS timestamptz[]), CAST(:lot_from AS timestamptz[]))
          AS l(id, customer_id, parent, origin_type, origin_id, expires_at, spendable_from)
    )
    INSERT INTO points_entry (tx_id, line, customer_id, account, lot_id, amount)
    SELECT e.tx_id, e.line, e.customer_id, e.account, e.lot_id, e.amount
      FROM unnest(CAST(:entry_txs AS uuid[]), CAST(:lines AS bigint[]), CAST(:entry_customers AS uuid[]),
                  CAST(:accounts AS text[]), CAST(:entry_lots AS uuid[]), CAST(:amounts AS bigint[]))
        AS e(tx_id, line, customer_id, account, lot_id, amount)
    """
)


def post(posting: Posting, *, actor: Actor) -> uuid.UUID:
    """Write the transaction; its id. Raises AlreadyPosted, PointsInsufficient (the database refused)."""
    return post_all([posting], actor=actor)[0]


def post_all(postings: Sequence[Posting], *, actor: Actor) -> list[uuid.UUID]:
    """Write transactions of different customers by one statement, all or none; their ids. Raises as `post`."""
    tx_ids = [ids.uuid7() for _ in postings]
    try:
        session().execute(POST, _parameters(tx_ids, postings, actor))
    except IntegrityError as error:
        raise translate(error) from error
    return tx_ids


def _parameters(tx_ids: Sequence[uuid.UUID], postings: Sequence[Posting], actor: Actor) -> dict[str, Any]:
    lots = [(posting.customer_id, lot) for posting in postings for lot in posting.lots]
    legs = [
        (tx_id, line, posting.customer_id, leg)
        for tx_id, posting in zip(tx_ids, postings, strict=True)
        for line, leg in enumerate(posting.legs, start=1)
    ]
    return {
        "actor": actor.name,
        "now": clock.now(),
        "ids": list(tx_ids),
        "customers": [posting.customer_id for posting in postings],
        "kinds": [posting.kind for posting in postings],
        "keys": [posting.idem_key for posting in postings],
        "ref_types": [posting.ref_type for posting in postings],
        "ref_ids": [posting.ref_id for posting in postings],
        "descriptions": [posting.description for posting in postings],
        "metas": [msgspec.json.encode(posting.meta).decode() for posting in postings],
        "lot_ids": [lot.id for _, lot in lots],
        "lot_customers": [customer_id for customer_id, _ in lots],
        "lot_parents": [lot.parent_lot_id for _, lot in lots],
        "lot_types": [lot.origin_type for _, lot in lots],
        "lot_origins": [lot.origin_id for _, lot in lots],
        "lot_expiries": [lot.expires_at for _, lot in lots],
        "lot_from": [lot.spendable_from for _, lot in lots],
        "entry_txs": [tx_id for tx_id, _, _, _ in legs],
        "lines": [line for _, line, _, _ in legs],
        "entry_customers": [customer_id for _, _, customer_id, _ in legs],
        "accounts": [leg.account for _, _, _, leg in legs],
        "entry_lots": [leg.lot_id for _, _, _, leg in legs],
        "amounts": [leg.amount for _, _, _, leg in legs],
    }


def translate(error: IntegrityError) -> Exception:
    """The shop's own error for a constraint of the ledger; an unknown one comes back as it is."""
    constraint = constraint_of(error)
    if constraint == "uq_points_tx_customer_id_idem_key":
        return AlreadyPosted("This has already been booked.")
    if constraint in {"ck_points_account_no_overdraw", "ck_points_lot_amounts"}:
        return PointsInsufficient("There are not enough points for this.")
    return error
