"""The database: how it is opened, read and written. Which kind it is, nobody outside this package knows."""

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from core.db.address import is_file, read_address
from core.db.postgresql import PostgreSQL
from core.db.sqlite import Sqlite
from core.db.store import Store
from core.db.trouble import CommitInDoubt, DatabaseUnavailable, words_for_trouble
from core.db.writer import GroupWork, T, Work, Writer

QUICK = 0.0003


class Database:
    """Reads anywhere, writes in one line. `url` is as in DATABASE_URL; `busy_timeout`: seconds to wait for others.

    A commit that takes less than `quick` seconds is waited for on the event loop, which has nothing else to do then.
    """

    def __init__(self, url: str, *, busy_timeout: float = 5.0, quick: float = QUICK) -> None:
        self._store = _store(url, busy_timeout)
        self.engine = self._store.engine
        self._writer = Writer(self._store, patience=busy_timeout, quick=quick)
        self._readers = None if self._store.reads_at_once else ThreadPoolExecutor(2, "reader")
        self._reading: Connection | None = None

    def close(self) -> None:
        """Let go of it. What is under way ends; a write that had not begun raises Unavailable."""
        self._writer.close()
        reading, self._reading = self._reading, None
        if reading:
            reading.close()
        if self._readers:
            self._readers.shutdown()
        self._store.close()

    @property
    def backlog(self) -> int:
        """Writes that wait."""
        return self._writer.backlog

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """A write transaction on the calling thread; leaving the block by an exception undoes everything."""
        with words_for_trouble(), self.engine.connect() as connection:
            self._store.begin(connection)
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            _commit(connection)

    @contextmanager
    def snapshot(self) -> Generator[Connection]:
        """A consistent view for reading."""
        with words_for_trouble(), self._connect_to_read() as connection:
            self._store.begin_to_read(connection)
            yield connection
            self._store.end_reading(connection)

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
            return self._read_at_once(work)
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read_at_once(self, work: Work[T]) -> T:
        """On a connection that is kept, unless the work fails: taking one costs more than most questions."""
        with words_for_trouble():
            connection, self._reading = self._reading or self._connect_to_read(), None
            try:
                self._store.begin_to_read(connection)
                found = work(connection)
                self._store.end_reading(connection)
            except BaseException:
                connection.close()
                raise
        self._reading = connection
        return found

    def _read(self, work: Work[T]) -> T:
        with self.snapshot() as connection:
            return work(connection)

    def _connect_to_read(self) -> Connection:
        return self.engine.connect().execution_options(**self._store.reading)


def _commit(connection: Connection) -> None:
    try:
        connection.commit()
    except DBAPIError as error:
        connection.invalidate()  # a transaction may still be open on it
        raise CommitInDoubt(f"the commit failed: {error.orig}") from error
    except DatabaseUnavailable:
        connection.invalidate()
        raise


def open_engine(url: str, *, busy_timeout: float) -> Engine:
    """For those who speak to it past `Database`, as migrations do."""
    return _store(url, busy_timeout).engine


def _store(url: str, patience: float) -> Store:
    address = read_address(url)
    return Sqlite(address, patience=patience) if is_file(address) else PostgreSQL(address, patience=patience)
