"""Each approver of an order is noted, in our words what Dhan's last refusal of a try was, and doubt after a restore"""

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
    op.execute("INSERT INTO approvals (order_id, user_id, at) SELECT order_id, user_id, at FROM first_approvals")
    op.drop_table("first_approvals")
    op.add_column("attempts", sa.Column("refusal", sa.Text(), nullable=True))
    moves = sa.table("order_moves", sa.column("before", sa.Text), sa.column("after", sa.Text))
    op.bulk_insert(moves, [{"before": state, "after": "unknown"} for state in ("awaiting_approval", "queued")])


def downgrade() -> None:
    op.execute("DELETE FROM order_moves WHERE before IN ('awaiting_approval', 'queued') AND after = 'unknown'")
    op.drop_column("attempts", "refusal")
    _table("first_approvals", "order_id")
    op.execute(
        "INSERT INTO first_approvals (order_id, user_id, at) SELECT order_id, MIN(user_id), MIN(at) FROM approvals "
        "GROUP BY order_id"
    )
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
