"""Where two processes write without a pause, each has its turn."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from core.clock import monotonic
from core.db.engine import Database
from core.db.turnstile import Turnstile
from tests.builders import address_of, an_alert, fresh_database, locked, until

pytestmark = pytest.mark.sqlite("a server has a line of its own")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    with closing(fresh_database(tmp_path, busy_timeout=0.2)) as database:
        yield database


def beside(database: Database) -> Turnstile:
    return Turnstile(Path(f"{database.engine.url.database}-turn"))


def take(connection: Connection) -> int:
    return an_alert(connection).id


async def test_whoever_waits_for_the_file_is_next(database: Database) -> None:
    """The other one would write again at once; it finds the turnstile taken until the first has begun."""
    with closing(Database(address_of(database), busy_timeout=5)) as other:
        with locked(address_of(database)):
            waiting = asyncio.create_task(other.write(take))
            await until(lambda: not is_free(database))
        again = asyncio.create_task(database.write(take))
        first, _ = await asyncio.wait([waiting, again], return_when=asyncio.FIRST_COMPLETED)
        assert waiting in first
        assert await waiting < await again


def is_free(database: Database) -> bool:
    with closing(beside(database)) as another:
        return another.enter()


async def test_the_turn_is_free_again_once_a_write_has_begun(database: Database) -> None:
    with closing(beside(database)) as turnstile:
        entered: list[bool] = []
        await database.write(lambda _: entered.append(turnstile.enter()))
        assert entered == [True]


async def test_a_write_that_gave_up_leaves_the_turn(database: Database) -> None:
    with locked(address_of(database)):
        [outcome] = await asyncio.gather(database.write(take), return_exceptions=True)
    assert isinstance(outcome, Exception)
    with closing(beside(database)) as turnstile:
        assert turnstile.enter()


async def test_a_process_that_was_stopped_in_the_turnstile_keeps_nobody_out(database: Database) -> None:
    with closing(beside(database)) as turnstile:
        assert turnstile.enter()
        began = monotonic()
        assert await database.write(take)
        assert monotonic() - began > 0.1
        assert not is_free(database)


async def test_the_turn_is_free_when_its_holder_has_gone(database: Database) -> None:
    holder = beside(database)
    assert holder.enter()
    holder.close()
    assert is_free(database)
