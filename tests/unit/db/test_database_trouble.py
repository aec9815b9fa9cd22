"""A database that is locked, full or broken says so in time, and keeps no half of anything."""

import asyncio
import resource
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from core.clock import monotonic
from core.db import alerts, orders
from core.db.driver import sqlite_driver
from core.db.engine import Database
from core.db.trouble import CommitInDoubt, DatabaseUnavailable
from core.errors import Unavailable
from tests.builders import address_of, an_alert, break_the_commit, fresh_database, locked

PATIENCE = 0.1


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """One that waits a tenth of a second for others."""
    database = fresh_database(tmp_path, busy_timeout=PATIENCE)
    yield database
    database.close()


def take(body: str = "{}") -> Callable[[Connection], int]:
    return lambda connection: an_alert(connection, body=body).id


def stored(database: Database) -> int:
    with database.snapshot() as connection:
        return len(alerts.recent(connection, 1000))


@contextmanager
def full_disk(database: Database) -> Generator[None]:
    """Files cannot grow: SQLite finds out in COMMIT, which is when it writes to its log."""
    log = Path(f"{database.engine.url.database}-wal")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_locked_database_is_given_up_within_the_busy_timeout(database: Database) -> None:
    with locked(address_of(database)):
        began = monotonic()
        with pytest.raises(DatabaseUnavailable, match="locked"):
            await database.write(take())
        assert monotonic() - began > PATIENCE / 2
    assert stored(database) == 0
    assert await database.write(take())
    assert stored(database) == 1


async def test_a_short_lock_is_waited_for(tmp_path: Path) -> None:
    with closing(fresh_database(tmp_path)) as database:
        with locked(address_of(database)):
            waiting = asyncio.create_task(database.write(take()))
            await asyncio.sleep(0)
        assert await waiting


async def test_everybody_who_waited_on_a_locked_database_hears_of_it(database: Database) -> None:
    with locked(address_of(database)):
        outcomes = await asyncio.gather(*(database.write(take()) for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 3
    assert stored(database) == 0


def test_a_write_on_the_calling_thread_gives_up_in_the_same_way(database: Database) -> None:
    with locked(address_of(database)), pytest.raises(DatabaseUnavailable), database.transaction():
        pytest.fail("the transaction began although another one is open")


async def test_reading_goes_on_while_another_process_writes(database: Database) -> None:
    with locked(address_of(database)):
        assert await database.read(alerts.count_undecided) == 0


@pytest.mark.sqlite("the kernel lets its file not grow")
async def test_a_commit_that_fails_on_a_full_disk_leaves_doubt_and_no_row(database: Database) -> None:
    await database.write(take())
    with full_disk(database), pytest.raises(CommitInDoubt):
        await database.write(take("x" * 10_000))
    assert stored(database) == 1
    await database.write(take())
    assert stored(database) == 2


@pytest.mark.sqlite("the kernel lets its file not grow")
async def test_everybody_in_a_failed_commit_hears_of_it(database: Database) -> None:
    await database.write(take())
    with full_disk(database):
        alone = database.write(lambda _: None)  # the first of several does not wait for the others
        large = (database.write(take("x" * 10_000)) for _ in range(3))
        _, *outcomes = await asyncio.gather(alone, *large, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [CommitInDoubt] * 3
    assert stored(database) == 1


async def test_a_commit_that_breaks_a_reference_leaves_doubt_and_no_row(database: Database) -> None:
    def orphan(connection: Connection) -> None:
        an_alert(connection)
        break_the_commit(connection)

    with pytest.raises(CommitInDoubt, match=r"(?i)foreign key"):
        await database.write(orphan)
    assert stored(database) == 0
    assert await database.write(take())


def test_doubt_is_also_an_unavailable_database_for_those_who_treat_both_alike() -> None:
    assert issubclass(CommitInDoubt, DatabaseUnavailable)
    assert issubclass(DatabaseUnavailable, Unavailable)


@pytest.mark.sqlite("the kernel lets its file not grow")
async def test_a_full_file_refuses_the_row_and_takes_smaller_ones_later(database: Database) -> None:
    def no_growth(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA max_page_count=1")  # SQLite takes it as: not larger than now

    event.listen(database.engine, "connect", no_growth)
    with pytest.raises(DatabaseUnavailable, match="full"):
        await database.write(take("x" * 100_000))
    assert stored(database) == 0
    assert await database.write(take())


@pytest.mark.sqlite("the kernel lets its file not grow")
async def test_a_full_file_undoes_the_whole_commit_and_everybody_in_it_is_told(database: Database) -> None:
    def no_growth(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA max_page_count=1")

    event.listen(database.engine, "connect", no_growth)
    outcomes = await asyncio.gather(
        *(database.write(take(body)) for body in ("{}", "x" * 100_000, "{}")), return_exceptions=True
    )
    kept = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert isinstance(outcomes[1], DatabaseUnavailable)
    assert stored(database) == len(kept)


async def test_an_exception_leaves_a_transaction_without_a_trace(database: Database) -> None:
    with pytest.raises(LookupError), database.transaction() as connection:
        orders.get(connection, an_alert(connection).id)
    assert stored(database) == 0


@pytest.mark.sqlite("where it has no write-ahead log")
async def test_a_commit_kept_back_by_a_reader_leaves_doubt_and_no_lock_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where SQLite is too old for a write-ahead log, readers keep a commit back, and it stays open when it fails."""
    monkeypatch.setattr(sqlite_driver(), "sqlite_version_info", (3, 40, 1))
    with closing(fresh_database(tmp_path, busy_timeout=PATIENCE)) as database:
        with database.snapshot() as reading:
            assert alerts.count_undecided(reading) == 0
            with pytest.raises(CommitInDoubt, match="locked"):
                await database.write(take())
        assert stored(database) == 0
        assert await database.write(take())
