"""The prices that a waiting order's drift is measured from"""

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("alert_price", types.Money))
    op.add_column("orders", sa.Column("asked_at_price", types.Money))


def downgrade() -> None:
    op.drop_column("orders", "asked_at_price")
    op.drop_column("orders", "alert_price")
