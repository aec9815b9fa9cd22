"""The database: how it is opened, read and written.

SQLite runs in WAL with `synchronous=FULL` on a library without the WAL-reset bug, and in a rollback journal with
`synchronous=EXTRA` elsewhere: both keep every acknowledged commit through a power cut. Writes begin IMMEDIATE, so a
transaction that began can finish.
"""

import asyncio
import os
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from core.db.driver import sqlite_driver, survives_wal
from core.db.trouble import CommitInDoubt, words_for_trouble
from core.db.writer import GroupWork, T, Work, Writer

PAGES_PER_CHECKPOINT = 4_000  # 16 MB: the commit that meets a checkpoint takes long, so few should
_READ = {"desk_reads": True}


class Database:
    """Reads anywhere, writes in one line. `url` is SQLAlchemy's; the file is made with mode 0600 when missing."""

    def __init__(self, url: str, *, busy_timeout: float = 5.0) -> None:
        self.engine = open_engine(url, busy_timeout=busy_timeout)
        self._writer = Writer(self.engine, patience=busy_timeout)
        self._readers = None if _reads_wait_for_nobody(self.engine) else ThreadPoolExecutor(2, "reader")

    def close(self) -> None:
        """Let go of the file. What is under way ends; a write that had not begun raises Unavailable."""
        self._writer.close()
        if self._readers:
            self._readers.shutdown()
        self.engine.dispose()

    @property
    def backlog(self) -> int:
        """Writes that wait."""
        return self._writer.backlog

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """A write transaction on the calling thread; leaving the block by an exception undoes everything."""
        with words_for_trouble(), self.engine.connect() as connection:
            connection.begin()
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            _commit(connection)

    @contextmanager
    def snapshot(self) -> Generator[Connection]:
        """A consistent view for reading."""
        with words_for_trouble(), self.engine.connect().execution_options(**_READ) as connection:
            yield connection

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a committed transaction; it returns only after the commit.

        Whatever `work` raises is raised here and undoes that work alone.
        """
        return await self._writer.run(None, work)

    async def write_grouped(self, group: GroupWork, item: Any) -> Any:
        """Like `write` for `group(connection, items)`, called once for all the items that wait; for hot paths."""
        return await self._writer.run(group, item)

    def after_commit(self, step: Callable[[], None]) -> None:
        """From inside a write: do this once it is committed, and not at all when it is undone."""
        self._writer.after_commit(step)

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot: at once where no reader waits for a writer, and else off the event loop."""
        if self._readers is None:
            return self._read(work)
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Work[T]) -> T:
        with self.snapshot() as connection:
            return work(connection)


def _commit(connection: Connection) -> None:
    try:
        connection.commit()
    except DBAPIError as error:
        connection.invalidate()  # a transaction may still be open on it
        raise CommitInDoubt(f"the commit failed: {error.orig}") from error


def _reads_wait_for_nobody(engine: Engine) -> bool:
    """With a write-ahead log a reader never waits, and a hop to a thread would take longer than reading."""
    return engine.dialect.name == "sqlite" and survives_wal(sqlite_driver().sqlite_version_info)


def open_engine(url: str, *, busy_timeout: float) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url)
    file = make_url(url).database
    if file:
        os.close(os.open(Path(file), os.O_CREAT | os.O_RDWR, 0o600))
    driver = sqlite_driver()
    engine = create_engine(url, module=driver, connect_args={"timeout": busy_timeout}, pool_size=4)
    event.listen(engine, "connect", _set_rules(survives_wal(driver.sqlite_version_info)))
    event.listen(engine, "begin", _begin)
    return engine


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
    reading = connection.get_execution_options().get("desk_reads")
    driver: Any = connection.connection.dbapi_connection
    driver.execute("BEGIN" if reading else "BEGIN IMMEDIATE")
