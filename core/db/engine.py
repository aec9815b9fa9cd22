"""The database: how it is opened, and the one thread that writes to it.

SQLite runs in WAL with `synchronous=FULL` on a library without the WAL-reset bug, and in a rollback journal with
`synchronous=EXTRA` elsewhere: both keep every acknowledged commit through a power cut. Writes begin IMMEDIATE, so a
transaction that began can finish. All writes of a process go through one thread, which commits whatever has piled up in
one transaction: a thousand alerts cost a few syncs, not a thousand. Nobody can await inside a write transaction.
"""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from core.errors import Unavailable

T = TypeVar("T")
Work = Callable[[Connection], T]
GroupWork = Callable[[Connection, Sequence[Any]], Sequence[Any]]

MOST_PER_COMMIT = 512
_READ = {"desk_reads": True}


class DatabaseUnavailable(Unavailable):
    """Nothing was stored: the database is locked, full or unreadable."""


class CommitInDoubt(DatabaseUnavailable):
    """COMMIT itself failed: what stands in the file is only known after reading it again."""


def sqlite_driver() -> ModuleType:
    """The SQLite module that the whole process uses: two copies in one process would drop each other's locks."""
    try:
        return import_module("pysqlite3.dbapi2")
    except ImportError:  # no wheel for this platform
        return sqlite3


def survives_wal(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite is free of the WAL-reset bug, which can corrupt a file that two processes share."""
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51, 0) or (3, 44, 6) <= version < (3, 45, 0)


@dataclass
class _Job:
    group: GroupWork | None
    item: Any
    future: asyncio.Future[Any]


class Database:
    """Reads anywhere, writes on one thread. `url` is SQLAlchemy's; the file is made with mode 0600 when missing."""

    def __init__(self, url: str, *, busy_timeout: float = 5.0) -> None:
        self.engine = open_engine(url, busy_timeout=busy_timeout)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._after_commit: list[Callable[[], None]] = []
        self._readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="reader")
        self._writer = threading.Thread(target=self._write_for_ever, name="writer", daemon=True)
        self._writer.start()

    def close(self) -> None:
        """Finish what was handed in, then let go of the file."""
        self._jobs.put(None)
        self._writer.join()
        self._readers.shutdown()
        self.engine.dispose()

    @property
    def backlog(self) -> int:
        """Writes that wait for the writer thread."""
        return self._jobs.qsize()

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """A write transaction on the calling thread; leaving the block by an exception undoes everything."""
        with _words_for_trouble(), self.engine.connect() as connection:
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
        with _words_for_trouble(), self.engine.connect().execution_options(**_READ) as connection:
            yield connection

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a committed transaction on the writer thread; it returns only after the commit.

        Whatever `work` raises is raised here and undoes that work alone.
        """
        return await self._hand_in(None, work)

    async def write_grouped(self, group: GroupWork, item: Any) -> Any:
        """Like `write` for `group(connection, items)`, called once for all the items that wait; for hot paths."""
        return await self._hand_in(group, item)

    def after_commit(self, step: Callable[[], None]) -> None:
        """From inside a write: do this on the writer thread once it is committed, and not at all when it is undone."""
        self._after_commit.append(step)

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Work[T]) -> T:
        with self.snapshot() as connection:
            return work(connection)

    async def _hand_in(self, group: GroupWork | None, item: Any) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(group, item, future))
        return await future

    def _write_for_ever(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs, last = self._all_waiting(first)
            _deliver(self._commit_together(jobs))
            if last:
                return

    def _all_waiting(self, first: _Job) -> tuple[list[_Job], bool]:
        jobs = [first]
        with contextlib.suppress(queue.Empty):
            while len(jobs) < MOST_PER_COMMIT:
                job = self._jobs.get_nowait()
                if job is None:
                    return jobs, True
                jobs.append(job)
        return jobs, False

    def _commit_together(self, jobs: list[_Job]) -> list[tuple[_Job, Any]]:
        self._after_commit.clear()
        try:
            with self.transaction() as connection:
                outcomes = self._run(connection, jobs)
            for step in self._after_commit:
                step()
        except Exception as trouble:  # noqa: BLE001 - handed to the callers, each of whom raises it
            return [(job, trouble) for job in jobs]
        else:
            return outcomes

    def _run(self, connection: Connection, jobs: list[_Job]) -> list[tuple[_Job, Any]]:
        outcomes: list[tuple[_Job, Any]] = []
        for group, members in groupby(jobs, key=lambda job: job.group):
            together = list(members)
            if group is None:
                outcomes += [(job, self._attempt(connection, job.item, alone=len(jobs) == 1)) for job in together]
            else:
                results = self._attempt(connection, _bound(group, together), alone=len(jobs) == len(together))
                spread = [results] * len(together) if isinstance(results, Exception) else results
                outcomes += list(zip(together, spread, strict=True))
        return outcomes

    def _attempt(self, connection: Connection, work: Work[Any], *, alone: bool) -> Any:
        """The work's result, or the exception that undid it. Alone in its transaction it needs no savepoint."""
        if alone:
            return work(connection)
        before = len(self._after_commit)
        savepoint = connection.begin_nested()
        try:
            with _words_for_trouble():
                result = work(connection)
        except Exception as trouble:  # noqa: BLE001 - handed to the caller, who raises it
            savepoint.rollback()
            del self._after_commit[before:]
            return trouble
        savepoint.commit()
        return result


def _bound(group: GroupWork, jobs: list[_Job]) -> Work[Sequence[Any]]:
    return lambda connection: group(connection, [job.item for job in jobs])


def _deliver(outcomes: list[tuple[_Job, Any]]) -> None:
    """Wake the waiting coroutines with one call per event loop."""
    for loop, members in groupby(outcomes, key=lambda outcome: outcome[0].future.get_loop()):
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, list(members))


def _settle(outcomes: list[tuple[_Job, Any]]) -> None:
    for job, outcome in outcomes:
        if job.future.cancelled():
            continue
        if isinstance(outcome, Exception):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)


@contextmanager
def _words_for_trouble() -> Generator[None]:
    """A file that is locked, full or damaged; what breaks a rule of ours is a bug and passes as it is."""
    driver = sqlite_driver()
    try:
        yield
    except (DatabaseError, driver.DatabaseError) as error:  # the driver's own: past the toolkit
        if type(error) not in (OperationalError, DatabaseError, driver.OperationalError, driver.DatabaseError):
            raise
        raise DatabaseUnavailable(f"the database did not take it: {getattr(error, 'orig', error)}") from error


def _commit(connection: Connection) -> None:
    try:
        connection.commit()
    except DBAPIError as error:
        connection.invalidate()  # a transaction may still be open on it
        raise CommitInDoubt(f"the commit failed: {error.orig}") from error


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
            "trusted_schema=OFF",
        ):
            connection.execute(f"PRAGMA {rule}")

    return set_rules


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("desk_reads")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
