"""A seal now and then over all chains: one hash that any later change of the past would contradict.

Between two seals customers' transactions run side by side, each on its own chain; only seals follow each other.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.audit.verification import Probe
from app.kernel.database import constraint_of, session
from app.kernel.errors import Conflict

# The tree is written out here once more, and not asked of the function that made the seal (migration 0050).
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
    try:
        made = session().execute(text("SELECT * FROM points_make_seal()")).one()
    except IntegrityError as error:
        if constraint_of(error) != "points_seal_contradicted":
            raise
        message = "What the last seal was made over has been changed. Run flask rewards verify."
        raise Conflict(message, code="SEAL_CONTRADICTED") from error
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in made._mapping.items()}
