"""Orders that Dhan acknowledged and that get no further: told once, and in doubt when it has them nowhere."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from core.broker.port import BrokerState
from core.clock import Moment, SystemClock
from core.db.tables import attempts
from core.domain.alert import OrderType, Product
from core.domain.attempt import AttemptState
from core.domain.change import ChangeState
from core.domain.notice import Notice
from core.domain.order import Mode, Order, OrderState
from core.engine.adopt import adopt
from core.engine.reconcile import Reconciler
from core.engine.resolve import Resolver
from core.engine.unseen import LOOKED_UP_AT_ONCE
from core.errors import BrokerUnavailable
from tests.integration.paper_dhan import india
from tests.patience import PATIENCE
from tests.unit.engine.changing import FAR, ask_cancel, states, told
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import an_attempt, last_words, report

EVENING = india("2026-11-25 19:00")
NOWHERE = "52260000000000"
TAKEN = {"orderId": NOWHERE, "orderStatus": "TRANSIT"}
AFTER_MARKET: dict[str, Any] = {
    "as_amo": True,
    "mode": Mode.AMO,
    "product": Product.DELIVERY,
    "reaches_exchange_at": india("2026-11-26 09:45"),
    "expires_at": india("2026-11-26 08:59"),
}


async def stuck(floor: Floor, **values: Any) -> Order:
    """An order that never leaves TRANSIT."""
    floor.dhan.script("place", "stuck")
    return await floor.sent(**values)


async def lost(floor: Floor, **values: Any) -> Order:
    """An order that Dhan gave a number, and has nowhere."""
    floor.dhan.script("place", "status", status=200, body=TAKEN)
    return await floor.sent(**values)


async def follow_after(floor: Floor, **time: float) -> None:
    """The book, and the look-ups of what it lacks."""
    floor.clock.pass_time(**time)
    await follow_book(floor)


async def follow_book(floor: Floor) -> None:
    resolver = floor.resolver()
    resolver.book_lacks(await floor.follow_book())
    await resolver.look_up_due()


def words(floor: Floor) -> str:
    with floor.database.snapshot() as connection:
        return last_words(connection)


@pytest.fixture
def evening(floor: Floor) -> None:
    floor.clock.instant = EVENING


@pytest.mark.fault("BR-21")
async def test_an_order_in_transit_for_half_a_minute_rings_once_and_stays_at_dhan(floor: Floor) -> None:
    order = await stuck(floor)
    await follow_after(floor, seconds=29)
    assert told(floor) == []
    for _ in range(3):
        await follow_after(floor, seconds=2)
    assert (floor.now(order).state, told(floor)) == (OrderState.WORKING, [Notice.UNSEEN])
    assert f"order {order.broker_order_id} and says TRANSIT" in words(floor)
    assert floor.now(order).reason == words(floor)


@pytest.mark.fault("BR-21")
async def test_an_order_that_dhan_took_and_has_nowhere_is_in_doubt_and_asked_about_in_the_end(floor: Floor) -> None:
    order = await lost(floor)
    await follow_after(floor, seconds=29)
    assert floor.now(order).state is OrderState.WORKING
    await follow_after(floor, seconds=2)
    doubtful = floor.now(order)
    assert (doubtful.state, doubtful.broker_order_id) == (OrderState.UNKNOWN, None)
    assert (told(floor), NOWHERE in doubtful.reason) == ([Notice.UNKNOWN], True)
    await prove_absent(floor, order)
    assert floor.now(order).state is OrderState.NEEDS_OPERATOR
    assert told(floor) == [Notice.UNKNOWN, Notice.NEEDS_OPERATOR]
    assert floor.dhan.ledger()["placements"] == 1


@pytest.mark.sqlite("the bug is a trigger in its words")
async def test_what_a_look_up_says_and_cannot_be_written_down_is_told_as_unknown_once(floor: Floor) -> None:
    order = await lost(floor)
    with floor.database.transaction() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER a_bug BEFORE UPDATE ON orders WHEN NEW.state = 'unknown' "
                "BEGIN SELECT RAISE(ABORT, 'a bug of ours'); END"
            )
        )
    for _ in range(2):
        await follow_after(floor, seconds=31)
    assert (floor.now(order).state, told(floor)) == (OrderState.WORKING, [Notice.UNSEEN])
    assert "Whether it is at the exchange is not known" in words(floor)


async def prove_absent(floor: Floor, order: Order) -> None:
    """Three look-ups of one that was sent two minutes ago."""
    for _ in range(3):
        now = SystemClock().now()
        due = {"claimed_at": now - timedelta(minutes=2), "next_lookup_at": now}
        with floor.database.transaction() as connection:
            connection.execute(attempts.update().where(attempts.c.order_id == order.id).values(due))
        await floor.look_up()


async def test_an_order_that_the_book_lacks_and_a_look_up_finds_is_followed(floor: Floor) -> None:
    order = await floor.sent(order_type=OrderType.LIMIT, price=FAR)
    floor.dhan.script("book", "status", status=200, body=[])
    await follow_after(floor, seconds=31)
    found = floor.now(order)
    assert (found.state, found.confirmed, told(floor)) == (OrderState.WORKING, True, [])


async def test_one_that_turns_up_in_the_book_after_all_is_found(floor: Floor) -> None:
    order = await floor.sent(order_type=OrderType.LIMIT, price=FAR)
    floor.dhan.script("book", "status", status=200, body=[])
    floor.dhan.script("lookup", "index_lag")
    await follow_after(floor, seconds=31)
    assert floor.now(order).state is OrderState.UNKNOWN
    await floor.follow_book()
    assert (floor.now(order).state, floor.now(order).broker_order_id) == (OrderState.WORKING, order.broker_order_id)
    assert told(floor) == [Notice.UNKNOWN, Notice.FOUND]


async def test_a_look_up_that_fails_proves_nothing_and_rings_once(floor: Floor) -> None:
    order = await lost(floor)
    floor.dhan.script("lookup", "status", status=503, times=9)
    for _ in range(3):
        await follow_after(floor, seconds=31)
    assert (floor.now(order).state, told(floor)) == (OrderState.WORKING, [Notice.UNSEEN])
    assert "its book does not show it" in words(floor)


async def test_a_book_that_cannot_be_read_proves_nothing(floor: Floor) -> None:
    order = await lost(floor)
    floor.dhan.script("book", "status", status=200, body={"status": "success"})
    with pytest.raises(BrokerUnavailable):
        await follow_after(floor, minutes=5)
    assert (floor.now(order).state, told(floor)) == (OrderState.WORKING, [])


async def test_what_is_at_the_exchange_is_not_missed_when_one_book_lacks_it(floor: Floor) -> None:
    order = await floor.sent(order_type=OrderType.LIMIT, price=FAR)
    await follow_after(floor, seconds=1)
    floor.dhan.script("book", "status", status=200, body=[])
    await follow_after(floor, minutes=5)
    assert (floor.now(order).state, told(floor)) == (OrderState.WORKING, [])


async def test_a_cancellation_of_an_order_that_dhan_has_nowhere_ends_with_the_doubt(floor: Floor) -> None:
    order = await lost(floor)
    ask_cancel(floor, order)
    await follow_after(floor, seconds=31)
    assert (floor.now(order).state, states(floor)) == (OrderState.UNKNOWN, [ChangeState.FAILED])
    assert "cancel it again" in words(floor)


@pytest.mark.usefixtures("evening")
async def test_an_after_market_order_may_be_in_transit_until_it_should_have_gone(floor: Floor) -> None:
    await floor.sign_in()
    await stuck(floor, **AFTER_MARKET)
    await follow_after(floor, minutes=5)
    assert told(floor) == []
    floor.clock.instant = india("2026-11-26 09:45")
    await floor.sign_in()
    await follow_after(floor, seconds=29)
    assert told(floor) == []
    await follow_after(floor, seconds=2)
    assert told(floor) == [Notice.UNSEEN]


@pytest.mark.usefixtures("evening")
async def test_an_after_market_order_that_its_own_evenings_book_lacks_is_in_doubt_that_evening(floor: Floor) -> None:
    await floor.sign_in()
    order = await lost(floor, **AFTER_MARKET)
    await follow_after(floor, seconds=31)
    assert floor.now(order).state is OrderState.UNKNOWN


@pytest.mark.usefixtures("evening")
async def test_a_book_of_the_night_need_not_have_the_evenings_after_market_order(floor: Floor) -> None:
    """Nobody knows whether Dhan's book keeps it until it goes; at the exchange it must be there."""
    await floor.sign_in()
    order = await lost(floor, **AFTER_MARKET)
    floor.clock.instant = india("2026-11-26 00:10")
    await floor.sign_in()
    await follow_book(floor)
    assert (floor.now(order).state, told(floor)) == (OrderState.WORKING, [])
    floor.clock.instant = india("2026-11-26 09:46")
    await floor.sign_in()
    await follow_book(floor)
    assert floor.now(order).state is OrderState.UNKNOWN


