"""The console: updates from Telegram that were taken, and the first of two approvals"""

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "first_approvals",
        sa.Column("order_id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("user_id", _NUMBER, nullable=False),
        sa.Column("at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_first_approvals_order_id")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_first_approvals")),
        sqlite_strict=True,
    )
    op.create_table(
        "updates",
        sa.Column("update_id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("chat_id", _NUMBER, nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("taken_at", types.Instant(), nullable=False),
        sa.Column("done_at", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("update_id", name=op.f("pk_updates")),
        sqlite_strict=True,
    )
    op.create_index("ix_updates_taken_at", "updates", ["taken_at"])


def downgrade() -> None:
    op.drop_table("updates")
    op.drop_table("first_approvals")
