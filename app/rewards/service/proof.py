"""The balance certificate of one customer: everything that somebody else needs to recompute it."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import func, select, text

from app.audit.verification import begin_snapshot
from app.kernel import clock
from app.kernel.database import session
from app.kernel.errors import NotFound
from app.rewards import certificate, merkle
from app.rewards.models import PointsAccount
from app.rewards.programme_models import PointsSeal, PointsSealLeaf

CHAIN = text(
    """
    SELECT c.seq, c.tx_id, x.kind, x.idem_key, x.ref_type, x.ref_id, x.actor, x.description,
           x.meta::text AS meta, (extract(epoch FROM x.created_at) * 1000000)::bigint AS created_at_us, c.hash,
           (SELECT jsonb_agg(jsonb_build_array(e.line, e.account, e.lot_id, e.amount) ORDER BY e.line)
              FROM points_entry e WHERE e.tx_id = c.tx_id) AS entries
      FROM points_chain c JOIN points_tx x ON x.id = c.tx_id
     WHERE c.customer_id = :customer_id ORDER BY c.seq
    """
)


def prove(*, customer_id: uuid.UUID) -> dict[str, Any]:
    """The certificate as JSON-able data, read in one snapshot: call it first in a transaction of its own.

    Raises NotFound for a customer who never had points.
    """
    begin_snapshot()
    session().execute(text("SET LOCAL statement_timeout = '5min'"))
    account = session().get(PointsAccount, customer_id, populate_existing=True)
    if account is None:
        raise NotFound("This customer never had points.")
    rows = session().execute(CHAIN, {"customer_id": customer_id})
    return {
        "format": certificate.FORMAT,
        "customer_id": str(customer_id),
        "issued_at": clock.now().isoformat(),
        "balances": {name: getattr(account, name) for name in certificate.BALANCES},
        "version": account.version,
        "head": account.head.hex(),
        "transactions": [
            {
                "seq": row.seq,
                "id": str(row.tx_id),
                "kind": row.kind,
                "idem_key": row.idem_key,
                "ref_type": row.ref_type,
                "ref_id": row.ref_id,
                "actor": row.actor,
                "description": row.description,
                "meta": row.meta,
                "created_at_us": row.created_at_us,
                "entries": row.entries,
                "hash": row.hash.hex(),
            }
            for row in rows
        ],
        "seal": _under_the_seal(customer_id),
    }


def _under_the_seal(customer_id: uuid.UUID) -> dict[str, Any] | None:
    """The last seal with the path from the customer's chain to its root; None when none covers the customer."""
    leaf = session().get(PointsSealLeaf, customer_id, populate_existing=True)
    last = session().scalars(select(PointsSeal).order_by(PointsSeal.seq.desc()).limit(1)).first()
    if leaf is None or last is None:
        return None
    columns = (PointsSealLeaf.customer_id, PointsSealLeaf.version, PointsSealLeaf.head)
    leaves = [
        merkle.leaf(*row) for row in session().execute(select(*columns).order_by(PointsSealLeaf.customer_id))
    ]
    index = session().scalar(
        select(func.count()).select_from(PointsSealLeaf).where(PointsSealLeaf.customer_id < customer_id)
    )
    sealed: dict[str, Any] = {
        "sealed_at_us": int(last.sealed_at.timestamp()) * 1_000_000 + last.sealed_at.microsecond
    }
    for name in ("seq", "accounts", "transactions", "audit_targets", "audit_rows"):
        sealed[name] = getattr(last, name)
    for name in ("root", "audit_root", "prev_hash", "hash"):
        sealed[name] = getattr(last, name).hex()
    path = merkle.path(leaves, int(index or 0))
    return sealed | {"leaf_version": leaf.version, "path": [[side, beside.hex()] for side, beside in path]}
