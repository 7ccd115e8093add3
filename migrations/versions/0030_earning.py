"""What an order's points were computed from, so that they can be recomputed for ever; dry runs of bonuses."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

# The rules that the shop opened with, written out, so that they mean the same whatever the code's defaults become.
FIRST_VERSION = {
    "unit_name": "miles",
    "currency": "HKD",
    "minor_units_per_100_points": 1000,
    "min_points": 500,
    "step": 100,
    "max_points_per_order": 200000,
    "max_share_percent": 100,
    "spend": {"limits": (), "on_delivery": True, "max_points_per_day": None},
    "earn": {
        "points_per_100_minor_units": 1,
        "on_points_part": False,
        "on_delivery": True,
        "rounding": "down",
        "stacking": "add",
        "return_window_days": 30,
        "days_after_delivery": None,
        "lot_days": 1095,
        "rules": (),
        "excludes": (),
        "bonuses": (),
    },
    "tiers": {
        "levels": (
            {"code": "member", "name": "Member", "points": 0, "earn_percent": 100},
            {"code": "silver", "name": "Silver", "points": 20000, "earn_percent": 125},
            {"code": "gold", "name": "Gold", "points": 60000, "earn_percent": 150},
        ),
        "window_days": 365,
        "grace_days": 90,
    },
    "quote_ttl_seconds": 600,
    "hold_ttl_seconds": 900,
    "release_grace_days": 14,
    "adjustments": {
        "reasons": {
            "goodwill": "Goodwill",
            "correction": "Correction",
            "campaign": "Campaign",
            "compensation": "Compensation",
            "fraud": "Misuse",
        },
        "limits": {
            "support": {"each": 5000, "day": 20000},
            "approver": {"each": 20000, "day": 80000},
            "admin": {"each": 50000, "day": 200000},
        },
    },
    "transfers": {
        "enabled": True,
        "min_points": 500,
        "per_day": 20000,
        "per_year": 100000,
        "confirm_within_minutes": 60,
        "cool_off_hours": 24,
    },
    "expiry": {"remind_days": (60, 30, 7), "activity_extends_days": None},
}


def upgrade() -> None:
    op.add_column("order_line", sa.Column("brand", sa.Text(), server_default="", nullable=False))
    op.add_column("order_line", sa.Column("category", sa.Text(), server_default="", nullable=False))
    op.add_column("orders", sa.Column("tier", sa.Text(), server_default="member", nullable=False))
    op.add_column("orders", sa.Column("priced_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "orders", sa.Column("earn_breakdown", postgresql.JSONB(), server_default="[]", nullable=False)
    )
    op.create_index("ix_points_earning_tier", "points_earning", ["customer_id", "resolved_at"])
    op.create_index(
        "ix_points_account_tier",
        "points_account",
        ["customer_id"],
        postgresql_where=sa.text("tier <> 'member'"),
    )
    op.create_table(
        "points_dry_run",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("source_type", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("rules_version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("points > 0", name=op.f("ck_points_dry_run_points")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_points_dry_run_customer_id")),
        sa.PrimaryKeyConstraint("rule", "source_type", "source_id", name=op.f("pk_points_dry_run")),
    )

    op.execute(
        sa.text(
            "INSERT INTO rewards_rules (version, effective_from, body, created_at, created_by)"
            " SELECT 1, '2000-01-01Z', CAST(:body AS jsonb), now(), 'system:migration'"
            " WHERE NOT EXISTS (SELECT 1 FROM rewards_rules)"
        ).bindparams(body=json.dumps(FIRST_VERSION))
    )


def downgrade() -> None:
    op.execute("ALTER TABLE rewards_rules DISABLE TRIGGER append_only")
    op.execute("DELETE FROM rewards_rules WHERE version = 1 AND created_by = 'system:migration'")
    op.execute("ALTER TABLE rewards_rules ENABLE TRIGGER append_only")
    op.drop_table("points_dry_run")
    op.drop_index("ix_points_account_tier", table_name="points_account")
    op.drop_index("ix_points_earning_tier", table_name="points_earning")
    for table, name in (
        ("orders", "earn_breakdown"),
        ("orders", "priced_at"),
        ("orders", "tier"),
        ("order_line", "category"),
        ("order_line", "brand"),
    ):
        op.drop_column(table, name)
