"""A seal now and then over all chains: one hash that any later change of the past would contradict.

Between two seals customers' transactions run side by side, each on its own chain; only seals follow each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, text

from app.audit.verification import Probe
from app.kernel import clock
from app.kernel.database import session
from app.kernel.errors import Conflict
from app.rewards import certificate, merkle
from app.rewards.programme_models import PointsSeal, PointsSealAuditLeaf, PointsSealLeaf

STEP = 10_000
# The leaf hashes as `_account_leaves` and `_audit_leaves` make them, in their order.
ACCOUNT_LEAVES = """
    SELECT row_number() OVER (ORDER BY customer_id) - 1 AS place, version AS links,
           sha256('\\x00' || uuid_send(customer_id) || int8send(version) || head) AS node
      FROM points_seal_leaf
"""
AUDIT_LEAVES = """
    SELECT row_number() OVER (ORDER BY target_type COLLATE "C", target_id COLLATE "C") - 1 AS place, seq AS links,
           sha256('\\x00' || convert_to(target_type, 'UTF8') || '\\x00' || convert_to(target_id, 'UTF8')
                  || '\\x00' || convert_to(seq::text, 'UTF8') || head) AS node
      FROM points_seal_audit_leaf
"""
# merkle.root, a level at a time: each node with the one beside it; one that is left over goes up as it is.
TREE = """
    SELECT place, node, count(*) OVER () AS nodes FROM ({leaves}) AS leaves
     UNION ALL
    SELECT place / 2, CASE WHEN beside IS NULL THEN node ELSE sha256('\\x01' || node || beside) END, (nodes + 1) / 2
      FROM (SELECT t.*, lead(node) OVER (ORDER BY place) AS beside FROM {tree} t WHERE nodes > 1) AS pairs
     WHERE place % 2 = 0
"""
SEALS = Probe(
    checks={
        "seal_chain": "seals count 1, 2, 3, and each hash covers the seal and the one before it",
        "seal_roots": "the roots and counts of the last seal are those of the heads that it was made over",
        "sealed_heads": "every account still has, at the version that was sealed, the hash that was sealed",
        "sealed_audit": "every audited thing still has the row that was sealed, with the hash that was sealed",
    },
    examined="""
      SELECT (SELECT count(*) FROM points_seal) + (SELECT count(*) FROM points_seal_leaf)
           + (SELECT count(*) FROM points_seal_audit_leaf)
    """,
    sql=f"""
      WITH RECURSIVE account_tree AS ({TREE.format(leaves=ACCOUNT_LEAVES, tree="account_tree")}),
      audit_tree AS ({TREE.format(leaves=AUDIT_LEAVES, tree="audit_tree")}),
      recomputed AS (
        SELECT coalesce((SELECT node FROM account_tree WHERE nodes = 1), sha256('')) AS root,
               coalesce((SELECT node FROM audit_tree WHERE nodes = 1), sha256('')) AS audit_root,
               (SELECT count(*) FROM points_seal_leaf) AS accounts,
               (SELECT coalesce(sum(version), 0) FROM points_seal_leaf) AS transactions,
               (SELECT count(*) FROM points_seal_audit_leaf) AS audit_targets,
               (SELECT coalesce(sum(seq), 0) FROM points_seal_audit_leaf) AS audit_rows
      )
      SELECT 'seal_chain', s.seq::text
        FROM (SELECT *, lag(hash) OVER (ORDER BY seq) AS last, row_number() OVER (ORDER BY seq) AS number
                FROM points_seal) s
       WHERE s.seq <> s.number OR s.prev_hash <> coalesce(s.last, decode(repeat('00', 32), 'hex'))
          OR s.hash <> sha256(s.prev_hash || convert_to(concat_ws('|', s.seq,
               (extract(epoch FROM s.sealed_at) * 1000000)::bigint, s.accounts, s.transactions,
               encode(s.root, 'hex'), s.audit_targets, s.audit_rows, encode(s.audit_root, 'hex')), 'UTF8'))
      UNION ALL
      SELECT 'seal_roots', s.seq::text
        FROM recomputed r FULL JOIN (SELECT * FROM points_seal ORDER BY seq DESC LIMIT 1) s ON true
       WHERE (s.seq IS NULL AND r.accounts + r.audit_targets > 0)
          OR (s.root, s.audit_root, s.accounts, s.transactions, s.audit_targets, s.audit_rows)
          <> (r.root, r.audit_root, r.accounts, r.transactions, r.audit_targets, r.audit_rows)
      UNION ALL
      SELECT 'sealed_heads', l.customer_id::text FROM points_seal_leaf l
        LEFT JOIN points_chain c ON c.customer_id = l.customer_id AND c.seq = l.version
       WHERE c.hash IS DISTINCT FROM l.head
      UNION ALL
      SELECT 'sealed_audit', l.target_type || ' ' || l.target_id || ' #' || l.seq FROM points_seal_audit_leaf l
        LEFT JOIN audit_log a ON a.target_type = l.target_type AND a.target_id = l.target_id AND a.seq = l.seq
       WHERE a.hash IS DISTINCT FROM l.head
    """,  # noqa: S608 (our own words)
)


def seal() -> dict[str, Any]:
    """Seal every chain as it stands now; the new seal, its hashes in hex. One seal at a time.

    Raises Conflict `SEAL_CONTRADICTED` when the heads under the last seal were changed since: a new seal would
    bury that.
    """
    session().execute(text("SET LOCAL statement_timeout = '10min'"))
    session().execute(text("SELECT pg_advisory_xact_lock(7304)"))
    last = session().execute(select(PointsSeal).order_by(PointsSeal.seq.desc()).limit(1)).scalar_one_or_none()
    if last is not None and _roots() != {"root": last.root.hex(), "audit_root": last.audit_root.hex()}:
        message = f"What seal {last.seq} was made over has been changed. Run flask rewards verify."
        raise Conflict(message, code="SEAL_CONTRADICTED")
    before = last.hash if last else certificate.START
    session().execute(text("SELECT points_seal_heads()"))
    accounts, audit = _Counter(), _Counter()
    sealed_at = clock.now()
    made: dict[str, Any] = {"seq": (last.seq if last else 0) + 1, "sealed_at_us": _microseconds(sealed_at)}
    made |= _roots(accounts, audit)
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


def _roots(accounts: _Counter | None = None, audit: _Counter | None = None) -> dict[str, str]:
    """Both roots over the heads that are kept, in hex; the counters say over how many."""
    return {
        "root": merkle.root(_account_leaves(accounts or _Counter())).hex(),
        "audit_root": merkle.root(_audit_leaves(audit or _Counter())).hex(),
    }


def _account_leaves(counter: _Counter) -> Iterator[bytes]:
    statement = select(PointsSealLeaf.customer_id, PointsSealLeaf.version, PointsSealLeaf.head)
    for row in session().execute(
        statement.order_by(PointsSealLeaf.customer_id), execution_options={"yield_per": STEP}
    ):
        counter.count(row.version)
        yield merkle.leaf(*row)


def _audit_leaves(counter: _Counter) -> Iterator[bytes]:
    leaf = PointsSealAuditLeaf
    statement = select(leaf.target_type, leaf.target_id, leaf.seq, leaf.head)
    in_order = statement.order_by(leaf.target_type.collate("C"), leaf.target_id.collate("C"))
    for kind, name, seq, head in session().execute(in_order, execution_options={"yield_per": STEP}):
        counter.count(seq)
        yield merkle.leaf_hash(f"{kind}\x00{name}\x00{seq}".encode() + head)


def _microseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000 + at.microsecond
