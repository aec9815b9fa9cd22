"""Approvers until there are two, who were so far kept for another order than they approved; what Dhan refused; doubt"""

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_Integer = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _table("approvals", "order_id", "user_id")
    op.drop_table("first_approvals")
    op.add_column("attempts", sa.Column("refusal", sa.Text(), nullable=True))
    moves = sa.table("order_moves", sa.column("before", sa.Text), sa.column("after", sa.Text))
    op.bulk_insert(moves, [{"before": state, "after": "unknown"} for state in ("awaiting_approval", "queued")])


def downgrade() -> None:
    op.execute("DELETE FROM order_moves WHERE before IN ('awaiting_approval', 'queued') AND after = 'unknown'")
    op.drop_column("attempts", "refusal")
    _table("first_approvals", "order_id")
    op.drop_table("approvals")


def _table(name: str, *key: str) -> None:
    op.create_table(
        name,
        sa.Column("order_id", _Integer, autoincrement=False, nullable=False),
        sa.Column("user_id", _Integer, autoincrement=False, nullable=False),
        sa.Column("at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f(f"fk_{name}_order_id")),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")),
        sqlite_strict=True,
    )
