"""SQLite: a file of this machine.

It runs in WAL with `synchronous=FULL` on a library without the WAL-reset bug, and in a rollback journal with
`synchronous=EXTRA` elsewhere: both keep every acknowledged commit through a power cut. Writes begin IMMEDIATE, so a
transaction that began can finish.
"""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event

from core.clock import monotonic
from core.db.driver import sqlite_driver, survives_wal
from core.db.trouble import is_busy
from core.db.turnstile import Turnstile

PAGES_PER_CHECKPOINT = 4_000  # 16 MB: the commit that meets a checkpoint takes long, so few should
TRY_AGAIN = 0.001
A_LONG_TURN = 0.002
"""Seconds. Whoever had one lets those who wait begin first; one that is quick over leaves them room enough."""


class Sqlite:
    """The file is made with mode 0600 when missing. `patience`: seconds that it waits for another process's lock."""

    reading = {"desk_reads": True}  # noqa: RUF012 - nobody writes to it

    def __init__(self, url: URL, *, patience: float) -> None:
        file = url.database
        if file:
            os.close(os.open(Path(file), os.O_CREAT | os.O_RDWR, 0o600))
        driver = sqlite_driver()
        wal = survives_wal(driver.sqlite_version_info)
        self._turnstile = Turnstile(Path(f"{file}-turn"))
        self._began = self._took = 0.0
        self.reads_at_once = wal  # with a write-ahead log a reader never waits
        self.engine = create_engine(url, module=driver, connect_args={"timeout": patience}, pool_size=4)
        event.listen(self.engine, "connect", _set_rules(wal))
        event.listen(self.engine, "begin", _begin)

    def prepare(self, connection: Connection) -> None:
        _raw(connection).execute("PRAGMA busy_timeout=0")  # the driver would wait on the loop

    def begin(self, connection: Connection) -> None:
        connection.begin()

    def begin_at_once(self, connection: Connection) -> bool:
        if self._took < A_LONG_TURN:
            return self._try_to_begin(connection) is None
        try:
            return self._turnstile.enter() and self._try_to_begin(connection) is None
        finally:
            self._turnstile.leave()

    async def begin_in_turn(self, connection: Connection, patience: float, thread: Executor) -> None:  # noqa: ARG002
        """Whoever has waited long enough for the turn asks without it: its holder may have been stopped."""
        until = monotonic() + patience
        try:
            while True:
                is_last = monotonic() >= until
                if self._turnstile.enter() or is_last:
                    trouble = self._try_to_begin(connection)
                    if trouble is None:
                        return
                    if is_last:
                        raise trouble
                await asyncio.sleep(TRY_AGAIN)
        finally:
            self._turnstile.leave()

    def _try_to_begin(self, connection: Connection) -> Exception | None:
        """None when it has begun, and otherwise the word that another writes.

        The toolkit joins when it is first asked for something; what goes past it needs none of its books.
        """
        try:
            _raw(connection).execute("BEGIN IMMEDIATE")
        except connection.dialect.loaded_dbapi.Error as trouble:
            if not is_busy(trouble):
                raise
            return trouble
        self._began = monotonic()
        return None

    def begin_to_read(self, connection: Connection) -> None:
        """Past the toolkit, as in `_try_to_begin`."""
        _raw(connection).execute("BEGIN")

    def end_reading(self, connection: Connection) -> None:
        connection.rollback()
        _raw(connection).rollback()  # what the toolkit did not join

    def commit(self, connection: Connection, patience: float) -> None:
        """Where there is no write-ahead log, readers keep it back, and it is tried again."""
        raw, until = _raw(connection), monotonic() + patience
        while True:
            try:
                raw.commit()
            except Exception as trouble:
                if not is_busy(trouble) or monotonic() >= until:
                    raise
            else:
                self._took = monotonic() - self._began
                return
            time.sleep(TRY_AGAIN)

    def close(self) -> None:
        self.engine.dispose()
        self._turnstile.close()

    def has_gone(self, trouble: BaseException) -> bool:  # noqa: ARG002 - a file does not hang up
        return False


def _set_rules(wal: bool) -> Callable[[Any, Any], None]:
    journal = ("WAL", "FULL") if wal else ("TRUNCATE", "EXTRA")

    def set_rules(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's begin hook decides, not the driver
        for rule in (
            f"journal_mode={journal[0]}",
            f"synchronous={journal[1]}",
            "foreign_keys=ON",
            "mmap_size=0",
            f"wal_autocheckpoint={PAGES_PER_CHECKPOINT}",
            "trusted_schema=OFF",
        ):
            connection.execute(f"PRAGMA {rule}")

    return set_rules


def _begin(connection: Connection) -> None:
    driver = _raw(connection)
    if not driver.in_transaction:
        reading = connection.get_execution_options().get("desk_reads")
        driver.execute("BEGIN" if reading else "BEGIN IMMEDIATE")


def _raw(connection: Connection) -> Any:
    return connection.connection.dbapi_connection
