"""What a transaction says is under its hash; what a seal covers is kept, and written by the database alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

# words of points_apply_entries: what it reads of a transaction, and what it puts under the hash
READ, READS_MORE = "x.actor, x.created_at", "x.actor, x.description, x.meta, x.created_at"
HASHED, HASHES_MORE = "t.ref_id, t.actor,\n", "t.ref_id, t.actor, t.description, t.meta::text,\n"
# No release has sealed anything yet: chains made before are hashed anew, and seals over them are forgotten.
HASH_AGAIN = """
DO $$
DECLARE
  t record;
  last_customer uuid;
  link bytea;
BEGIN
  SET LOCAL timezone = 'UTC';
  FOR t IN
    SELECT c.customer_id, c.seq, x.id, x.kind, x.idem_key, x.ref_type, x.ref_id, x.actor, x.created_at{columns},
           (SELECT jsonb_agg(jsonb_build_array(e.line, e.account, e.lot_id, e.amount) ORDER BY e.line)
              FROM points_entry e WHERE e.tx_id = x.id) AS entries
      FROM points_chain c JOIN points_tx x ON x.id = c.tx_id ORDER BY c.customer_id, c.seq
  LOOP
    IF t.customer_id IS DISTINCT FROM last_customer THEN
      last_customer := t.customer_id;
      link := decode(repeat('00', 32), 'hex');
    END IF;
    link := sha256(link || convert_to(jsonb_build_array(
      t.customer_id, t.seq, t.id, t.kind, t.idem_key, t.ref_type, t.ref_id, t.actor{values},
      (extract(epoch FROM t.created_at) * 1000000)::bigint, t.entries)::text, 'UTF8'));
    UPDATE points_chain SET hash = link WHERE customer_id = t.customer_id AND seq = t.seq;
    UPDATE points_account SET head = link WHERE customer_id = t.customer_id AND version = t.seq;
  END LOOP;
END $$
"""
# One statement sees one instant. A leaf moves on only from where the chain still says what was sealed: what was
# changed since stays visible, however often it is sealed again.
TAKE_HEADS = """
CREATE FUNCTION points_seal_heads() RETURNS void LANGUAGE sql SECURITY DEFINER
  SET search_path = public, pg_temp AS $$
  INSERT INTO points_seal_leaf AS l (customer_id, version, head)
  SELECT customer_id, version, head FROM points_account WHERE version > 0
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
$$
"""
LEAVES = ("points_seal_leaf", "points_seal_audit_leaf")
REHASHED = ("points_chain", "points_account")


def upgrade() -> None:
    op.create_table(
        "points_seal_audit_leaf",
        sa.Column("target_type", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("target_type", "target_id", name=op.f("pk_points_seal_audit_leaf")),
    )
    op.execute(TAKE_HEADS)
    for table in LEAVES:
        op.execute(f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {table} FROM shop_app")
    _apply_entries((READ, READS_MORE), (HASHED, HASHES_MORE))
    _hash_again(columns=", x.description, x.meta", values=", t.description, t.meta::text")


def downgrade() -> None:
    _apply_entries((READS_MORE, READ), (HASHES_MORE, HASHED))
    _hash_again(columns="", values="")
    op.execute("GRANT INSERT, UPDATE, DELETE ON points_seal_leaf TO shop_app")
    op.execute("DROP FUNCTION points_seal_heads()")
    op.drop_table("points_seal_audit_leaf")


def _apply_entries(*changes: tuple[str, str]) -> None:
    """The function of migration 0002 with these words changed."""
    source = op.get_bind().scalar(sa.text("SELECT pg_get_functiondef('points_apply_entries'::regproc)"))
    for was, becomes in changes:
        if source.count(was) != 1:
            raise RuntimeError(f"points_apply_entries does not say {was!r} once")
        source = source.replace(was, becomes)
    op.get_bind().exec_driver_sql(source.replace("%", "%%"))


def _hash_again(*, columns: str, values: str) -> None:
    for table in (*REHASHED, "points_seal"):
        op.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    op.execute(HASH_AGAIN.format(columns=columns, values=values))
    op.execute("DELETE FROM points_seal_leaf")
    op.execute("DELETE FROM points_seal")
    for table in (*REHASHED, "points_seal"):
        op.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
