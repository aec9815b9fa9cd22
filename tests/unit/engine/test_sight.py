"""A desk that cannot read Dhan says so, once, when something hangs on it."""

from datetime import timedelta

import pytest

from core import controls, journal
from core.broker.port import BrokerState, IncompleteBook
from core.controls import Hold
from core.db.engine import Database
from core.domain.notice import Notice
from core.domain.order import OrderState
from core.engine.sight import BLIND_AFTER, Sight
from tests.builders import NOON, FrozenClock, an_order
from tests.unit.engine.rows import WALL, last_words, report, rings


def told(database: Database) -> list[Notice]:
    with database.snapshot() as connection:
        return rings(connection)


@pytest.fixture
def sight(database: Database) -> Sight:
    return Sight(database, FrozenClock())


async def lost_for(sight: Sight, *seconds: float) -> None:
    for after in seconds:
        await sight.lost("Dhan answered 503", WALL + timedelta(seconds=after))


@pytest.mark.parametrize("state", [OrderState.WORKING, OrderState.PART_FILLED, OrderState.UNKNOWN])
async def test_with_an_order_at_dhan_a_minute_of_blindness_rings_once(
    database: Database, sight: Sight, state: OrderState
) -> None:
    with database.transaction() as connection:
        an_order(connection, state=state)
    await lost_for(sight, 0, 30, BLIND_AFTER.total_seconds() - 0.001)
    assert told(database) == []
    await lost_for(sight, 60, 61, 600)
    assert told(database) == [Notice.BLIND]


async def test_while_the_desk_waits_to_start_it_rings_too(database: Database, sight: Sight) -> None:
    with database.transaction() as connection:
        controls.set_hold(connection, Hold.STARTING, "Just started.", at=NOON, actor=journal.DESK)
    await lost_for(sight, 0, 60)
    assert told(database) == [Notice.BLIND]


HIDES = IncompleteBook([], ["MUABCDEFGHIJKLMNOPQR"])


async def test_what_the_desk_does_not_see_of_a_book_rings_after_a_minute_too(database: Database, sight: Sight) -> None:
    with database.transaction() as connection:
        order = an_order(connection, state=OrderState.WORKING)
    book = IncompleteBook([report(order, BrokerState.WORKING)], ["1106500417-1764000000000"])
    for seconds in (0, 59, 60, 600):
        assert await sight.lost_in_part(book, WALL + timedelta(seconds=seconds)) is True
    assert told(database) == [Notice.BLIND]
    with database.snapshot() as connection:
        assert "The others are followed" in last_words(connection)


async def test_a_desk_that_starts_says_at_once_that_the_book_keeps_it_from_opening(
    database: Database, sight: Sight
) -> None:
    with database.transaction() as connection:
        controls.set_hold(connection, Hold.STARTING, "Just started.", at=NOON, actor=journal.DESK)
    assert await sight.lost_in_part(HIDES, WALL) is False
    with database.snapshot() as connection:
        assert "may be an order of this desk" in controls.holds(connection)[Hold.STARTING]
    assert await sight.lost_in_part(HIDES, WALL + BLIND_AFTER) is False
    with database.snapshot() as connection:
        assert "may be an order of this desk" in last_words(connection)
    assert told(database) == [Notice.BLIND]


async def test_a_desk_at_work_is_not_held_by_an_incomplete_book(database: Database, sight: Sight) -> None:
    await sight.lost_in_part(HIDES, WALL)
    with database.snapshot() as connection:
        assert controls.holds(connection) == {}


async def test_when_nothing_hangs_on_it_nothing_rings_until_something_does(database: Database, sight: Sight) -> None:
    await lost_for(sight, 0, 60, 3600)
    assert told(database) == []
    with database.transaction() as connection:
        an_order(connection, state=OrderState.WORKING)
    await lost_for(sight, 3601)
    assert told(database) == [Notice.BLIND]


async def test_every_blindness_is_counted_from_its_own_start(database: Database, sight: Sight) -> None:
    with database.transaction() as connection:
        an_order(connection, state=OrderState.WORKING)
    await lost_for(sight, 0, 59)
    sight.regained()
    await lost_for(sight, 60, 119)
    assert told(database) == []
    await lost_for(sight, 120)
    sight.regained()
    await lost_for(sight, 200, 260)
    assert told(database) == [Notice.BLIND, Notice.BLIND]
