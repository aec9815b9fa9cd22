"""The hold over Dhan's kill switch is one of its own: under the name of before it would not end with the switch"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_SETTINGS = sa.table("settings", sa.column("key", sa.Text), sa.column("value", sa.Text))


def upgrade() -> None:
    _rename("hold.no_access", "hold.kill_switch")


def downgrade() -> None:
    _rename("hold.kill_switch", "hold.no_access")


def _rename(before: str, after: str) -> None:
    """Where something stands under the other name already, that stays."""
    other = _SETTINGS.alias()
    is_taken = sa.exists().where(other.c.key == after)
    is_over_it = (_SETTINGS.c.key == before) & _SETTINGS.c.value.like("%Dhan's kill switch is on%")
    op.execute(sa.delete(_SETTINGS).where(is_over_it, is_taken))
    op.execute(sa.update(_SETTINGS).where(is_over_it).values(key=after))