async def test_yesterdays_order_leaves_the_book_without_a_word(floor: Floor) -> None:
    order = await stuck(floor)
    floor.clock.instant = india("2026-11-26 00:10")
    await floor.sign_in()
    await floor.follow_book()
    assert (floor.now(order).state, told(floor)) == (OrderState.WORKING, [])


async def test_many_that_a_book_lacks_are_looked_up_a_few_at_a_time(floor: Floor) -> None:
    many = [a_lost_one(floor, number) for number in range(3 * LOOKED_UP_AT_ONCE)]
    for read in range(1, 4):
        await follow_after(floor, seconds=31)
        doubtful = [order for order in many if floor.now(order).state is OrderState.UNKNOWN]
        assert len(doubtful) == read * LOOKED_UP_AT_ONCE


class Late:
    """A broker whose look-up takes until `answers`, and then finds nothing."""

    def __init__(self) -> None:
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def find(self, correlation_id: str) -> None:  # noqa: ARG002 - whichever it is
        self.asked.set()
        await self.answers.wait()


async def asked(floor: Floor, broker: Late) -> tuple[Resolver, asyncio.Task[None]]:
    """With a look-up of what the book lacks under way."""
    resolver = floor.resolver(broker=broker)
    resolver.book_lacks(await floor.follow_book())
    looking = asyncio.create_task(resolver.look_up_due())
    await asyncio.wait_for(broker.asked.wait(), PATIENCE)
    return resolver, looking


