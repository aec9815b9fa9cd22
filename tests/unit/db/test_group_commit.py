"""Writes that pile up are committed together, and each caller learns what became of its own."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from core.db.engine import Database
from core.db.trouble import DatabaseUnavailable
from core.db.writer import MOST_PER_COMMIT


class Pile:
    """Hands writes in at the same moment, and counts what they cost."""

    def __init__(self, database: Database) -> None:
        self.commits = 0
        event.listen(database.engine, "commit", self._count)

    def _count(self, _connection: Connection) -> None:
        self.commits += 1

    async def settle(self, *writes: Any) -> list[Any]:
        """The outcomes of the writes."""
        self.commits = 0
        return await asyncio.gather(*writes, return_exceptions=True)


@pytest.fixture
def database(database: Database) -> Database:
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE heap (word TEXT UNIQUE)"))
    return database


@pytest.fixture
def pile(database: Database) -> Pile:
    return Pile(database)


def put(word: str) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        connection.execute(text("INSERT INTO heap VALUES (:word)"), {"word": word})
        return word

    return work


def put_then_fail(word: str) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        put(word)(connection)
        raise ValueError(word)

    return work


def put_all(connection: Connection, words: Sequence[str]) -> list[str]:
    return [put(word)(connection) for word in words]


def put_all_then_fail(connection: Connection, words: Sequence[str]) -> list[str]:
    put_all(connection, words)
    raise ValueError("the whole group")


def stored(database: Database) -> list[str]:
    with database.snapshot() as connection:
        return list(connection.execute(text("SELECT word FROM heap ORDER BY word")).scalars())


async def test_two_hundred_waiting_writes_cost_one_commit(database: Database, pile: Pile) -> None:
    words = [f"{number:03}" for number in range(200)]
    outcomes = await pile.settle(*(database.write(put(word)) for word in words))
    assert outcomes == words
    assert pile.commits == 1
    assert stored(database) == words


async def test_more_than_fit_into_one_commit_spill_into_the_next(database: Database, pile: Pile) -> None:
    words = [f"{number:04}" for number in range(MOST_PER_COMMIT + 1)]
    outcomes = await pile.settle(*(database.write(put(word)) for word in words))
    assert outcomes == words
    assert pile.commits == 2


async def test_a_failing_write_undoes_itself_alone(database: Database, pile: Pile) -> None:
    outcomes = await pile.settle(
        database.write(put("before")), database.write(put_then_fail("broken")), database.write(put("after"))
    )
    assert [outcomes[0], outcomes[2]] == ["before", "after"]
    assert isinstance(outcomes[1], ValueError)
    assert pile.commits == 1
    assert stored(database) == ["after", "before"]


async def test_a_failing_write_alone_in_its_commit_stores_nothing(database: Database) -> None:
    with pytest.raises(ValueError, match="broken"):
        await database.write(put_then_fail("broken"))
    assert stored(database) == []
    assert await database.write(put("next")) == "next"


async def test_a_group_runs_once_for_all_its_items_and_each_gets_its_own_result(database: Database, pile: Pile) -> None:
    sizes: list[int] = []

    def count_and_put(connection: Connection, words: Sequence[str]) -> list[str]:
        sizes.append(len(words))
        return put_all(connection, words)

    outcomes = await pile.settle(*(database.write_grouped(count_and_put, word) for word in "abc"))
    assert outcomes == ["a", "b", "c"]
    assert sizes == [3]
    assert pile.commits == 1


async def test_a_failing_group_fails_each_of_its_callers_and_stores_nothing(database: Database, pile: Pile) -> None:
    outcomes = await pile.settle(*(database.write_grouped(put_all_then_fail, word) for word in "abc"))
    assert [str(outcome) for outcome in outcomes] == ["the whole group"] * 3
    assert stored(database) == []


async def test_a_failing_group_leaves_its_neighbours_in_the_same_commit_alone(database: Database, pile: Pile) -> None:
    outcomes = await pile.settle(
        database.write(put("before")),
        database.write_grouped(put_all_then_fail, "broken"),
        database.write_grouped(put_all_then_fail, "too"),
        database.write(put("after")),
    )
    assert [outcomes[0], outcomes[3]] == ["before", "after"]
    assert [type(outcome) for outcome in outcomes[1:3]] == [ValueError, ValueError]
    assert stored(database) == ["after", "before"]


async def test_a_group_that_forgets_a_result_fails_instead_of_answering_the_wrong_caller(
    database: Database, pile: Pile
) -> None:
    def forget_one(connection: Connection, words: Sequence[str]) -> list[str]:
        return put_all(connection, words)[1:]

    outcomes = await pile.settle(*(database.write_grouped(forget_one, word) for word in "abc"))
    assert all(isinstance(outcome, ValueError) for outcome in outcomes)
    assert stored(database) == []


async def test_a_caller_that_gave_up_spoils_nothing_for_the_others(database: Database, pile: Pile) -> None:
    async def give_up() -> None:
        write = asyncio.create_task(database.write(put("abandoned")))
        await asyncio.sleep(0)
        write.cancel()

    outcomes = await pile.settle(database.write(put("kept")), give_up())
    assert outcomes == ["kept", None]
    assert "kept" in stored(database)


async def test_a_write_that_waits_while_the_database_is_closed_is_told_that_it_was_not_done(database: Database) -> None:
    waiting = asyncio.create_task(database.write(put("too late")))
    await asyncio.sleep(0)
    database.close()
    with pytest.raises(DatabaseUnavailable, match="closed"):
        await waiting
    assert stored(database) == []


async def test_a_commit_under_way_while_the_database_is_closed_ends_well(database: Database) -> None:
    begun = asyncio.Event()

    def put_and_tell(connection: Connection) -> str:
        begun.set()
        return put("in time")(connection)

    under_way = asyncio.create_task(database.write(put_and_tell))
    await begun.wait()
    database.close()
    assert await under_way == "in time"
    assert stored(database) == ["in time"]


async def test_a_closed_database_takes_no_more_writes(database: Database) -> None:
    await database.write(put("before"))
    database.close()
    with pytest.raises(DatabaseUnavailable, match="closed"):
        await database.write(put("after"))


async def test_a_commit_whose_loop_ends_meanwhile_spoils_nothing_for_the_next(database: Database) -> None:
    begun = asyncio.Event()

    def put_and_tell(connection: Connection) -> str:
        begun.set()
        return put("abandoned")(connection)

    abandoned = asyncio.create_task(database.write(put_and_tell))
    await begun.wait()
    others = asyncio.all_tasks() - {asyncio.current_task(), abandoned}
    for task in others:
        task.cancel()
    await asyncio.wait(others)
    abandoned.cancel()
    assert await database.write(put("next")) == "next"
    assert stored(database) == ["abandoned", "next"]


async def test_a_read_sees_one_moment_although_writes_go_on(database: Database) -> None:
    with database.snapshot() as connection:
        count = text("SELECT count(*) FROM heap")
        assert connection.execute(count).scalar_one() == 0
        await database.write(put("meanwhile"))
        assert connection.execute(count).scalar_one() == 0
    assert stored(database) == ["meanwhile"]


async def test_each_read_sees_one_moment_of_its_own_although_the_one_before_failed(database: Database) -> None:
    def count(connection: Connection) -> int:
        return connection.execute(text("SELECT count(*) FROM heap")).scalar_one()

    def count_around_a_write(connection: Connection) -> tuple[int, int]:
        before = count(connection)
        with database.transaction() as other:
            put(f"behind {before}")(other)
        return before, count(connection)

    def fail_half_way(connection: Connection) -> None:
        count_around_a_write(connection)
        raise LookupError("a bug of the reader")

    assert await database.read(count_around_a_write) == (0, 0)
    assert await database.read(count_around_a_write) == (1, 1)
    with pytest.raises(LookupError):
        await database.read(fail_half_way)
    assert await database.read(count) == 3


@pytest.mark.sqlite("its readers are threads, which end")
async def test_a_read_that_comes_after_the_database_was_closed_still_answers(database: Database) -> None:
    async def count() -> int:
        return await database.read(
            lambda connection: connection.execute(text("SELECT count(*) FROM heap")).scalar_one()
        )

    await database.write(put("before"))
    assert await count() == 1
    database.close()
    assert await count() == 1
