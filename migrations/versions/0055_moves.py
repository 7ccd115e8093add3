"""A transaction moves points between the accounts that its kind has, and leaves none in transit within one customer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

MAY_MOVE = """
CREATE FUNCTION points_may_move(p_kind text, p_account text, p_amount bigint) RETURNS boolean
  LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(strpos(CASE p_kind
    WHEN 'earn' THEN ' -issued +pending '
    WHEN 'earn_confirm' THEN ' -pending +available +debt '
    WHEN 'earn_cancel' THEN ' -pending +issued '
    WHEN 'hold' THEN ' -available +held '
    WHEN 'capture' THEN ' -held +redeemed '
    WHEN 'release' THEN ' -held +available +transit -transit '
    WHEN 'refund' THEN ' -redeemed +available +transit -transit '
    WHEN 'expire' THEN ' -available +expired '
    WHEN 'adjust' THEN ' -adjusted +adjusted -available +available -debt +debt -expired '
    WHEN 'clawback' THEN ' -available -expired -debt +debt -clawback +clawback '
    WHEN 'transfer_out' THEN ' -available +transit '
    WHEN 'transfer_in' THEN ' -transit +available '
  END, CASE WHEN p_amount < 0 THEN ' -' ELSE ' +' END || p_account || ' '), 0) > 0
$$
"""
# words of points_apply_entries: what it sums of each transaction, and what it refuses first
COUNTS = "count(*) AS legs, sum(e.amount) AS total,"
COUNTS_MORE = (
    COUNTS
    + """
           bool_and(points_may_move(x.kind, e.account, e.amount)) AS proper,
           coalesce(sum(e.amount) FILTER (WHERE e.account = 'transit' AND x.kind NOT IN
             ('transfer_out','transfer_in')), 0) AS stray,"""
)
REFUSES = "IF t.legs < 2 OR t.total <> 0 THEN"
REFUSES_MORE = (
    """IF NOT t.proper OR t.stray <> 0 THEN
      RAISE EXCEPTION 'points_tx % moves points where its kind does not', t.id
        USING ERRCODE = '23514', CONSTRAINT = 'points_tx_moves';
    END IF;
    """
    + REFUSES
)


def upgrade() -> None:
    op.execute(MAY_MOVE)
    _apply_entries((COUNTS, COUNTS_MORE), (REFUSES, REFUSES_MORE))


def downgrade() -> None:
    _apply_entries((COUNTS_MORE, COUNTS), (REFUSES_MORE, REFUSES))
    op.execute("DROP FUNCTION points_may_move(text, text, bigint)")


def _apply_entries(*changes: tuple[str, str]) -> None:
    """The function of migrations 0002 and 0047 with these words changed."""
    source = op.get_bind().scalar(sa.text("SELECT pg_get_functiondef('points_apply_entries'::regproc)"))
    for was, becomes in changes:
        if source.count(was) != 1:
            raise RuntimeError(f"points_apply_entries does not say {was!r} once")
        source = source.replace(was, becomes)
    op.get_bind().exec_driver_sql(source.replace("%", "%%"))