async def test_a_look_up_that_hangs_keeps_no_fill_waiting(floor: Floor) -> None:
    a_lost_one(floor, 1)
    floor.clock.pass_time(seconds=31)
    _, hanging = await asked(floor, Late())
    order = await floor.sent()
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    assert (floor.now(order).state, hanging.done()) == (OrderState.FILLED, False)
    hanging.cancel()


async def test_one_that_a_book_shows_while_it_is_looked_up_is_not_in_doubt(floor: Floor) -> None:
    order = await stuck(floor)
    await follow_after(floor, seconds=31)
    floor.clock.pass_time(seconds=31)
    floor.dhan.script("book", "status", status=200, body=[])
    broker = Late()
    resolver, looking = await asked(floor, broker)
    resolver.book_lacks(await floor.follow_book())
    broker.answers.set()
    await looking
    assert (floor.now(order).state, told(floor)) == (OrderState.WORKING, [Notice.UNSEEN])


async def test_the_same_order_is_looked_up_twice_only_half_a_minute_apart(floor: Floor) -> None:
    a_lost_one(floor, 1)
    floor.dhan.script("lookup", "status", status=503)
    floor.clock.pass_time(seconds=31)
    resolver = floor.resolver()
    for _ in range(2):
        resolver.book_lacks(await floor.follow_book())
        await resolver.look_up_due()
    assert told(floor) == [Notice.UNSEEN]


async def test_one_of_which_a_restored_backup_does_not_know_the_try_rings_and_stays(floor: Floor) -> None:
    """It was found under a name that no attempt here has, still in transit, and the book lost it again."""
    order = floor.order(state=OrderState.UNKNOWN)
    with floor.database.transaction() as connection:
        an_attempt(connection, order, AttemptState.UNKNOWN, name="MUAAAAAAAAAAAAAAAAAB")
        found = report(order, BrokerState.RECEIVED, correlation_id="MUAAAAAAAAAAAAAAAAAC")
        adopt(connection, order, found, Moment(now=floor.clock.now(), wall=SystemClock().now()))
    for _ in range(2):
        await follow_after(floor, seconds=31)
    assert (floor.now(order).state, told(floor)) == (OrderState.WORKING, [Notice.FOUND, Notice.UNSEEN])
    assert "look for it in Dhan's app" in words(floor)


def a_lost_one(floor: Floor, number: int) -> Order:
    order = floor.order(state=OrderState.WORKING, broker_order_id=f"{NOWHERE}{number}")
    with floor.database.transaction() as connection:
        an_attempt(connection, order, AttemptState.ACCEPTED, name=f"MU{number}")
    return order


async def test_an_order_that_the_book_lacks_is_lacking_in_the_next_book_too(floor: Floor) -> None:
    floor.dhan.script("place", "status", status=200, body={"orderId": "52260000000000", "orderStatus": "TRANSIT"})
    order = await floor.sent()
    floor.clock.pass_time(seconds=31)
    reconciler = Reconciler(database=floor.database, broker=floor.broker, clock=floor.clock)
    lacking = [[late.id for late in await reconciler.follow_book()] for _ in range(3)]
    assert lacking == [[order.id]] * 3
