"""Cancelling and changing what Dhan has: asked for once, believed only when the book shows it."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest
from sqlalchemy import Connection, select, update

from core import controls, journal
from core.broker.port import BrokerState
from core.clock import Moment, SystemClock
from core.controls import Hold
from core.db import changes as change_rows
from core.db.tables import changes as change_table
from core.domain.alert import InstrumentKind, OrderType, Validity
from core.domain.change import ChangeKind, ChangeState, Terms, Verdict
from core.domain.notice import Notice
from core.domain.order import OrderState
from core.engine import changer
from core.engine.limiter import Limiter, Window
from core.engine.reconcile import follow_all
from core.errors import Refusal
from tests.unit.engine.changing import RELIANCE, ask_cancel, ask_change, hurry, resting, settled, states, told
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import MOMENT, again, at_broker, report

FAR = Decimal("1000.0")
WORKING, CANCELLING, CANCELLED = OrderState.WORKING, OrderState.CANCELLING, OrderState.CANCELLED
IN_TRANSIT = {"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "Order is in Transit state"}
REFUSED = {"errorType": "Input_Exception", "errorCode": "DH-905", "errorMessage": "Bad values"}


async def test_a_working_order_is_cancelled_and_the_book_says_so(floor: Floor) -> None:
    order = await resting(floor)
    assert ask_cancel(floor, order) == "Cancellation asked for: its card says what becomes of it"
    assert floor.now(order).state is CANCELLING
    ended = await settled(floor, order)
    assert (ended.state, states(floor)) == (CANCELLED, [ChangeState.DONE])
    assert told(floor) == [Notice.CANCELLED]
    assert floor.dhan.book()[0]["orderStatus"] == "CANCELLED"


async def test_an_order_that_was_not_sent_is_declined_without_a_call(floor: Floor) -> None:
    order = floor.order()
    assert ask_cancel(floor, order) == "Cancelled before it was sent"
    assert (floor.now(order).state, states(floor)) == (OrderState.DECLINED, [])


async def test_a_cancellation_goes_out_under_every_hold(floor: Floor) -> None:
    order = await resting(floor)
    with floor.database.transaction() as connection:
        controls.set_hold(connection, Hold.PAUSED, "Paused.", at=floor.clock.now(), actor=journal.DESK)
    ask_cancel(floor, order)
    assert (await settled(floor, order)).state is CANCELLED


async def test_a_cancellation_does_not_queue_behind_changes_that_wait_for_dhans_limits(floor: Floor) -> None:
    rows = [await resting(floor) for _ in range(changer.AT_ONCE + 1)]
    for order in rows[1:]:
        ask_change(floor, floor.now(order), price=Decimal("1010.0"))
    limiter = Limiter([Window(2, 3600, reserve=1)])
    limiter.remember([1])  # only what is kept for cancellations is left
    parts = {"broker": floor.broker, "session": floor.session, "clock": floor.clock, "limiter": limiter}
    sending = changer.Changer(database=floor.database, **parts)
    waiting: list[asyncio.Task[None]] = []

    class Tasks:
        def create_task(self, sent: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            waiting.append(asyncio.create_task(sent))
            return waiting[-1]

    floor.keep_lease()
    await sending.send_due(cast("asyncio.TaskGroup", Tasks()), floor.epoch)
    assert len(waiting) == changer.AT_ONCE
    await asyncio.sleep(0)
    ask_cancel(floor, floor.now(rows[0]))
    await sending.send_due(cast("asyncio.TaskGroup", Tasks()), floor.epoch)
    assert len(waiting) == changer.AT_ONCE + 1
    await waiting[-1]
    for task in waiting[:-1]:
        task.cancel()
    await floor.follow_book()
    assert floor.now(rows[0]).state is CANCELLED


async def test_while_it_is_cancelled_the_book_of_before_changes_nothing(floor: Floor) -> None:
    order = await resting(floor)
    ask_cancel(floor, order)
    await floor.follow_book()
    assert floor.now(order).state is CANCELLING


async def test_an_order_in_transit_is_asked_back_again_until_it_can_be(floor: Floor) -> None:
    order = await resting(floor)
    floor.dhan.script("cancel", "status", status=400, body=IN_TRANSIT, times=2)
    ask_cancel(floor, order)
    for _ in range(3):
        assert (await settled(floor, order)).state is not WORKING
        hurry(floor)
    assert floor.now(order).state is CANCELLED


async def test_an_order_that_never_leaves_transit_is_told_to_be_open_still(floor: Floor) -> None:
    order = await resting(floor)
    floor.dhan.script("cancel", "status", status=400, body=IN_TRANSIT, times=99)
    ask_cancel(floor, order)
    for _ in range(changer.MOST_POSTS):
        await floor.send_changes()
        hurry(floor)
    assert (floor.now(order).state, states(floor)) == (WORKING, [ChangeState.FAILED])
    assert told(floor) == [Notice.NOT_CHANGED]


@pytest.mark.fault("BR-27")
@pytest.mark.parametrize("fault", ["drop_after", "half_reply", "bad_json"])
async def test_a_cancellation_without_a_clear_answer_is_read_from_the_book(floor: Floor, fault: str) -> None:
    order = await resting(floor)
    floor.dhan.script("cancel", fault)
    ask_cancel(floor, order)
    assert (await settled(floor, order)).state is CANCELLED


@pytest.mark.fault("BR-27")
async def test_a_cancellation_that_never_arrived_is_asked_for_again(floor: Floor) -> None:
    order = await resting(floor)
    floor.dhan.script("cancel", "drop_before")
    ask_cancel(floor, order)
    assert (await settled(floor, order)).state is CANCELLING
    assert (await settled(floor, order)).state is CANCELLED


async def test_a_cancellation_that_dhan_took_and_did_not_do_is_told_in_the_end(floor: Floor) -> None:
    order = await resting(floor)
    floor.dhan.script("cancel", "status", status=202, body={"orderId": order.broker_order_id})
    ask_cancel(floor, order)
    assert (await settled(floor, order)).state is CANCELLING
    hurry(floor)
    await floor.follow_book()
    assert floor.now(order).state is WORKING
    assert told(floor) == [Notice.NOT_CHANGED]


@pytest.mark.fault("BR-26")
async def test_a_fill_that_won_the_race_is_the_truth(floor: Floor) -> None:
    order = await floor.sent()
    ask_cancel(floor, order)
    floor.clock.pass_time(seconds=1)
    floor.dhan.book()
    ended = await settled(floor, order)
    assert (ended.state, ended.filled_quantity) == (OrderState.FILLED, 10)
    assert (states(floor), told(floor)) == ([ChangeState.FAILED], [Notice.FILLED])


async def test_what_was_filled_before_the_cancellation_stays_filled(floor: Floor) -> None:
    order = await floor.sent(security_id="4986", symbol="IRCON", tick=Decimal("0.01"), quantity=5000)
    floor.clock.pass_time(seconds=0.4)
    await floor.follow_book()
    part = floor.now(order)
    assert part.state is OrderState.PART_FILLED
    ask_cancel(floor, part)
    await floor.send_changes()
    await floor.follow_book()
    ended = floor.now(order)
    assert (ended.state, ended.filled_quantity) == (CANCELLED, 2000)


@pytest.mark.parametrize("state", [OrderState.UNKNOWN, OrderState.SUBMITTING, OrderState.FILLED, CANCELLING])
async def test_what_cannot_be_cancelled_says_why(floor: Floor, state: OrderState) -> None:
    order = floor.order(state=state)
    with pytest.raises(Refusal):
        ask_cancel(floor, order)
    assert (floor.now(order).state, states(floor)) == (state, [])


async def test_the_price_of_a_resting_order_is_changed_and_the_card_follows_the_book(floor: Floor) -> None:
    order = await resting(floor)
    answer = ask_change(floor, order, price=Decimal("1010.0"))
    assert answer == "Change asked for: limit ₹1,010.00. Its card says what becomes of it"
    changed = await settled(floor, order)
    assert (changed.state, changed.price, changed.quantity) == (WORKING, Decimal("1010.0"), 10)
    assert changed.reason == "Changed at Dhan: limit ₹1,010.00."
    assert floor.dhan.book()[0]["price"] == 1010.0
    assert states(floor) == [ChangeState.DONE]
    assert told(floor) == [Notice.CHANGED]
    await floor.follow_book()
    assert told(floor) == [Notice.CHANGED], "once"


async def test_quantity_means_the_new_total(floor: Floor) -> None:
    order = await resting(floor)
    ask_change(floor, order, quantity=25)
    assert (await settled(floor, order)).quantity == 25
    assert floor.dhan.book()[0]["quantity"] == 25


async def test_the_trigger_of_a_stop_is_changed(floor: Floor) -> None:
    stop = {"order_type": OrderType.STOP_LIMIT, "price": Decimal("2010.0"), "trigger_price": Decimal("2000.0")}
    order = await resting(floor, **stop)
    ask_change(floor, order, trigger_price=Decimal("2005.0"))
    assert (await settled(floor, order)).trigger_price == Decimal("2005.0")
    assert floor.dhan.book()[0]["triggerPrice"] == 2005.0


@pytest.mark.fault("BR-26")
@pytest.mark.parametrize(("state", "filled"), [(BrokerState.PART_FILLED, 15), (BrokerState.FILLED, 25)])
@pytest.mark.parametrize("ours", [True, False], ids=["here", "in Dhan's app"])
def test_fills_beyond_the_old_quantity_prove_a_raise_and_are_no_alarm(
    connection: Connection, state: BrokerState, filled: int, ours: bool
) -> None:
    order = at_broker(connection, quantity=10)
    if ours:
        change_rows.add(connection, order.id, ChangeKind.MODIFY, Terms(quantity=25), wanted_by="operator 42")
        taken = {"state": ChangeState.ANSWERED, "verdict": Verdict.TAKEN, "answered_at": MOMENT.wall}
        connection.execute(update(change_table).values(**taken))
    follow_all(connection, [report(order, state, quantity=25, filled_quantity=filled)], MOMENT)
    after = again(connection, order)
    assert (after.state, after.quantity, after.filled_quantity) == (state.value, 25, filled)
    assert controls.holds(connection) == {}
    assert list(connection.execute(select(change_table.c.state)).scalars()) == [ChangeState.DONE] * ours


@pytest.mark.parametrize("fault", ["drop_after", "bad_json", "no_id"])
async def test_a_change_without_a_clear_answer_is_read_from_the_book(floor: Floor, fault: str) -> None:
    order = await resting(floor)
    floor.dhan.script("modify", fault)
    ask_change(floor, order, price=Decimal("1010.0"))
    assert (await settled(floor, order)).price == Decimal("1010.0")


async def test_a_change_that_never_arrived_is_told_and_not_repeated(floor: Floor) -> None:
    order = await resting(floor)
    floor.dhan.script("modify", "drop_before")
    ask_change(floor, order, price=Decimal("1010.0"))
    assert (await settled(floor, order)).price == FAR
    hurry(floor)
    await floor.follow_book()
    assert (states(floor), told(floor)) == ([ChangeState.FAILED], [Notice.NOT_CHANGED])
    assert floor.now(order).price == FAR


async def test_a_change_that_dhan_refuses_is_told_in_both_our_words(floor: Floor) -> None:
    order = await resting(floor)
    floor.dhan.script("modify", "status", status=400, body=REFUSED)
    ask_change(floor, order, price=Decimal("1010.0"))
    kept = await settled(floor, order)
    assert (kept.state, kept.price) == (WORKING, FAR)
    assert "Look at the symbol, prices and quantity." in kept.reason
    assert "Bad values (DH-905)" in kept.reason


async def test_under_a_hold_no_terms_are_changed(floor: Floor) -> None:
    order = await resting(floor)
    ask_change(floor, order, price=Decimal("1010.0"))
    with floor.database.transaction() as connection:
        controls.set_hold(connection, Hold.PAUSED, "Paused by you.", at=floor.clock.now(), actor=journal.DESK)
    kept = await settled(floor, order)
    assert (kept.price, kept.reason) == (FAR, "Not changed. Paused by you.")
    assert (states(floor), told(floor)) == ([ChangeState.FAILED], [Notice.NOT_CHANGED])


NIFTY = replace(RELIANCE, kind=InstrumentKind.FUTURE, symbol="NIFTY-Dec2026-FUT", lot=65, freezes_at=1756)


@pytest.mark.parametrize(("quantity", "words"), [(100, "lots of 65"), (1820, "at most 1755")])
async def test_a_contract_keeps_to_whole_lots_below_the_freeze_quantity(
    floor: Floor, quantity: int, words: str
) -> None:
    order = await resting(floor)
    with pytest.raises(Refusal, match=words):
        ask_change(floor, order, NIFTY, quantity=quantity)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({}, "That changes nothing"),
        ({"price": FAR}, "That changes nothing"),
        ({"price": Decimal("1000.05")}, "off the tick of 0.1"),
        ({"price": Decimal(0)}, "off the tick"),
        ({"trigger_price": FAR}, "no stop order"),
        ({"quantity": 0}, "filled already"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused_in_words(
    floor: Floor, terms: dict[str, Any], words: str
) -> None:
    order = await resting(floor)
    with pytest.raises(Refusal, match=words):
        ask_change(floor, order, **terms)
    assert states(floor) == []


@pytest.mark.parametrize("terms", [{"quantity": 11}, {"price": Decimal("1100.1")}])
async def test_a_change_keeps_the_hard_limits_as_a_new_order_would(floor: Floor, terms: dict[str, Any]) -> None:
    order = await resting(floor)
    limits = {"order_quantity": {"soft": None, "hard": "10"}, "day_value": {"soft": None, "hard": "11000"}}
    with floor.database.transaction() as connection:
        controls.put(connection, "policies", {"limits": limits}, at=floor.clock.now(), actor=journal.DESK)
    with pytest.raises(Refusal, match="hard limit"):
        ask_change(floor, order, **terms)
    assert states(floor) == []


async def test_less_is_let_through_even_above_a_limit(floor: Floor) -> None:
    order = await resting(floor)
    limits = {"order_quantity": {"soft": None, "hard": "1"}}
    with floor.database.transaction() as connection:
        controls.put(connection, "policies", {"limits": limits}, at=floor.clock.now(), actor=journal.DESK)
    ask_change(floor, order, quantity=5)
    assert (await settled(floor, order)).quantity == 5


async def test_a_market_order_that_rests_needs_a_price_to_be_changed(floor: Floor) -> None:
    order = await floor.sent()
    with pytest.raises(Refusal, match="give its limit price"):
        ask_change(floor, order, quantity=20)


async def test_one_change_at_a_time_and_twenty_five_in_all(floor: Floor) -> None:
    order = await resting(floor)
    ask_change(floor, order, price=Decimal("1010.0"))
    with pytest.raises(Refusal, match="under way"):
        ask_change(floor, floor.now(order), price=Decimal("1020.0"))
    await settled(floor, order)
    with floor.database.transaction() as connection:
        connection.execute(update(change_table).values(posts=25))
    with pytest.raises(Refusal, match="25 changes"):
        ask_change(floor, floor.now(order), price=Decimal("1020.0"))


async def test_a_cancellation_overtakes_a_change(floor: Floor) -> None:
    order = await resting(floor)
    ask_change(floor, order, price=Decimal("1010.0"))
    ask_cancel(floor, floor.now(order))
    assert (await settled(floor, order)).state is CANCELLED
    assert states(floor) == [ChangeState.FAILED, ChangeState.DONE]


async def test_at_start_a_change_that_was_being_sent_is_for_the_book_to_decide(floor: Floor) -> None:
    order = await resting(floor)
    with floor.database.transaction() as connection:
        wall = SystemClock().now()
        change_rows.add(connection, order.id, ChangeKind.MODIFY, Terms(price=FAR + 10), wanted_by="x")
        connection.execute(update(change_table).values(state=ChangeState.SENT, sent_at=wall, posts=1))
        changer.doubt_unfinished(connection, Moment(now=floor.clock.now(), wall=wall))
    assert states(floor) == [ChangeState.ANSWERED]
    hurry(floor)
    await floor.follow_book()
    assert states(floor) == [ChangeState.FAILED]


@pytest.mark.fault("BR-30")
async def test_what_is_changed_in_dhans_app_is_followed_and_said(floor: Floor) -> None:
    order = await resting(floor)
    body = {"orderType": "LIMIT", "validity": "DAY", "quantity": 15, "price": 1020.5, "triggerPrice": 0}
    floor.dhan.http.put(f"/dhan/v2/orders/{order.broker_order_id}", json=body)
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    changed = floor.now(order)
    assert (changed.quantity, changed.price) == (15, Decimal("1020.5"))
    assert changed.reason == "Changed outside this desk: quantity 15, limit ₹1,020.50."


@pytest.mark.fault("BR-30")
async def test_what_is_cancelled_in_dhans_app_is_followed_and_said(floor: Floor) -> None:
    order = await resting(floor)
    floor.dhan.http.delete(f"/dhan/v2/orders/{order.broker_order_id}")
    await floor.follow_book()
    assert (floor.now(order).state, told(floor)) == (CANCELLED, [Notice.CANCELLED])


async def test_a_change_keeps_how_long_the_order_lasts(floor: Floor) -> None:
    order = await floor.sent(order_type=OrderType.LIMIT, price=FAR, validity=Validity.IOC)
    with floor.database.transaction() as connection:
        change_rows.add(connection, order.id, ChangeKind.MODIFY, Terms(price=FAR + 10), wanted_by="x")
    await floor.send_changes()
    [at_dhan] = floor.dhan.ledger()["orders"]
    assert (at_dhan["validity"], at_dhan["price"]) == ("IOC", 1010.0)
