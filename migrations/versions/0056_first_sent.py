"""When a card refund was sent first: a gateway forgets its key a day after that, not after it was queued."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("card_refund", sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True))
    # Those that wait for an answer: nobody knows when they were sent, and it was not earlier than this.
    op.execute("UPDATE card_refund SET sent_at = created_at WHERE state = 'unknown'")


def downgrade() -> None:
    op.drop_column("card_refund", "sent_at")
