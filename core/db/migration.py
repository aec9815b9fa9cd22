"""Bringing a database to this version's schema, and refusing to run on another."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from core.db.engine import Database
from core.errors import DeskError
from core.settings import Settings

SCRIPTS = Path(__file__).parents[2] / "migrations"


class WrongSchema(DeskError):
    """The database belongs to another version of Munshi."""


def migrate(settings: Settings) -> None:
    """Apply what is missing, each step in one transaction. Run it alone, before the processes start."""
    command.upgrade(config(settings.database), "head")


def config(url: str) -> Config:
    """Alembic's configuration without a file of its own."""
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS))
    made.set_main_option("path_separator", "os")
    made.attributes["url"] = url
    return made


def check_schema(database: Database) -> None:
    """Raise WrongSchema unless the database stands exactly at this version's schema."""
    head = ScriptDirectory(str(SCRIPTS)).get_current_head()
    with database.snapshot() as connection:
        found = _revision(connection)
    if found != head:
        raise WrongSchema(
            f"the database is at schema {found or 'none'}, this version needs {head}: "
            "run `python -m core migrate`, or start the version that made it"
        )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
