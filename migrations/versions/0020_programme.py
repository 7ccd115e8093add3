"""Files of adjustments, transfers between members, seals over all chains."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0010"
branch_labels = None
depends_on = None

STATES = {
    # table: (column, states a row may be born in, edges)
    "points_adjustment_batch": (
        "state",
        "awaiting_approval applied",
        "awaiting_approval>applied awaiting_approval>rejected awaiting_approval>expired",
    ),
    "points_transfer": (
        "state",
        "awaiting_confirmation",
        "awaiting_confirmation>done awaiting_confirmation>cancelled awaiting_confirmation>expired",
    ),
}
LIVE = "state IN ('awaiting_approval','applied')"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _adjustments()
    _transfers()
    _seals()
    for table, (column, starts, edges) in STATES.items():
        op.execute(
            f"CREATE TRIGGER only_edges BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION only_edges('{column}', '{starts}', '{edges}')"
        )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON points_seal FOR EACH ROW "
        "EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER never_truncated BEFORE TRUNCATE ON points_seal FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change()"
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON points_seal FROM shop_app")


def _adjustments() -> None:
    op.drop_index("uq_points_adjustment_reversal_of", table_name="points_adjustment")
    op.create_index(
        "uq_points_adjustment_reversal_of",
        "points_adjustment",
        ["reversal_of"],
        unique=True,
        postgresql_where=sa.text(LIVE),
    )
    op.create_index(
        "uq_points_adjustment_pending",
        "points_adjustment",
        ["customer_id", "points", "reason_code"],
        unique=True,
        postgresql_where=sa.text("state = 'awaiting_approval'"),
    )
    op.create_index(
        "ix_points_adjustment_batch_id",
        "points_adjustment",
        ["batch_id"],
        postgresql_where=sa.text("batch_id IS NOT NULL"),
    )
    op.create_table(
        "points_adjustment_batch",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("credit", sa.BigInteger(), nullable=False),
        sa.Column("debit", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("auto_approved", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decision_note", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("decided_at", TIME, nullable=True),
        sa.CheckConstraint(
            "rows > 0 AND credit >= 0 AND debit >= 0", name=op.f("ck_points_adjustment_batch_totals")
        ),
        sa.CheckConstraint(
            "state IN ('awaiting_approval','applied','rejected','expired')",
            name=op.f("ck_points_adjustment_batch_state"),
        ),
        sa.CheckConstraint(
            "decided_by IS DISTINCT FROM requested_by OR auto_approved",
            name=op.f("ck_points_adjustment_batch_two_people"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_points_adjustment_batch")),
    )
    op.create_index(
        "uq_points_adjustment_batch_digest",
        "points_adjustment_batch",
        ["digest"],
        unique=True,
        postgresql_where=sa.text(LIVE),
    )
    op.create_index("ix_points_adjustment_batch_state", "points_adjustment_batch", ["state", "created_at"])


def _transfers() -> None:
    op.create_table(
        "points_transfer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("confirm_until", TIME, nullable=False),
        sa.Column("resolved_at", TIME, nullable=True),
        sa.Column("spendable_from", TIME, nullable=True),
        sa.CheckConstraint("points > 0 AND sender_id <> recipient_id", name=op.f("ck_points_transfer_sane")),
        sa.CheckConstraint(
            "state IN ('awaiting_confirmation','done','cancelled','expired')",
            name=op.f("ck_points_transfer_state"),
        ),
        sa.CheckConstraint(
            "(state = 'awaiting_confirmation') = (resolved_at IS NULL)",
            name=op.f("ck_points_transfer_resolved"),
        ),
        sa.ForeignKeyConstraint(["sender_id"], ["customer.id"], name=op.f("fk_points_transfer_sender_id")),
        sa.ForeignKeyConstraint(
            ["recipient_id"], ["customer.id"], name=op.f("fk_points_transfer_recipient_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_points_transfer")),
    )
    op.create_index("ix_points_transfer_sender_id", "points_transfer", ["sender_id", "created_at"])
    op.create_index("ix_points_transfer_recipient_id", "points_transfer", ["recipient_id", "created_at"])
    op.create_index(
        "uq_points_transfer_pending",
        "points_transfer",
        ["sender_id"],
        unique=True,
        postgresql_where=sa.text("state = 'awaiting_confirmation'"),
    )


def _seals() -> None:
    op.create_table(
        "points_seal",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed_at", TIME, nullable=False),
        sa.Column("accounts", sa.BigInteger(), nullable=False),
        sa.Column("transactions", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("audit_targets", sa.BigInteger(), nullable=False),
        sa.Column("audit_rows", sa.BigInteger(), nullable=False),
        sa.Column("audit_root", sa.LargeBinary(), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "length(root) = 32 AND length(audit_root) = 32", name=op.f("ck_points_seal_roots")
        ),
        sa.CheckConstraint(
            "length(prev_hash) = 32 AND length(hash) = 32", name=op.f("ck_points_seal_hashes")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_points_seal")),
    )
    op.create_table(
        "points_seal_leaf",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_points_seal_leaf")),
    )


def downgrade() -> None:
    for table in ("points_seal_leaf", "points_seal", "points_transfer", "points_adjustment_batch"):
        op.drop_table(table)
    op.drop_index("ix_points_adjustment_batch_id", table_name="points_adjustment")
    op.drop_index("uq_points_adjustment_pending", table_name="points_adjustment")
    op.drop_index("uq_points_adjustment_reversal_of", table_name="points_adjustment")
    op.create_index("uq_points_adjustment_reversal_of", "points_adjustment", ["reversal_of"], unique=True)
