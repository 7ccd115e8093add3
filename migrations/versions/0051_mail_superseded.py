"""A mail that was written, and had nothing to say any more before the mail server took it, is kept as such."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mail_message", sa.Column("superseded_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("mail_message", "superseded_at")
