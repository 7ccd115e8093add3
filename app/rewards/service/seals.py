"""A seal now and then over all chains: one hash that any later change of the past would contradict.

Between two seals customers' transactions run side by side, each on its own chain; only seals follow each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.dialects.postgresql import distinct_on

from app.audit.models import AuditEntry
from app.audit.verification import Probe
from app.kernel import clock
from app.kernel.database import session
from app.rewards import certificate, merkle
from app.rewards.programme_models import PointsSeal, PointsSealLeaf

STEP = 10_000
# One statement sees one instant: every account's head as of it. Accounts that stood still keep their leaf.
TAKE_HEADS = text(
    """
    INSERT INTO points_seal_leaf (customer_id, version, head)
    SELECT customer_id, version, head FROM points_account WHERE version > 0
        ON CONFLICT (customer_id) DO UPDATE SET version = excluded.version, head = excluded.head
     WHERE points_seal_leaf.version <> excluded.version
    """
)
SEALS = Probe(
    checks={
        "seal_chain": "seals count 1, 2, 3, and each hash covers the seal and the one before it",
        "sealed_heads": "every account still has, at the version that was sealed, the hash that was sealed",
    },
    examined="SELECT (SELECT count(*) FROM points_seal) + (SELECT count(*) FROM points_seal_leaf)",
    sql="""
      SELECT 'seal_chain', s.seq::text
        FROM (SELECT *, lag(hash) OVER (ORDER BY seq) AS last, row_number() OVER (ORDER BY seq) AS number
                FROM points_seal) s
       WHERE s.seq <> s.number OR s.prev_hash <> coalesce(s.last, decode(repeat('00', 32), 'hex'))
          OR s.hash <> sha256(s.prev_hash || convert_to(concat_ws('|', s.seq,
               (extract(epoch FROM s.sealed_at) * 1000000)::bigint, s.accounts, s.transactions,
               encode(s.root, 'hex'), s.audit_targets, s.audit_rows, encode(s.audit_root, 'hex')), 'UTF8'))
      UNION ALL
      SELECT 'sealed_heads', l.customer_id::text FROM points_seal_leaf l
        LEFT JOIN points_chain c ON c.customer_id = l.customer_id AND c.seq = l.version
       WHERE c.hash IS DISTINCT FROM l.head
    """,
)


def seal() -> dict[str, Any]:
    """Seal every chain as it stands now; the new seal, its hashes in hex. One seal at a time."""
    session().execute(text("SET LOCAL statement_timeout = '10min'"))
    session().execute(text("SELECT pg_advisory_xact_lock(7304)"))
    last = session().execute(select(PointsSeal.seq, PointsSeal.hash).order_by(PointsSeal.seq.desc())).first()
    before = last.hash if last else certificate.START
    session().execute(TAKE_HEADS)
    accounts, audit = _Counter(), _Counter()
    made: dict[str, Any] = {
        "seq": (last.seq if last else 0) + 1,
        "sealed_at_us": _microseconds(sealed_at := clock.now()),
        "root": merkle.root(_account_leaves(accounts)).hex(),
        "audit_root": merkle.root(_audit_leaves(audit)).hex(),
    }
    made |= {"accounts": accounts.chains, "transactions": accounts.links}
    made |= {"audit_targets": audit.chains, "audit_rows": audit.links}
    made |= {"prev_hash": before.hex(), "hash": certificate.seal_hash(before, made).hex()}
    row = {name: value for name, value in made.items() if name != "sealed_at_us"}
    for name in ("root", "audit_root", "prev_hash", "hash"):
        row[name] = bytes.fromhex(row[name])
    session().execute(insert(PointsSeal).values(sealed_at=sealed_at, **row))
    return made


class _Counter:
    """How many chains went by, and how many links they have together."""

    def __init__(self) -> None:
        self.chains = self.links = 0

    def count(self, links: int) -> None:
        self.chains += 1
        self.links += links


def _account_leaves(counter: _Counter) -> Iterator[bytes]:
    statement = select(PointsSealLeaf.customer_id, PointsSealLeaf.version, PointsSealLeaf.head)
    for row in session().execute(
        statement.order_by(PointsSealLeaf.customer_id), execution_options={"yield_per": STEP}
    ):
        counter.count(row.version)
        yield merkle.leaf(*row)


def _audit_leaves(counter: _Counter) -> Iterator[bytes]:
    target = (AuditEntry.target_type, AuditEntry.target_id)
    statement = select(*target, AuditEntry.seq, AuditEntry.hash).ext(distinct_on(*target))
    for kind, name, seq, head in session().execute(
        statement.order_by(*target, AuditEntry.seq.desc()), execution_options={"yield_per": STEP}
    ):
        counter.count(seq)
        yield merkle.leaf_hash(f"{kind}\x00{name}\x00{seq}".encode() + head)


def _microseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000 + at.microsecond
