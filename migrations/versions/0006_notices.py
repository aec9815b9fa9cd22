"""Messages that were told in a summary or left out, and what the account stood at"""

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_Integer = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "pnl_points",
        sa.Column("id", _Integer, nullable=False),
        sa.Column("at", types.Instant(), nullable=False),
        sa.Column("realised", types.Money(), nullable=False),
        sa.Column("unrealised", types.Money(), nullable=False),
        sa.Column("open_positions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pnl_points")),
        sqlite_strict=True,
    )
    op.create_index("ix_pnl_points_at", "pnl_points", ["at"])
    op.add_column("outbox", sa.Column("told_in", _Integer, nullable=True))
    op.add_column("outbox", sa.Column("left_out", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("outbox", "left_out")
    op.drop_column("outbox", "told_in")
    op.drop_index("ix_pnl_points_at", "pnl_points")
    op.drop_table("pnl_points")
