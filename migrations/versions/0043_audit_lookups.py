"""The audit log by request and by object: staff look both up without saying more."""

from __future__ import annotations

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_audit_log_request_id", "audit_log", ["request_id", "id"])
    op.create_index("ix_audit_log_target_id", "audit_log", ["target_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_audit_log_target_id", table_name="audit_log")
    op.drop_index("ix_audit_log_request_id", table_name="audit_log")
