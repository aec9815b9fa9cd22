"""Sources with keys, a policy, limits and a trust step of their own"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _new_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("version", sa.Integer(), nullable=False, server_default=sa.text("1")),
        sa.Column("paused_at", types.Instant()),
        sa.Column("removed_at", types.Instant()),
        sa.Column("approval", sa.Text()),
        sa.Column("limits", types.Document()),
        sa.Column("trust", sa.Text()),
        sa.Column("automatic_below", types.Money()),
        sa.Column("trust_set_at", types.Instant()),
        sa.Column("approved_on", types.Day()),
        sa.Column("watch", types.Document()),
        sa.Column("watched_since", types.Instant()),
        sa.Column("heard_at", types.Instant()),
        sa.Column("heard_alert_id", _INTEGER),
        sa.Column("silent_told_at", types.Instant()),
    ]


def upgrade() -> None:
    for column in _new_columns():
        op.add_column("sources", column)
    op.create_table(
        "source_keys",
        sa.Column("id", _INTEGER, nullable=False),
        sa.Column("source_id", _INTEGER, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("made_at", types.Instant(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("uses", _INTEGER, nullable=False),
        sa.Column("used_at", types.Instant()),
        sa.Column("retired_at", types.Instant()),
        sa.Column("late_uses", _INTEGER, nullable=False),
        sa.Column("late_told_at", types.Instant()),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_source_keys_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_source_keys_hash")),
        sqlite_strict=True,
    )
    op.create_index("ix_source_keys_source_id", "source_keys", ["source_id"])


def downgrade() -> None:
    op.drop_table("source_keys")
    for column in reversed(_new_columns()):
        op.drop_column("sources", column.name)
