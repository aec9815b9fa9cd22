"""The last day of every contract, of which so far only an index's was kept; what was written before knows no other"""

import sqlalchemy as sa
from alembic import op

from core.db import types

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("expiry", types.Day(), nullable=True))
    op.execute("UPDATE orders SET expiry = index_expiry WHERE index_expiry IS NOT NULL")


def downgrade() -> None:
    op.drop_column("orders", "expiry")
