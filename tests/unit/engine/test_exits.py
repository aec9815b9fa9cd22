"""Exits: opposite side, whole size, same product; confirmed by name, never twice, and past the queue of entries."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from core import controls, journal
from core.broker.account import Position
from core.broker.dhan.account import DhanAccount
from core.broker.dhan.instruments import InstrumentList
from core.broker.port import BrokerOrder, BrokerState
from core.db import alerts, attempts, orders
from core.db.attempts import Try
from core.domain.alert import Product, Side
from core.domain.attempt import AttemptState
from core.domain.order import Mode, Order, OrderState
from core.exits import ExitPlan, Find, Seen, plan_exits, reopening, write_exits
from tests.builders import CALENDAR, NOON, an_order
from tests.integration.paper_dhan import india
from tests.unit.engine.floor import Floor

SATURDAY = india("2026-11-28 14:00")
RELIANCE = Position(
    symbol="RELIANCE",
    segment="NSE_EQ",
    security_id="2885",
    product=Product.INTRADAY,
    product_name="INTRADAY",
    net=10,
    average=Decimal(1412),
    realised=Decimal(0),
    unrealised=Decimal(0),
)
IRCON = replace(RELIANCE, symbol="IRCON", security_id="4986")


def plan(
    connection: Connection,
    listed: InstrumentList,
    *positions: Position,
    at: datetime = NOON,
    symbol: str | None = None,
    find: Find | None = None,
    book: tuple[BrokerOrder, ...] = (),
) -> ExitPlan:
    positions = positions or (RELIANCE,)
    seen = Seen(before=positions, book=book, positions=positions, at=at)
    return plan_exits(connection, seen, find or listed.named, now=at, calendar=CALENDAR, symbol=symbol)


def exits_of(connection: Connection, plan: ExitPlan, at: datetime = NOON) -> list[Order]:
    numbers = write_exits(connection, plan.exits, actor="operator 42", now=at)
    return [order for number in numbers for order in orders.of_alert(connection, number)]


@pytest.mark.parametrize(("net", "side"), [(10, Side.SELL), (-10, Side.BUY)])
def test_an_exit_is_the_other_side_of_the_whole_position_in_its_product(
    connection: Connection, listed: InstrumentList, net: int, side: Side
) -> None:
    [order] = exits_of(connection, plan(connection, listed, replace(RELIANCE, net=net)))
    assert (order.side, order.quantity, order.product) == (side, 10, Product.INTRADAY)
    assert (order.state, order.closes, order.mode) == (OrderState.QUEUED, True, Mode.IMMEDIATE)
    assert order.approved_at == NOON


def test_an_exit_has_a_card_and_says_who_asked(connection: Connection, listed: InstrumentList) -> None:
    [order] = exits_of(connection, plan(connection, listed))
    stored = alerts.get(connection, order.alert_id)
    assert stored
    assert stored.reason == "Exit of 10 RELIANCE, asked for by operator 42."


def test_each_position_gets_an_alert_of_its_own_so_that_none_waits_for_another(
    connection: Connection, listed: InstrumentList
) -> None:
    first, second = exits_of(connection, plan(connection, listed, RELIANCE, IRCON))
    assert first.alert_id != second.alert_id


def test_only_what_is_open_is_exited_and_only_the_one_that_was_named(
    connection: Connection, listed: InstrumentList
) -> None:
    closed = replace(RELIANCE, net=0)
    assert [exit_.instrument.symbol for exit_ in plan(connection, listed, RELIANCE, IRCON, closed).exits] == [
        "RELIANCE",
        "IRCON",
    ]
    assert [exit_.instrument.symbol for exit_ in plan(connection, listed, RELIANCE, IRCON, symbol="IRCON").exits] == [
        "IRCON"
    ]


@pytest.mark.parametrize(
    "changes", [{"product": None, "product_name": "MTF"}, {"security_id": "1"}, {"segment": "NSE_COMM"}]
)
def test_what_cannot_be_exited_from_here_is_named_with_the_reason(
    connection: Connection, listed: InstrumentList, changes: dict[str, Any]
) -> None:
    made = plan(connection, listed, replace(RELIANCE, **changes))
    assert made.exits == ()
    assert made.left[0].startswith("RELIANCE, 10, ")


@pytest.mark.parametrize("state", ["SUBMITTING", "UNKNOWN", "NEEDS_OPERATOR", "WORKING", "PART_FILLED", "CANCELLING"])
def test_beside_an_order_of_the_same_side_that_may_fill_only_that_position_is_left(
    connection: Connection, listed: InstrumentList, state: str
) -> None:
    order = an_order(connection, side=Side.SELL, state=OrderState[state])
    made = plan(connection, listed, RELIANCE, IRCON)
    assert [exit_.instrument.symbol for exit_ in made.exits] == ["IRCON"]
    stands = "may be at Dhan" if state in ("UNKNOWN", "NEEDS_OPERATOR") else "is open already"
    assert made.left[0].startswith(f"RELIANCE, 10, INTRADAY: {order.label} SELL 10 RELIANCE {stands}")
    assert "turn the position round" in made.left[0]


@pytest.mark.parametrize("state", ["QUEUED", "AWAITING_APPROVAL"])
def test_an_order_that_was_not_sent_is_given_up_for_the_exit(
    connection: Connection, listed: InstrumentList, state: str
) -> None:
    order = an_order(connection, side=Side.SELL, state=OrderState[state])
    [exit_] = plan(connection, listed).exits
    assert exit_.replaces == (order,)
    assert exit_.facts["replaces"] == [order.label]
    [made] = exits_of(connection, plan(connection, listed))
    given_up = orders.get(connection, order.id)
    assert given_up.state is OrderState.DECLINED
    assert given_up.reason == f"Given up for {made.alert_id}, the exit of the whole position."


def test_an_order_that_dhan_proved_not_to_have_is_given_up_too(connection: Connection, listed: InstrumentList) -> None:
    order = an_order(connection, side=Side.SELL, state=OrderState.NEEDS_OPERATOR)
    [attempt] = attempts.start(connection, [Try(order_id=order.id, number=1, name="MU1", request={})], epoch=1, at=NOON)
    attempts.settle(connection, attempt, AttemptState.ABSENT, at=NOON)
    exits_of(connection, plan(connection, listed))
    assert orders.get(connection, order.id).state is OrderState.DROPPED


def test_an_order_in_doubt_of_a_day_that_is_over_hinders_nothing(
    connection: Connection, listed: InstrumentList
) -> None:
    yesterday = NOON - timedelta(days=1)
    order = an_order(connection, at=yesterday, side=Side.SELL, state=OrderState.NEEDS_OPERATOR)
    exits_of(connection, plan(connection, listed))
    assert orders.get(connection, order.id).state is OrderState.NEEDS_OPERATOR


@pytest.mark.parametrize(
    "changes",
    [{"side": Side.BUY}, {"product": Product.DELIVERY}, {"security_id": "4986"}],
    ids=["of the other side", "of another product", "of another share"],
)
def test_other_orders_are_neither_given_up_nor_waited_for(
    connection: Connection, listed: InstrumentList, changes: dict[str, Any]
) -> None:
    waiting = an_order(connection, **{"side": Side.SELL, **changes})
    an_order(connection, state=OrderState.WORKING, **{"side": Side.SELL, **changes})
    exits_of(connection, plan(connection, listed))
    assert orders.get(connection, waiting.id).state is OrderState.QUEUED


def test_a_second_exit_of_the_same_position_is_not_made(connection: Connection, listed: InstrumentList) -> None:
    [first] = exits_of(connection, plan(connection, listed))
    again = plan(connection, listed)
    assert again.exits == ()
    assert f"{first.label} exits it already" in again.left[0]


@pytest.mark.parametrize(
    ("at", "words"),
    [(NOON, "Paused by operator 42."), (SATURDAY, "Saturday: it waits for the open")],
    ids=["due", "later"],
)
def test_where_a_hold_keeps_the_first_exit_back_that_is_said(
    connection: Connection, listed: InstrumentList, at: datetime, words: str
) -> None:
    held = replace(RELIANCE, product=Product.DELIVERY)
    [first] = exits_of(connection, plan(connection, listed, held, at=at), at)
    controls.pause(connection, at=at, actor="operator 42")
    left = plan(connection, listed, held, at=at).left[0]
    assert f"{first.label} exits it already and waits to go out: {words}" in left


def test_an_exit_that_asks_again_makes_room_for_a_new_one(connection: Connection, listed: InstrumentList) -> None:
    asking = an_order(connection, side=Side.SELL, state=OrderState.AWAITING_APPROVAL, closes=True)
    exits_of(connection, plan(connection, listed))
    assert orders.get(connection, asking.id).state is OrderState.DECLINED


def test_an_exit_beside_an_order_that_filled_since_the_position_was_read_is_not_made(
    connection: Connection, listed: InstrumentList
) -> None:
    an_order(connection, side=Side.SELL, state=OrderState.FILLED, at=NOON - timedelta(seconds=1))
    target = an_order(connection, side=Side.SELL, state=OrderState.WORKING)
    orders.move(connection, target, OrderState.FILLED, at=NOON, actor=journal.DHAN, reason="Filled.")
    assert f"{target.label} has just ended (filled)" in plan(connection, listed).left[0]
    assert exits_of(connection, plan(connection, listed, at=NOON + timedelta(microseconds=1)))


THEIRS = BrokerOrder(
    order_id="52",
    correlation_id="1106500417-1",
    state=BrokerState.WORKING,
    status="PENDING",
    side=Side.SELL,
    segment="NSE_EQ",
    security_id="2885",
    product=Product.INTRADAY,
    quantity=10,
    filled_quantity=4,
    average_price=None,
    price=Decimal(1300),
    symbol="RELIANCE",
    is_amo=False,
)


@pytest.mark.parametrize(
    "changes",
    [{}, {"state": BrokerState.OTHER}, {"product": None}],
    ids=["as it is", "in a state that nobody knows", "in a product that is not ours"],
)
def test_beside_an_open_order_placed_in_dhans_app_that_position_is_left_and_the_order_named(
    connection: Connection, listed: InstrumentList, changes: dict[str, Any]
) -> None:
    made = plan(connection, listed, RELIANCE, IRCON, book=(replace(THEIRS, **changes),))
    assert [exit_.instrument.symbol for exit_ in made.exits] == ["IRCON"]
    assert "SELL 6 RELIANCE (order 52) is open at Dhan" in made.left[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"state": BrokerState.CANCELLED},
        {"state": BrokerState.FILLED, "filled_quantity": 10},
        {"side": Side.BUY},
        {"product": Product.DELIVERY},
        {"security_id": "4986"},
    ],
)
def test_what_can_not_turn_the_position_round_hinders_no_exit(
    connection: Connection, listed: InstrumentList, changes: dict[str, Any]
) -> None:
    assert plan(connection, listed, book=(replace(THEIRS, **changes),)).exits


@pytest.mark.parametrize(
    ("symbol", "places"), [("RELIANCE", ["NSE", "BSE"]), ("NSE:RELIANCE", ["NSE"]), ("BSE:RELIANCE", ["BSE"])]
)
def test_a_share_of_two_exchanges_is_exited_on_the_one_that_was_named(
    connection: Connection, listed: InstrumentList, symbol: str, places: list[str]
) -> None:
    there = replace(RELIANCE, segment="BSE_EQ", security_id="500325")
    made = plan(connection, listed, RELIANCE, there, symbol=symbol)
    assert [exit_.instrument.exchange for exit_ in made.exits] == places


def test_all_orders_that_could_turn_the_position_round_are_named(
    connection: Connection, listed: InstrumentList
) -> None:
    order = an_order(connection, side=Side.SELL, state=OrderState.WORKING)
    [left] = plan(connection, listed, book=(THEIRS,)).left
    assert (
        f"{order.label} SELL 10 RELIANCE is open already; SELL 6 RELIANCE (order 52) is open at Dhan: with them" in left
    )


def test_what_may_open_the_position_again_after_its_exit_is_named_with_the_way_to_end_it(
    connection: Connection, listed: InstrumentList
) -> None:
    resting = an_order(connection, state=OrderState.WORKING)
    queued = an_order(connection)
    an_order(connection, state=OrderState.WORKING, product=Product.DELIVERY)
    book = (replace(THEIRS, side=Side.BUY),)
    made = plan(connection, listed, book=book)
    assert reopening(connection, made.exits, book, NOON) == [
        f"{resting.label} BUY 10 RELIANCE (/cancel {resting.label})",
        f"{queued.label} BUY 10 RELIANCE (/cancel {queued.label})",
        "BUY 6 RELIANCE (order 52, in Dhan's app)",
    ]


def test_an_own_order_that_filled_at_dhan_and_is_not_followed_yet_hinders_no_exit(
    connection: Connection, listed: InstrumentList
) -> None:
    an_order(connection, side=Side.SELL, state=OrderState.WORKING, broker_order_id="52")
    assert plan(connection, listed, book=(replace(THEIRS, state=BrokerState.FILLED, filled_quantity=10),)).exits


def test_shares_held_in_two_products_are_exited_in_both(connection: Connection, listed: InstrumentList) -> None:
    made = exits_of(connection, plan(connection, listed, RELIANCE, replace(RELIANCE, product=Product.DELIVERY, net=3)))
    assert [(order.quantity, order.product) for order in made] == [(10, Product.INTRADAY), (3, Product.DELIVERY)]


def test_an_exit_above_the_freeze_quantity_goes_in_slices(connection: Connection, listed: InstrumentList) -> None:
    made = exits_of(connection, plan(connection, listed, replace(RELIANCE, net=15), find=freezing(listed, at=7)))
    assert [order.quantity for order in made] == [6, 6, 3]
    second = "It goes once leg 1 is at Dhan. The market is open until 15:15."
    assert [order.reason for order in made[:2]] == ["The market is open until 15:15.", second]


def test_an_exit_takes_as_many_slices_as_it_needs(connection: Connection, listed: InstrumentList) -> None:
    made = exits_of(connection, plan(connection, listed, replace(RELIANCE, net=185), find=freezing(listed, at=7)))
    assert [order.quantity for order in made] == [6] * 30 + [5]


def freezing(listed: InstrumentList, *, at: int) -> Find:
    """The list, if the exchange froze orders of so many units."""
    return lambda segment, security_id: replace(listed.named(segment, security_id), freezes_at=at)


def test_on_a_closed_day_an_exit_of_what_is_kept_waits_for_the_open_and_says_so(
    connection: Connection, listed: InstrumentList
) -> None:
    made = plan(connection, listed, replace(RELIANCE, product=Product.DELIVERY), at=SATURDAY)
    assert [exit_.reaches_later for exit_ in made.exits] == [india("2026-11-30 09:15")]
    [order] = exits_of(connection, made, SATURDAY)
    assert (order.state, order.release_at) == (OrderState.QUEUED, india("2026-11-30 09:15"))


def test_what_goes_at_once_has_no_later_time(connection: Connection, listed: InstrumentList) -> None:
    assert [exit_.reaches_later for exit_ in plan(connection, listed).exits] == [None]


def test_an_exit_after_hours_says_when_the_exchange_sees_it(connection: Connection, listed: InstrumentList) -> None:
    evening = india("2026-11-25 18:00")
    [exit_] = plan(connection, listed, replace(RELIANCE, product=Product.DELIVERY), at=evening).exits
    assert exit_.reaches_later == india("2026-11-26 09:15")


@pytest.mark.parametrize("at", ["2026-11-25 15:16", "2026-11-25 18:00", "2026-11-26 08:30", "2026-11-28 14:00"])
def test_an_intraday_position_is_not_exited_on_another_day_when_dhan_has_squared_it_off(
    connection: Connection, listed: InstrumentList, at: str
) -> None:
    made = plan(connection, listed, at=india(at))
    assert made.exits == ()
    assert "Dhan squares intraday positions off itself" in made.left[0]
    assert "close it in Dhan's app" in made.left[0]


def test_an_intraday_position_is_exited_only_before_dhan_squares_it_off(
    connection: Connection, listed: InstrumentList
) -> None:
    [order] = exits_of(connection, plan(connection, listed, IRCON))
    assert order.expires_at == order.window_ends_at == india("2026-11-25 15:20")
    too_late = plan(connection, listed, IRCON, at=india("2026-11-25 15:25"))
    assert too_late.exits == ()
    assert "Dhan squares intraday positions off itself from 15:20" in too_late.left[0]


def test_shares_sold_from_the_account_are_no_short_position_to_be_bought_back(
    connection: Connection, listed: InstrumentList
) -> None:
    made = plan(connection, listed, replace(RELIANCE, product=Product.DELIVERY, net=-10))
    assert made.exits == ()
    assert "sold from the account's holdings" in made.not_open[0]


def test_short_positions_are_bought_back_before_what_may_be_their_hedge_is_sold(
    connection: Connection, listed: InstrumentList
) -> None:
    short = replace(RELIANCE, symbol="IRCON", security_id="4986", net=-5)
    assert [exit_.net for exit_ in plan(connection, listed, RELIANCE, short).exits] == [-5, 10]


def test_a_day_that_the_calendar_does_not_know_is_said(connection: Connection, listed: InstrumentList) -> None:
    made = plan(connection, listed, at=india("2027-03-01 11:00"))
    assert made.exits == ()
    assert "Close it in Dhan's app" in made.left[0]


async def test_an_exit_closes_the_position_at_dhan(floor: Floor, listed: InstrumentList) -> None:
    await floor.sent()
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    account = DhanAccount(floor.broker)
    positions = await account.positions()
    with floor.database.transaction() as connection:
        made = plan(connection, listed, *positions, at=floor.clock.now())
        [order] = exits_of(connection, made, floor.clock.now())
    await floor.send()
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    assert floor.now(order).state is OrderState.FILLED
    assert [position.net for position in await account.positions()] == [0]


async def test_exits_pass_a_queue_of_entries(floor: Floor) -> None:
    floor.dhan.http.post("/dhan/sandbox/limits", json={})
    for _ in range(20):
        floor.order()
    exit_ = floor.order(side=Side.SELL, closes=True)
    await floor.send()
    assert floor.now(exit_).state is OrderState.WORKING
