"""What every process opens first: its clock and its database. Nothing happens at import."""

from datetime import datetime

from core import controls, journal
from core.clock import INDIA, Clock, PaperClock, SystemClock
from core.db.engine import QUICK, Database
from core.db.schema import check_schema
from core.errors import BadSettings
from core.settings import Settings


def build_clock(settings: Settings) -> Clock:
    return PaperClock(settings.clock_file) if settings.paper else SystemClock()


def set_clock(settings: Settings) -> None:
    """Start the paper clock at MUNSHI_CLOCK, when it is given. Raises BadSettings when it is no time."""
    if settings.munshi_clock is None:
        return
    try:
        instant = datetime.fromisoformat(settings.munshi_clock)
    except ValueError:
        raise BadSettings([f"MUNSHI_CLOCK: '{settings.munshi_clock}' is no time; write 2026-12-01T10:30"]) from None
    PaperClock(settings.clock_file).jump_to(instant if instant.tzinfo else instant.replace(tzinfo=INDIA))


def open_database(settings: Settings, *, busy_timeout: float = 5.0, quick: float = QUICK) -> Database:
    """The database at this version's schema and of this mode. Raises WrongSchema, BadSettings."""
    database = Database(settings.database, busy_timeout=busy_timeout, quick=quick)
    try:
        check_schema(database)
        _check_mode(database, settings)
    except BaseException:
        database.close()
        raise
    return database


def _check_mode(database: Database, settings: Settings) -> None:
    """A database stays in the mode it was first opened in: orders made for pretend money must never cost real money."""
    with database.snapshot() as connection:
        stored = controls.fetch(connection, "mode")
    if stored is None:
        with database.transaction() as connection:
            mode, at = {"mode": settings.munshi_mode}, build_clock(settings).now()
            controls.put(connection, "mode", mode, at=at, actor=journal.DESK)
    elif stored["mode"] != settings.munshi_mode:
        words = f"the database belongs to {stored['mode']} mode, and so do its orders"
        name = "DATABASE_URL" if settings.database_url else "MUNSHI_DATA_DIR"
        cure = f"give {settings.munshi_mode} mode a {name} of its own"
        raise BadSettings([f"MUNSHI_MODE: {words}; {cure}"])
