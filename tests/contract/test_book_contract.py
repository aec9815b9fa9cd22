"""The order book of the day."""

from dataclasses import replace

from core.broker.port import Broker, BrokerState
from core.domain.alert import AmoTime
from tests.contract.test_broker_contract import EVENING, RESTING, WISH, placed
from tests.integration.paper_dhan import PaperDhan


async def test_the_book_holds_all_orders_of_the_day_ours_or_not(broker: Broker, dhan: PaperDhan) -> None:
    theirs = dhan.placed(correlationId=None)
    mine = await placed(broker, RESTING)
    dhan.clock.pass_time(seconds=1)
    states = {order.order_id: order.state for order in await broker.book()}
    assert states == {theirs: BrokerState.FILLED, mine: BrokerState.WORKING}


async def test_the_book_leaves_out_what_still_says_what_is_known_of_it(broker: Broker, dhan: PaperDhan) -> None:
    filled, resting = await placed(broker, WISH), await placed(broker, RESTING)
    dhan.clock.pass_time(seconds=1)
    said = {order.order_id: order.said for order in await broker.book()}
    assert await broker.book(said) == []
    assert [order.order_id for order in await broker.book({filled: said[filled]})] == [resting]
    assert [order.order_id for order in await broker.book(said | {filled: (BrokerState.FILLED, 9)})] == [filled]
    assert [order.order_id for order in await broker.book(said | {filled: (BrokerState.CANCELLED, 10)})] == [filled]


async def test_an_empty_book_is_an_answer(broker: Broker) -> None:
    assert await broker.book() == []


async def test_an_after_market_order_is_in_the_book_of_the_evening(broker: Broker, dhan: PaperDhan) -> None:
    dhan.clock.instant = EVENING
    await placed(broker, replace(WISH, amo_time=AmoTime.OPEN_30))
    dhan.clock.pass_time(seconds=1)
    [order] = await broker.book()
    assert (order.is_amo, order.state, order.filled_quantity) == (True, BrokerState.WORKING, 0)
