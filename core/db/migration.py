"""Bringing a database to this version's schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from core.settings import Settings

SCRIPTS = Path(__file__).parents[2] / "migrations"


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
