"""How Alembic reaches the database: the product's own engine, alone on the database."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from core.db import tables, types
from core.db.engine import open_engine
from core.db.postgresql import WRITE_LOCK


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
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                _without_keys(connection)
            else:
                _alone(connection)
    finally:
        engine.dispose()


def _without_keys(connection: Connection) -> None:
    """Rebuilding a parent table with foreign keys on would delete its children."""
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    _run(connection)
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise RuntimeError(f"the migration left rows without their parent: {broken[:5]}")
    connection.rollback()
    driver.execute("PRAGMA foreign_keys=ON")


def _alone(connection: Connection) -> None:
    """Until the connection ends nobody writes, and no other machine migrates. A large table may take its time."""
    connection.exec_driver_sql(f"SELECT pg_advisory_lock({WRITE_LOCK})")
    connection.exec_driver_sql("SET statement_timeout = 0")
    connection.exec_driver_sql("SET idle_in_transaction_session_timeout = 0")
    connection.commit()
    _run(connection)


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=tables.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=_render,
        transactional_ddl=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


_migrate()
