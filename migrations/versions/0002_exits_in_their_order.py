"""Find due exits without reading the whole queue: the index of exits is in their order"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


_EXITS_ONLY: dict[str, Any] = {"sqlite_where": sa.text("closes IS 1"), "postgresql_where": sa.text("closes IS true")}


def upgrade() -> None:
    op.drop_index("ix_orders_closes", "orders")
    op.create_index("ix_orders_closes", "orders", ["state", "release_at", "id"], unique=False, **_EXITS_ONLY)


def downgrade() -> None:
    op.drop_index("ix_orders_closes", "orders")
    op.create_index("ix_orders_closes", "orders", ["state"], unique=False, **_EXITS_ONLY)
