"""A server that is locked, gone or starting again: said in time, nothing half stored, and taken up again by itself."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from sqlalchemy import Connection, text

from core.db import alerts
from core.db.engine import Database
from core.db.postgresql import WRITE_LOCK
from core.db.trouble import CommitInDoubt, DatabaseUnavailable
from tests import postgres_server as postgres
from tests.builders import NOON, an_alert, locked
from tests.postgresql.severing import Severing


def take(body: str = "{}") -> Callable[[Connection], int]:
    return lambda connection: an_alert(connection, body=body).id


def stored(database: Database) -> int:
    with database.snapshot() as connection:
        return len(alerts.recent(connection, 1000))


def end_all_others(connection: Connection) -> None:
    """As a server does that is shut down, or a middleman that finds a connection idle for too long."""
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
    )
    connection.execute(text(query + " AND datname = current_database()"))


@pytest.fixture
def other(address: str) -> Iterator[Database]:
    """Another process's."""
    with closing(Database(address)) as other:
        yield other


@pytest.fixture
def severing(address: str) -> Iterator[Severing]:
    with Severing.between(address) as severing:
        yield severing


async def test_a_write_whose_turn_does_not_come_in_time_is_told_that_it_was_not_done(
    database: Database, address: str
) -> None:
    with locked(address), pytest.raises(DatabaseUnavailable, match="locked"):
        await database.write(take())
    assert stored(database) == 0
    assert await database.write(take())


async def test_the_event_loop_goes_on_while_a_write_waits_for_its_turn(database: Database, address: str) -> None:
    with locked(address):
        waiting = asyncio.create_task(database.write(take()))
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert not waiting.done()
    assert await waiting


async def test_reading_goes_on_while_another_process_writes(database: Database, address: str) -> None:
    with locked(address):
        assert await database.read(alerts.count_undecided) == 0


async def test_what_a_write_reads_is_what_all_before_it_have_committed(database: Database, other: Database) -> None:
    """Each adds one to what it read: without one line for all, some would be lost."""

    def add_one(connection: Connection) -> None:
        version = alerts.some(connection, [alert])[0].card_version
        connection.execute(text("UPDATE alerts SET card_version = :next"), {"next": version + 1})

    alert = await database.write(take())
    await asyncio.gather(*(each.write(add_one) for _ in range(25) for each in (database, other)))
    with database.snapshot() as connection:
        assert alerts.some(connection, [alert])[0].card_version == 51


async def test_a_connection_that_died_while_it_was_idle_costs_nobody_a_write(
    database: Database, other: Database
) -> None:
    assert await database.write(take())
    assert await database.read(alerts.count_undecided) == 1
    with other.transaction() as connection:
        end_all_others(connection)
    assert await database.write(take())
    assert await database.read(alerts.count_undecided) == 2


async def test_a_connection_that_dies_in_the_middle_stores_nothing_and_everybody_is_told(
    database: Database, other: Database
) -> None:
    def die(connection: Connection) -> None:
        with closing(other.engine.raw_connection()) as raw:
            mine = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            raw.cursor().execute("SELECT pg_terminate_backend(%s)", (mine,))
        an_alert(connection)

    outcomes = await asyncio.gather(
        database.write(take()), database.write(die), database.write(take()), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 3
    assert stored(other) == 0
    assert await database.write(take())


@pytest.mark.parametrize(("lost", "kept"), [("question", 0), ("answer", 1)])
async def test_a_commit_whose_answer_was_lost_leaves_doubt(
    severing: Severing, database: Database, lost: str, kept: int
) -> None:
    """The same to whoever wrote: only the rows can tell whether it stands."""
    with closing(Database(severing.address)) as far:
        assert await far.write(take())
        severing.cut_at_commit(lost)
        with pytest.raises(CommitInDoubt):
            await far.write(take())
        severing.mend()
        await until_unlocked(database)
        assert stored(database) == 1 + kept
        assert await far.write(take())


async def until_unlocked(database: Database) -> None:
    await database.write(lambda _: None)


async def test_a_transaction_in_which_a_statement_failed_is_not_taken_for_stored(database: Database) -> None:
    """The server answers its COMMIT as if all were well."""

    def overlook(connection: Connection) -> None:
        an_alert(connection)
        with pytest.raises(Exception, match="no_such_table"):
            connection.execute(text("SELECT * FROM no_such_table"))

    with pytest.raises(DatabaseUnavailable, match="nothing was stored"):
        await database.write(overlook)

    def overlook_here() -> None:
        with database.transaction() as connection:
            overlook(connection)

    with pytest.raises(DatabaseUnavailable, match="nothing was stored"):
        overlook_here()
    assert stored(database) == 0


def test_the_lock_ends_with_whoever_holds_it(database: Database, other: Database) -> None:
    holder = other.engine.raw_connection()
    holder.cursor().execute(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")
    raw = holder.driver_connection
    assert raw
    raw.close()
    holder.invalidate()
    with database.transaction() as connection:
        an_alert(connection)
    assert stored(database) == 1


async def test_the_character_that_postgresql_cannot_store_is_replaced(database: Database) -> None:
    number = await database.write(take('{"note": "\0"}'))
    with database.snapshot() as connection:
        assert alerts.some(connection, [number])[0].body == '{"note": "\ufffd"}'


async def test_a_server_that_crashes_is_waited_for_and_keeps_what_was_acknowledged(address: str) -> None:
    server = postgres.own_server()
    if "://" in postgres.CHOSEN:
        pytest.skip("the server is not ours to crash")
    with closing(Database(address, busy_timeout=1.0)) as database:
        assert await database.write(take())
        server.crash()
        with pytest.raises(DatabaseUnavailable):
            await database.write(take())
        with pytest.raises(DatabaseUnavailable):
            await database.read(alerts.count_undecided)
        server.start()
        assert await database.read(alerts.count_undecided) == 1
        assert await database.write(take())


def test_an_alert_that_waits_has_the_time_that_it_was_given_whatever_zone_the_server_is_in(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL timezone = 'Asia/Kolkata'"))
        assert an_alert(connection).received_at.isoformat() == NOON.isoformat()
