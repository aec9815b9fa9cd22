"""Refusing to run on the database of another version. Alembic, which is heavy, is only loaded to migrate."""

from sqlalchemy import Connection, inspect, text

from core.db.engine import Database
from core.errors import DeskError

NEWEST = "0012"
"""The migration that this version's tables stand at."""


class WrongSchema(DeskError):
    """The database belongs to another version of Munshi."""


def check_schema(database: Database) -> None:
    """Raise WrongSchema unless the database stands exactly at this version's schema."""
    with database.snapshot() as connection:
        found = _revision(connection)
    if found != NEWEST:
        raise WrongSchema(
            f"the database is at schema {found or 'none'}, this version needs {NEWEST}: "
            "run `munshi migrate`, or start the version that made it"
        )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
