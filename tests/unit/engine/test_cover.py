"""Before shares are sold: are they there, and may they leave the depository? What nobody knows holds nothing up."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from core import edits
from core.broker.account import Position
from core.broker.dhan.account import DhanAccount
from core.clock import Moment, monotonic
from core.db import orders
from core.domain.alert import Exchange, OrderType, Product, Side
from core.domain.change import Terms
from core.domain.instrument import Segment
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine import cover, soundness
from tests.builders import an_order
from tests.integration.paper_dhan import india
from tests.patience import PATIENCE
from tests.unit.engine.changing import RELIANCE
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import rings

SALE: dict[str, Any] = {"side": Side.SELL, "product": Product.DELIVERY}
AT_BSE: dict[str, Any] = {"exchange": Exchange.BSE, "segment": Segment.BSE_EQ, "security_id": "500325"}
ASKED, SENT = OrderState.AWAITING_APPROVAL, OrderState.WORKING


async def holding(floor: Floor) -> None:
    """Ten shares, bought yesterday."""
    floor.dhan.placed(productType="CNC")
    floor.clock.pass_time(seconds=1)
    floor.dhan.book()
    floor.clock.instant = india("2026-11-26 12:00")
    floor.clock.pass_time(minutes=5)
    assert await floor.sign_in()


def approve(floor: Floor, order: Order) -> None:
    with floor.database.transaction() as connection:
        now = floor.clock.now()
        orders.move(connection, order, OrderState.QUEUED, at=now, actor="operator 42", reason="", approved_at=now)


async def test_more_than_the_account_holds_is_not_sent_and_says_so(floor: Floor) -> None:
    await holding(floor)
    order = await floor.sent(**SALE, quantity=11)
    assert order.state is ASKED
    assert order.reason.startswith("The account has only 10 of RELIANCE to sell, so Dhan would refuse 11.")
    assert floor.dhan.ledger()["placements"] == 1, "the purchase of yesterday"


async def test_what_the_account_holds_is_sold_without_a_word(floor: Floor) -> None:
    await holding(floor)
    assert (await floor.sent(**SALE, quantity=10)).state is SENT


async def test_what_was_bought_today_can_be_sold_today(floor: Floor) -> None:
    floor.dhan.placed(productType="CNC")
    floor.clock.pass_time(seconds=1)
    floor.dhan.book()
    assert (await floor.sent(**SALE, quantity=10)).state is SENT


async def test_the_operator_may_send_it_all_the_same(floor: Floor) -> None:
    order = await floor.sent(**SALE)
    assert order.state is ASKED
    assert "no RELIANCE to sell" in order.reason
    approve(floor, order)
    await floor.send()
    assert floor.now(order).state is SENT


def edit(floor: Floor, order: Order, quantity: int) -> None:
    with floor.database.transaction() as connection:
        seen, now = orders.get(connection, order.id), floor.clock.now()
        edits.edit(connection, seen, Terms(quantity=quantity), RELIANCE, actor="operator 42", at=now)


@pytest.mark.parametrize("answered", [False, True], ids=["asked", "approved"])
async def test_an_edit_makes_the_answer_to_the_warning_void(floor: Floor, answered: bool) -> None:
    await holding(floor)
    order = await floor.sent(**SALE, quantity=12)
    if answered:
        approve(floor, order)
    edit(floor, order, 11)
    approve(floor, floor.now(order))
    await floor.send()
    asked = floor.now(order)
    assert (asked.state, asked.quantity) == (ASKED, 11)
    assert asked.reason.startswith("The account has only 10 of RELIANCE to sell, so Dhan would refuse 11.")
    approve(floor, asked)
    await floor.send()
    assert floor.now(order).state is SENT, "once is enough"


async def test_an_edit_to_what_the_account_has_is_sold_without_another_word(floor: Floor) -> None:
    await holding(floor)
    order = await floor.sent(**SALE, quantity=12)
    edit(floor, order, 10)
    approve(floor, floor.now(order))
    await floor.send()
    assert floor.now(order).state is SENT


async def test_a_warning_stands_after_an_edit_where_dhan_does_not_tell(floor: Floor) -> None:
    order = await floor.sent(**SALE, quantity=12)
    for quantity in (11, 10):
        edit(floor, floor.now(order), quantity)
        approve(floor, floor.now(order))
        floor.dhan.script("holdings", "status", status=503)
        await floor.send()
        asked = floor.now(order)
        assert asked.state is ASKED
        assert asked.reason.startswith("Dhan does not say whether this still holds: The account has no RELIANCE")


async def test_without_ddpi_a_sale_from_the_depository_says_how_to_consent(floor: Floor) -> None:
    await holding(floor)
    floor.dhan.http.post("/dhan/sandbox/depository", json={"ddpi": False})
    order = await floor.sent(**SALE)
    assert order.state is ASKED
    assert "with your T-PIN" in order.reason


async def test_shares_whose_sale_was_consented_to_are_sold(floor: Floor) -> None:
    await holding(floor)
    isin = floor.dhan.http.get("/dhan/v2/holdings").json()[0]["isin"]
    floor.dhan.http.post("/dhan/sandbox/depository", json={"ddpi": False, "approved": {isin: 10}})
    assert (await floor.sent(**SALE)).state is SENT


@pytest.mark.fault("BR-37")
@pytest.mark.parametrize("call", ["holdings", "positions", "profile"])
async def test_what_cannot_be_known_holds_nothing_up(floor: Floor, call: str) -> None:
    floor.dhan.script(call, "status", status=503)
    assert (await floor.sent(**SALE)).state is SENT


class OddAccount(DhanAccount):
    """One whose positions bring out a bug of ours."""

    async def positions(self) -> list[Position]:
        raise ArithmeticError("a number that nobody thought of")


async def test_a_bug_over_what_the_account_has_costs_the_sale_and_no_other_order(floor: Floor) -> None:
    await holding(floor)
    sale, purchase = floor.order(**SALE, quantity=10), floor.order()
    dispatcher = floor.another_dispatcher(account=OddAccount(floor.broker))
    floor.keep_lease()
    async with asyncio.TaskGroup() as tasks:
        await dispatcher.send_due(tasks, asyncio.Event(), floor.epoch)
    assert (floor.now(sale).state, floor.now(purchase).state) == (ASKED, SENT)
    assert floor.now(sale).reason.startswith("The desk made a mistake over this order and did not send it.")
    with floor.database.snapshot() as connection:
        assert rings(connection) == [Notice.NEEDS_OPERATOR]


async def test_of_two_sales_of_the_same_shares_at_once_one_asks(floor: Floor) -> None:
    await holding(floor)
    sales = [floor.order(**SALE), floor.order(**SALE)]
    await floor.send()
    assert sorted(floor.now(order).state for order in sales) == sorted([ASKED, SENT])
    [asked] = [floor.now(order) for order in sales if floor.now(order).state is ASKED]
    assert asked.reason.startswith("The account has only 10 of RELIANCE to sell, and 10 of them are being sold")


async def test_a_sale_that_rests_counts_by_what_is_not_filled_yet(floor: Floor) -> None:
    await holding(floor)
    resting = await floor.sent(**SALE, quantity=6, order_type=OrderType.LIMIT, price=Decimal(1500))
    assert resting.state is SENT
    floor.clock.pass_time(seconds=1)
    assert (await floor.sent(**SALE, quantity=5)).state is ASKED
    assert (await floor.sent(**SALE, quantity=4)).state is SENT


async def test_sales_of_what_was_bought_today_at_one_exchange_take_nothing_from_the_other(floor: Floor) -> None:
    floor.dhan.placed(productType="CNC", quantity=6)
    floor.dhan.placed(productType="CNC", quantity=1, exchangeSegment="BSE_EQ", securityId="500325")
    floor.clock.pass_time(seconds=1)
    floor.dhan.book()
    for _ in range(2):
        resting = await floor.sent(**SALE, quantity=1, order_type=OrderType.LIMIT, price=Decimal(1500))
        assert resting.state is SENT
    exit_ = floor.order(**SALE, **AT_BSE, quantity=1, closes=True, approved_at=floor.clock.now())
    floor.clock.pass_time(minutes=5)
    await floor.send()
    assert (floor.now(exit_).state, floor.now(exit_).reason) == (SENT, "Dhan has the order.")


async def test_shares_of_the_depository_are_one_for_both_exchanges(floor: Floor) -> None:
    await holding(floor)
    await floor.sent(**SALE, quantity=6, order_type=OrderType.LIMIT, price=Decimal(1500))
    floor.clock.pass_time(seconds=1)
    asked = await floor.sent(**SALE, **AT_BSE, quantity=5)
    assert asked.state is ASKED
    assert asked.reason.startswith("The account has only 10 of RELIANCE to sell, and 6 of them are being sold")
    assert (await floor.sent(**SALE, **AT_BSE, quantity=4)).state is SENT


@pytest.mark.parametrize(
    ("elsewhere", "quantity", "words"),
    [
        (-6, 4, None),
        (-6, 5, "The account has only 4 of RELIANCE to sell, so Dhan would refuse 5."),
        (6, 10, None),
        (6, 11, "The account has only 10 of RELIANCE to sell, so Dhan would refuse 11."),
    ],
)
async def test_what_was_sold_today_at_the_other_exchange_is_gone_and_what_was_bought_there_stays_there(
    floor: Floor, elsewhere: int, quantity: int, words: str | None
) -> None:
    sale, at = floor.order(**SALE, quantity=quantity), floor.clock.now()
    stock = cover.Stock(free=10, bought=0, bought_elsewhere=elsewhere, consented=None, at=at)
    with floor.database.transaction() as connection:
        goes = cover.check(connection, sale, Moment(now=at, wall=at), stock=stock)
    assert (goes is None) == (words is not None)
    assert floor.now(sale).reason.startswith(words or "")


async def test_a_sale_that_was_filled_is_counted_once(floor: Floor) -> None:
    await holding(floor)
    await floor.sent(**SALE, quantity=6)
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    floor.clock.pass_time(seconds=1)
    assert (await floor.sent(**SALE, quantity=4)).state is SENT


async def test_a_sale_whose_fill_is_learned_of_while_dhan_is_asked_makes_the_next_look_again(floor: Floor) -> None:
    await holding(floor)
    first = await floor.sent(**SALE, quantity=5)
    second = floor.order(**SALE, quantity=5)
    floor.clock.pass_time(seconds=1)
    account = DhanAccount(floor.broker)
    stock = await cover.stock_for(account, second, await cover.look(account, floor.clock.now()))
    floor.clock.pass_time(milliseconds=100)
    await floor.follow_book()
    moment = Moment(now=floor.clock.now(), wall=floor.clock.now())
    with floor.database.transaction() as connection:
        assert cover.check(connection, second, moment, stock=stock) is None
    assert (floor.now(first).state, floor.now(second).state) == (OrderState.FILLED, OrderState.QUEUED)
    await floor.send()
    assert floor.now(second).state is OrderState.QUEUED
    floor.clock.pass_time(seconds=2)
    await floor.send()
    assert floor.now(second).state is SENT


async def test_a_sale_of_an_earlier_day_takes_nothing(floor: Floor) -> None:
    yesterday = floor.clock.now() - timedelta(hours=1)
    await holding(floor)
    with floor.database.transaction() as connection:
        an_order(connection, at=yesterday, state=OrderState.NEEDS_OPERATOR, **SALE)
    assert (await floor.sent(**SALE)).state is SENT


async def test_an_account_that_does_not_answer_does_not_cost_the_window(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soundness, "PATIENCE", 0.05)
    floor.dhan.script("holdings", "hang")
    began = monotonic()
    assert (await floor.sent(**SALE)).state is SENT
    assert monotonic() - began < PATIENCE / 2


@pytest.mark.parametrize(
    "changes",
    [{"side": Side.BUY}, {"product": Product.INTRADAY}, {"closes": True}],
    ids=["a purchase", "a short sale of the day", "an exit"],
)
async def test_other_orders_are_not_looked_into(floor: Floor, changes: dict[str, Any]) -> None:
    floor.dhan.script("holdings", "status", status=503)
    assert (await floor.sent(**(SALE | changes))).state is SENT
    assert len(floor.dhan.http.get("/dhan/sandbox/faults").json()) == 1, "nobody asked for the holdings"


async def test_sales_that_are_due_together_share_what_dhan_says_of_the_account(floor: Floor) -> None:
    """Asked for each of them, it would be more than Dhan takes of reads, and those that it refuses went unchecked."""
    too_many = {"errorType": "Rate_Limit", "errorCode": "DH-904", "errorMessage": "Too many requests"}
    for call in ("holdings", "positions", "profile"):
        floor.dhan.script(call, "delay")
        floor.dhan.script(call, "status", status=429, body=too_many, times=100)
    sales = [floor.order(**SALE) for _ in range(8)]
    await floor.send()
    assert [floor.now(sale).state for sale in sales] == [ASKED] * len(sales)
