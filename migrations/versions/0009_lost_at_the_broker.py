"""An order that the broker acknowledged, and has nowhere, is in doubt"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moves = sa.table("order_moves", sa.column("before", sa.Text), sa.column("after", sa.Text))
    op.bulk_insert(moves, [{"before": state, "after": "unknown"} for state in ("working", "cancelling")])


def downgrade() -> None:
    op.execute("DELETE FROM order_moves WHERE before IN ('working', 'cancelling') AND after = 'unknown'")
