"""Whoever writes alone to a quick disk is served on the spot, by the same rules as everybody."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from math import inf
from pathlib import Path

import pytest
from sqlalchemy import Connection

from core.db import alerts, bulk
from core.db.engine import Database
from core.db.trouble import CommitInDoubt, DatabaseUnavailable
from tests.builders import address_of, an_alert, break_the_commit, fresh_database, locked

pytestmark = pytest.mark.sqlite("a server is always waited for beside the loop")


class Stumble(Exception):
    """A bug in the work."""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    """One whose disk counts as quick, with its connection open."""
    database = fresh_database(tmp_path, busy_timeout=0.1, quick=inf)
    await database.write(lambda _: None)
    await next_turn()
    yield database
    database.close()


async def next_turn() -> None:
    await asyncio.sleep(0)


def on_the_spot(database: Database, work: Callable[[Connection], int]) -> int:
    """The outcome of a write that ends without once letting the loop go on."""
    writing = database.write(work)
    try:
        writing.send(None)
    except StopIteration as done:
        return done.value
    writing.close()
    pytest.fail("it waited")


def take(connection: Connection) -> int:
    return an_alert(connection).id


def stored(database: Database) -> int:
    with database.snapshot() as connection:
        return len(alerts.recent(connection, 1000))


async def test_it_is_committed_before_the_loop_goes_on(database: Database) -> None:
    on_the_spot(database, take)
    assert stored(database) == 1


async def test_what_goes_past_the_toolkit_is_committed_as_well(database: Database) -> None:
    on_the_spot(database, take)
    await next_turn()
    on_the_spot(database, lambda connection: len(bulk.run(connection, "UPDATE alerts SET body = 'changed'")))
    with database.snapshot() as connection:
        assert [alert.body for alert in alerts.recent(connection, 9)] == ["changed"]


async def test_the_second_of_one_turn_lets_the_loop_go_on(database: Database) -> None:
    turns: list[str] = []
    asyncio.get_running_loop().call_soon(turns.append, "another's")
    await database.write(take)
    assert turns == []
    await database.write(take)
    assert turns == ["another's"]
    assert stored(database) == 2


async def test_work_that_fails_is_undone_and_raises_its_own_words(database: Database) -> None:
    def stumble(connection: Connection) -> int:
        take(connection)
        raise Stumble

    with pytest.raises(Stumble):
        on_the_spot(database, stumble)
    assert stored(database) == 0
    assert await database.write(take)
    assert stored(database) == 1


async def test_a_commit_that_fails_is_a_doubt_and_leaves_no_row(database: Database) -> None:
    def orphan(connection: Connection) -> int:
        taken = take(connection)
        break_the_commit(connection)
        return taken

    with pytest.raises(CommitInDoubt):
        on_the_spot(database, orphan)
    assert stored(database) == 0
    assert await database.write(take)


async def test_what_is_to_follow_the_commit_follows_it_and_does_not_where_it_failed(database: Database) -> None:
    seen: list[int] = []

    def note(connection: Connection) -> int:
        database.after_commit(lambda: seen.append(stored(database)))
        return take(connection)

    def note_and_stumble(connection: Connection) -> int:
        note(connection)
        raise Stumble

    on_the_spot(database, note)
    await next_turn()
    on_the_spot(database, note)
    await next_turn()
    with pytest.raises(Stumble):
        on_the_spot(database, note_and_stumble)
    assert seen == [1, 2]


async def test_another_process_is_waited_for_beside_the_loop_and_given_up_in_time(database: Database) -> None:
    with locked(address_of(database)):
        writing = asyncio.ensure_future(database.write(take))
        await next_turn()
        assert not writing.done()
        with pytest.raises(DatabaseUnavailable, match="locked"):
            await writing
    assert await database.write(take)


async def test_nobody_is_served_past_those_who_wait(database: Database) -> None:
    with locked(address_of(database)):
        first = asyncio.ensure_future(database.write(take))
        await next_turn()
    second = asyncio.ensure_future(database.write(take))
    assert await first < await second


async def test_a_closed_database_takes_nothing(database: Database) -> None:
    database.close()
    with pytest.raises(DatabaseUnavailable, match="closed"):
        on_the_spot(database, take)
