"""`munshi backup [FILE]`: a copy of the database, also while everything runs."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import make_url

from core.clock import SystemClock
from core.db.copies import copy_out
from core.errors import Refusal
from core.settings import Settings, load

FOLDER = "backups"


def run(file: str | None) -> int:
    settings = load()
    target = Path(file) if file else settings.munshi_data_dir / FOLDER / name_for(SystemClock().now())
    copy_out(database_file(settings), target)
    print(f"Copied to {target}. Keep it as safe as the account itself, and not only on this machine.")
    return 0


def name_for(at: datetime) -> str:
    return f"munshi-{at.astimezone(UTC):%Y%m%d-%H%M%S}.db"


def database_file(settings: Settings) -> Path:
    """Raises Refusal where the database is no file."""
    url = make_url(settings.database)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise Refusal("the database is PostgreSQL, which has its own tools: pg_dump, see docs/operations.md")
    return Path(url.database)
