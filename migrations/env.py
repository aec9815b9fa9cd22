"""How Alembic reaches the database: the product's own engine, foreign keys off while tables are rebuilt."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from core.db import tables, types
from core.db.engine import open_engine


def _render(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    if kind != "type":
        return False
    if isinstance(item, types.Word | types.Document):
        return "sa.Text()"
    if isinstance(item, types.Instant | types.Money | types.Flag):
        autogen.imports.add("from core.db import types")
        return f"types.{type(item).__name__}()"
    return False


def _migrate() -> None:
    engine = open_engine(context.config.attributes["url"], busy_timeout=5.0)
    with engine.connect() as connection:
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:
            _keys(connection.connection.driver_connection, on=False)
        context.configure(
            connection=connection,
            target_metadata=tables.metadata,
            render_as_batch=sqlite,
            render_item=_render,
            transactional_ddl=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
        if sqlite:
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise RuntimeError(f"the migration left rows without their parent: {broken[:5]}")
            connection.rollback()
            _keys(connection.connection.driver_connection, on=True)
    engine.dispose()


def _keys(connection: Any, *, on: bool) -> None:
    """Rebuilding a parent table with foreign keys on would delete its children."""
    connection.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")


_migrate()
