"""A seal and the heads that it is made over are written by one function: nobody can move the heads alone.

Before, the shop's role could call `points_seal_heads()` by itself: from then on the last seal contradicted the heads
beside it, and no other could be made. Functions that work as the owner are no longer open to everybody.
"""

from __future__ import annotations

from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

# merkle.root, a level at a time: each node with the one beside it; one that is left over goes up as it is.
TREE = """
      SELECT place, node, count(*) OVER () AS nodes FROM ({leaves}) AS leaves
       UNION ALL
      SELECT place / 2, CASE WHEN beside IS NULL THEN node ELSE sha256('\\x01' || node || beside) END, (nodes + 1) / 2
        FROM (SELECT t.*, lead(node) OVER (ORDER BY place) AS beside FROM {tree} t WHERE nodes > 1) AS pairs
       WHERE place % 2 = 0
"""
ACCOUNTS = """
        SELECT row_number() OVER (ORDER BY customer_id) - 1 AS place,
               sha256('\\x00' || uuid_send(customer_id) || int8send(version) || head) AS node
          FROM points_seal_leaf
"""
AUDIT = """
        SELECT row_number() OVER (ORDER BY target_type COLLATE "C", target_id COLLATE "C") - 1 AS place,
               sha256('\\x00' || convert_to(target_type, 'UTF8') || '\\x00' || convert_to(target_id, 'UTF8')
                      || '\\x00' || convert_to(seq::text, 'UTF8') || head) AS node
          FROM points_seal_audit_leaf
"""
# What a seal says of the heads that are kept: roots and counts.
ROOTS = f"""
CREATE FUNCTION points_seal_roots(
  OUT root bytea, OUT audit_root bytea, OUT accounts bigint, OUT transactions bigint, OUT audit_targets bigint,
  OUT audit_rows bigint
) LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  WITH RECURSIVE account_tree AS ({TREE.format(leaves=ACCOUNTS, tree="account_tree")}),
  audit_tree AS ({TREE.format(leaves=AUDIT, tree="audit_tree")})
  SELECT coalesce((SELECT node FROM account_tree WHERE nodes = 1), sha256('')),
         coalesce((SELECT node FROM audit_tree WHERE nodes = 1), sha256('')),
         (SELECT count(*) FROM points_seal_leaf), (SELECT coalesce(sum(version), 0)::bigint FROM points_seal_leaf),
         (SELECT count(*) FROM points_seal_audit_leaf),
         (SELECT coalesce(sum(seq), 0)::bigint FROM points_seal_audit_leaf)
$$
"""
# A leaf moves on only from where the chain still says what was sealed: what was changed since stays visible, however
# often it is sealed again.
HEADS = """
  INSERT INTO points_seal_leaf AS l (customer_id, version, head)
  SELECT a.customer_id, a.version, a.head FROM points_account a WHERE a.version > 0
      ON CONFLICT (customer_id) DO UPDATE SET version = excluded.version, head = excluded.head
   WHERE l.version < excluded.version
     AND EXISTS (SELECT FROM points_chain c
                  WHERE c.customer_id = l.customer_id AND c.seq = l.version AND c.hash = l.head);
  INSERT INTO points_seal_audit_leaf AS l (target_type, target_id, seq, head)
  SELECT DISTINCT ON (target_type, target_id) target_type, target_id, seq, hash
    FROM audit_log ORDER BY target_type, target_id, seq DESC
      ON CONFLICT (target_type, target_id) DO UPDATE SET seq = excluded.seq, head = excluded.head
   WHERE l.seq < excluded.seq
     AND EXISTS (SELECT FROM audit_log a WHERE a.target_type = l.target_type AND a.target_id = l.target_id
                    AND a.seq = l.seq AND a.hash = l.head)
"""
# The time is the database's: whoever asks for a seal does not say when it was.
MAKE = f"""
CREATE FUNCTION points_make_seal() RETURNS points_seal LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  last points_seal;
  made points_seal;
  kept record;
BEGIN
  PERFORM pg_advisory_xact_lock(7304);
  SELECT * INTO last FROM points_seal ORDER BY seq DESC LIMIT 1;
  SELECT * INTO kept FROM points_seal_roots();
  IF last.seq IS NOT NULL AND (last.root, last.audit_root) <> (kept.root, kept.audit_root) THEN
    RAISE EXCEPTION 'what seal % was made over has been changed', last.seq
      USING ERRCODE = '23514', CONSTRAINT = 'points_seal_contradicted';
  END IF;
  {HEADS};
  SELECT * INTO kept FROM points_seal_roots();
  made.seq := coalesce(last.seq, 0) + 1;
  made.sealed_at := clock_timestamp();
  made.accounts := kept.accounts;
  made.transactions := kept.transactions;
  made.root := kept.root;
  made.audit_targets := kept.audit_targets;
  made.audit_rows := kept.audit_rows;
  made.audit_root := kept.audit_root;
  made.prev_hash := coalesce(last.hash, decode(repeat('00', 32), 'hex'));
  made.hash := sha256(made.prev_hash || convert_to(concat_ws('|', made.seq,
    (extract(epoch FROM made.sealed_at) * 1000000)::bigint, made.accounts, made.transactions,
    encode(made.root, 'hex'), made.audit_targets, made.audit_rows, encode(made.audit_root, 'hex')), 'UTF8'));
  INSERT INTO points_seal SELECT made.*;
  RETURN made;
END $$
"""
HEADS_BEFORE = f"""
CREATE FUNCTION points_seal_heads() RETURNS void LANGUAGE sql SECURITY DEFINER
  SET search_path = public, pg_temp AS $$ {HEADS} $$
"""
AS_OWNER = ("points_make_seal()", "points_apply_entries()", "audit_chain()")


def upgrade() -> None:
    op.execute(ROOTS)
    op.execute(MAKE)
    op.execute("DROP FUNCTION points_seal_heads()")
    op.execute("REVOKE INSERT ON points_seal FROM shop_app")
    for function in AS_OWNER:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION points_make_seal() TO shop_app")


def downgrade() -> None:
    for function in AS_OWNER:
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO PUBLIC")
    op.execute("GRANT INSERT ON points_seal TO shop_app")
    op.execute(HEADS_BEFORE)
    op.execute("DROP FUNCTION points_make_seal()")
    op.execute("DROP FUNCTION points_seal_roots()")
