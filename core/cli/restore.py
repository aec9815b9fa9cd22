"""`munshi restore FILE`: put a backup back. The next desk looks everything up at Dhan before it sends anything.

On PostgreSQL, `munshi restore` without a file comes after `pg_restore`, and does the same to what was put back.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy import update
from sqlalchemy.engine import make_url

from core import journal
from core.bootstrap import build_clock, open_database
from core.cli.backup import FOLDER, database_file, name_for
from core.cli.claims import claim
from core.clock import Moment, SystemClock
from core.db import alerts, leases
from core.db.copies import check, overwrite, scratch_file
from core.db.engine import Database
from core.db.migration import migrate
from core.db.tables import leases as lease_rows
from core.db.trouble import DatabaseUnavailable
from core.engine.after_restore import doubt_what_waited
from core.errors import Refusal
from core.settings import Settings, load

_HOLDER = "munshi restore"
_LONG_ENOUGH = timedelta(minutes=5)


def run(file: str | None) -> int:
    settings = load()
    is_file = make_url(settings.database).get_backend_name() == "sqlite"
    if is_file and file is None:
        raise Refusal("name the backup: munshi restore FILE")
    if not is_file and file is not None:
        raise Refusal("the database is PostgreSQL: put it back with pg_restore, then run munshi restore without a file")
    with claim(settings.munshi_data_dir):
        waited = _put_back(settings, Path(file)) if file else _restored_elsewhere(settings)
    print(f"Put back and paused. Orders that waited in it: {waited}. The next desk looks each up at Dhan, and asks.")
    print("Start the desk, read /queue and Dhan's own order list, then /resume.")
    return 0


def _put_back(settings: Settings, backup: Path) -> int:
    live = database_file(settings)
    with scratch_file(live) as scratch:
        overwrite(scratch, source=backup)
        check(scratch)
        prepared = settings.model_copy(update={"database_url": f"sqlite:///{scratch}"})
        waited = _prepare(prepared)
        with _no_desk(settings, live) as before:
            _go_on_from(before, prepared)
            name = f"before-restore-{name_for(SystemClock().now())}"
            kept = settings.munshi_data_dir / FOLDER / name if live.exists() else None
            overwrite(live, source=scratch, kept=kept)
            if kept:
                print(f"What was there is kept in {kept}.")
    return waited


def _restored_elsewhere(settings: Settings) -> int:
    database = open_database(settings)
    try:
        with _lease(database):
            return _doubt(database, settings)
    finally:
        database.close()


def _prepare(settings: Settings) -> int:
    """Bring the copy to this version's schema, and doubt what waited in it, before anybody can see it."""
    try:
        migrate(settings)
    except CommandError:
        raise Refusal("this backup is of a newer version of Munshi: start that one") from None
    database = open_database(settings)
    try:
        return _doubt(database, settings)
    finally:
        database.close()


def _doubt(database: Database, settings: Settings) -> int:
    moment = Moment(now=build_clock(settings).now(), wall=SystemClock().now())
    with database.transaction() as connection:
        return doubt_what_waited(connection, moment)


@dataclass(frozen=True)
class Before:
    """How far the database that is replaced had counted: its desks, and its alerts."""

    epoch: int = 0
    alert: int = 0


@contextmanager
def _no_desk(settings: Settings, live: Path) -> Generator[Before]:
    """Keep desks out. Raises Refusal."""
    if not live.exists():
        yield Before()
        return
    database = Database(settings.database)
    try:
        with _lease(database) as epoch:
            with database.snapshot() as connection:
                alert = alerts.newest(connection)
            yield Before(epoch, alert)
    except DatabaseUnavailable as trouble:
        away = f"move {live.name} and what is called {live.name}-… out of {live.parent}, then restore again"
        raise Refusal(f"{trouble}. If it is damaged: {away}") from None
    finally:
        database.close()


@contextmanager
def _lease(database: Database) -> Generator[int]:
    """Hold the lease that only one desk can have. Raises Refusal."""
    at = SystemClock().now()
    with database.transaction() as connection:
        epoch = leases.acquire(connection, holder=_HOLDER, nudge_port=0, at=at)
        if epoch is None:
            raise Refusal("a desk is running on this database: stop it first")
        connection.execute(update(lease_rows).values(expires_at=at + _LONG_ENOUGH))
    try:
        yield epoch
    finally:
        with database.transaction() as connection:
            leases.release(connection, epoch=epoch, at=SystemClock().now())


def _go_on_from(before: Before, settings: Settings) -> None:
    """No desk of before can take itself for the next one, and no number in the chat comes to mean another alert."""
    database = Database(settings.database)
    with database.transaction() as connection:
        at = SystemClock().now()
        connection.execute(update(lease_rows).values(expires_at=at))
        own = leases.acquire(connection, holder=_HOLDER, nudge_port=0, at=at) or 0
        connection.execute(update(lease_rows).values(epoch=max(own, before.epoch), expires_at=at))
        if before.alert > alerts.newest(connection):
            words = (
                f"The database was put back: alerts up to {before.alert} that it does not have came after the backup."
            )
            number, last = before.alert + 1, alerts.recent(connection, 1)
            came = last[0].received_at if last else build_clock(settings).now()  # no news of today from its source
            alerts.add_own(connection, body="{}", reason=words, actor=journal.COMMAND_LINE, at=came, number=number)
    database.close()
