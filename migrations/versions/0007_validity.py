"""How long the exchange keeps what is not filled of an order; every order before was for the day"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("validity", sa.Text(), nullable=False, server_default=sa.text("'DAY'")))


def downgrade() -> None:
    op.drop_column("orders", "validity")
