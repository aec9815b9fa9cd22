"""Keeping orders in step with the broker's book: today's, and what was left from days that are over."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from core import changes as order_changes
from core import controls, journal
from core.broker.port import BrokerState, PastFill
from core.clock import Moment
from core.controls import Hold
from core.db import orders
from core.domain.alert import Product
from core.domain.attempt import AttemptState
from core.domain.notice import Notice
from core.domain.order import AT_BROKER, IN_DOUBT, Mode, Order, OrderState
from core.engine.adopt import follow
from core.engine.past_days import close_past_day, left_behind
from core.engine.reconcile import Reconciler, follow_all
from tests.builders import an_order
from tests.integration.paper_dhan import india
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import MOMENT, WALL, again, an_attempt, at_broker, in_doubt, last_words, report, rings

NEXT_MORNING = india("2026-11-26 08:00")
EVENING = india("2026-11-25 19:00")


@pytest.mark.parametrize("state", sorted(AT_BROKER))
def test_every_order_at_the_broker_follows_the_book(connection: Connection, state: OrderState) -> None:
    order = at_broker(connection, state=state)
    follow_all(connection, [report(order, BrokerState.FILLED)], MOMENT)
    assert again(connection, order).state is OrderState.FILLED


def test_an_order_that_is_not_in_the_book_stays_as_it_is(connection: Connection) -> None:
    order = at_broker(connection)
    follow_all(connection, [report(order, BrokerState.FILLED, order_id="1", correlation_id="theirs")], MOMENT)
    assert again(connection, order) == order


def test_orders_of_others_change_nothing_of_ours(connection: Connection) -> None:
    order = in_doubt(connection, OrderState.NEEDS_OPERATOR)
    follow_all(connection, [report(order, BrokerState.FILLED, order_id="1", correlation_id="")], MOMENT)
    assert again(connection, order) == order
    assert (rings(connection), controls.holds(connection)) == ([], {})


def test_two_orders_under_one_name_of_ours_are_an_alarm(connection: Connection) -> None:
    order = at_broker(connection)
    twins = [report(order, BrokerState.FILLED), report(order, BrokerState.FILLED, order_id="52261126")]
    follow_all(connection, twins, MOMENT)
    assert Notice.CONFLICT in rings(connection)


def test_an_order_in_doubt_that_the_book_shows_is_found_there(connection: Connection) -> None:
    for state in sorted(IN_DOUBT):
        order = in_doubt(connection, state, name=f"MU{state.upper()}")
        follow_all(connection, [report(order, BrokerState.WORKING, correlation_id=f"MU{state.upper()}")], MOMENT)
        assert again(connection, order).state is OrderState.WORKING


def test_two_orders_for_one_in_doubt_are_an_alarm_and_one_is_followed(connection: Connection) -> None:
    order = in_doubt(connection)
    rejected = report(order, BrokerState.REJECTED, order_id="1")
    twins = [report(order, BrokerState.FILLED, order_id=number) for number in ("2", "3")]
    follow_all(connection, [rejected, *twins], MOMENT)
    assert again(connection, order).broker_order_id == "2"
    assert "2 orders for this one: 2, 3" in last_words(connection)


def test_a_try_called_absent_that_turns_up_beside_the_second_one_is_an_alarm(connection: Connection) -> None:
    order = at_broker(connection, broker_order_id="2")
    an_attempt(connection, order, AttemptState.ABSENT, number=2, name="MUFIRST")
    late = report(order, BrokerState.FILLED, order_id="1", correlation_id="MUFIRST")
    follow_all(connection, [late, report(order, BrokerState.WORKING, order_id="2")], MOMENT)
    assert rings(connection) == [Notice.CONFLICT]
    assert list(controls.holds(connection)) == [Hold.PAUSED]


@pytest.mark.parametrize("state", [OrderState.REJECTED, OrderState.EXPIRED, OrderState.DECLINED])
def test_an_order_that_ended_here_and_lives_at_dhan_is_an_alarm(connection: Connection, state: OrderState) -> None:
    order = an_order(connection, state=state)
    an_attempt(connection, order, AttemptState.NOT_SENT)
    book = [report(order, BrokerState.WORKING)]
    follow_all(connection, book, MOMENT)
    follow_all(connection, book, MOMENT)
    assert rings(connection) == [Notice.CONFLICT]
    assert f"which is {state} here" in last_words(connection)


@pytest.mark.parametrize("waits", [{"state": OrderState.AWAITING_APPROVAL}, {"release_at": EVENING}])
def test_an_order_that_waits_here_and_lives_at_dhan_is_an_alarm_at_once(
    connection: Connection, waits: dict[str, Any]
) -> None:
    order = an_order(connection, **waits)
    an_attempt(connection, order, AttemptState.REFUSED)
    follow_all(connection, [report(order, BrokerState.WORKING)], MOMENT)
    assert rings(connection) == [Notice.CONFLICT]
    assert "for this order, which is" in last_words(connection)


def test_an_order_that_is_due_and_lives_at_dhan_is_taken_from_the_book(connection: Connection) -> None:
    order = an_order(connection)
    an_attempt(connection, order, AttemptState.NOT_SENT)
    follow_all(connection, [report(order, BrokerState.WORKING)], MOMENT)
    assert again(connection, order).state is OrderState.WORKING
    assert rings(connection) == [Notice.FOUND]


def test_a_due_order_of_which_dhan_has_only_a_rejection_keeps_its_next_try(connection: Connection) -> None:
    order = an_order(connection)
    an_attempt(connection, order, AttemptState.NOT_SENT)
    follow_all(connection, [report(order, BrokerState.REJECTED)], MOMENT)
    assert again(connection, order).state is OrderState.QUEUED
    assert rings(connection) == []


@pytest.mark.parametrize("state", [BrokerState.REJECTED, BrokerState.CANCELLED, BrokerState.LAPSED])
def test_a_second_row_that_came_to_nothing_is_no_alarm(connection: Connection, state: BrokerState) -> None:
    order = at_broker(connection)
    nothing = report(order, state, order_id="1")
    follow_all(connection, [nothing, report(order, BrokerState.RECEIVED)], MOMENT)
    refused = an_order(connection, state=OrderState.REJECTED)
    an_attempt(connection, refused, AttemptState.REFUSED, name="MUREFUSED")
    follow_all(connection, [report(refused, state, order_id="2", correlation_id="MUREFUSED")], MOMENT)
    assert rings(connection) == []


def test_an_order_that_is_being_sent_is_left_to_its_answer(connection: Connection) -> None:
    order = an_order(connection, state=OrderState.SUBMITTING)
    an_attempt(connection, order, AttemptState.OPEN)
    follow_all(connection, [report(order, BrokerState.WORKING)], MOMENT)
    assert again(connection, order) == order
    assert rings(connection) == []


def test_an_order_belongs_to_the_day_on_which_the_exchange_sees_it(connection: Connection) -> None:
    evening = at_broker(connection, at=EVENING, reaches_exchange_at=india("2026-11-26 09:45"))
    assert evening.broker_day == india("2026-11-26 00:00").date()
    assert left_behind(connection, NEXT_MORNING, []) == []
    assert left_behind(connection, india("2026-11-27 08:00"), []) == [evening]


@pytest.mark.parametrize(("reached", "is_over"), [("2026-11-26 23:59:59.999999", True), ("2026-11-27 00:00", False)])
@pytest.mark.parametrize("as_told", [True, False], ids=["its hour is known", "as it changed last"])
def test_a_day_ends_at_midnight_in_india(connection: Connection, reached: str, *, is_over: bool, as_told: bool) -> None:
    at = india(reached)
    order = at_broker(connection, at=EVENING if as_told else at, reaches_exchange_at=at if as_told else None)
    assert left_behind(connection, india("2026-11-27 08:00"), []) == [order] * is_over


def test_an_order_that_the_book_shows_as_open_waits_for_the_next_session(connection: Connection) -> None:
    """Its day turned out to be a holiday of which no list knew."""
    order = at_broker(connection, at=EVENING, as_amo=True, reaches_exchange_at=india("2026-11-26 09:45"))
    at = india("2026-11-27 07:05")
    for open_still in (BrokerState.WORKING, BrokerState.OTHER):
        assert left_behind(connection, at, [report(order, open_still, is_amo=True)]) == []
    assert left_behind(connection, at, [report(order, BrokerState.LAPSED, is_amo=True)]) == [order]


def test_a_fill_of_an_order_that_had_ended_here_is_an_alarm(connection: Connection) -> None:
    order = at_broker(connection, state=OrderState.LAPSED)
    for filled in (BrokerState.LAPSED, BrokerState.FILLED, BrokerState.FILLED):
        follow_all(connection, [report(order, filled)], MOMENT)
    assert rings(connection) == [Notice.CONFLICT]
    assert "Dhan has filled 10 of this order" in last_words(connection)


def test_an_order_of_yesterday_is_left_behind_once_the_history_is_ready(connection: Connection) -> None:
    order = at_broker(connection)
    assert left_behind(connection, india("2026-11-25 23:59"), []) == []
    assert left_behind(connection, india("2026-11-26 06:59"), []) == []
    assert left_behind(connection, india("2026-11-26 07:00"), []) == [order]


SOMEBODY_TRADED = {"52261199": PastFill(quantity=1, average_price=Decimal(7))}
NINE = india("2026-11-26 09:00")


def close(connection: Connection, order: Order, fills: dict[str, PastFill], now: datetime = NEXT_MORNING) -> Order:
    """The order after a look at the trade history of its day."""
    moment = Moment(now=now, wall=WALL)
    close_past_day(connection, day=order.broker_day, left=[order], fills=fills, moment=moment)
    return again(connection, order)


def own_fill(quantity: int) -> dict[str, PastFill]:
    return {"52261125": PastFill(quantity=quantity, average_price=Decimal("1412.50"))}


@pytest.mark.parametrize(
    ("fills", "state", "traded"),
    [
        (own_fill(10), OrderState.FILLED, 10),
        (own_fill(4), OrderState.LAPSED, 4),
        (SOMEBODY_TRADED, OrderState.LAPSED, 0),
    ],
)
def test_the_history_closes_an_order_of_a_past_day(
    connection: Connection, fills: dict[str, PastFill], state: OrderState, traded: int
) -> None:
    order = at_broker(connection)
    closed = close(connection, order, fills)
    assert (closed.state, closed.filled_quantity) == (state, traded)
    assert rings(connection) == [Notice(state.value)]
    assert f"{traded} of 10 filled" in last_words(connection)


def test_an_empty_history_is_no_evidence_and_a_later_one_counts(connection: Connection) -> None:
    order = at_broker(connection)
    assert close(connection, order, {}) == order
    assert close(connection, order, own_fill(10)).state is OrderState.FILLED
    assert rings(connection) == [Notice.FILLED]


@pytest.mark.parametrize("shown", [0, 6])
def test_a_history_that_lacks_a_fill_that_the_book_showed_is_no_evidence(connection: Connection, shown: int) -> None:
    order = at_broker(connection)
    other = an_order(connection, state=OrderState.FILLED, broker_order_id="7", filled_quantity=10)
    short = SOMEBODY_TRADED | ({"7": PastFill(quantity=shown, average_price=Decimal(7))} if shown else {})
    assert close(connection, order, short) == order
    whole = {"7": PastFill(quantity=other.filled_quantity, average_price=Decimal(7))}
    assert close(connection, order, whole).state is OrderState.LAPSED


def test_a_fill_that_we_saw_is_not_lost_when_the_history_lacks_it(connection: Connection) -> None:
    order = at_broker(connection, state=OrderState.PART_FILLED, filled_quantity=4, average_price=Decimal(1412))
    assert close(connection, order, SOMEBODY_TRADED) == order
    closed = close(connection, order, SOMEBODY_TRADED | own_fill(4))
    assert (closed.state, closed.filled_quantity, closed.average_price) == (OrderState.LAPSED, 4, Decimal("1412.50"))


@pytest.mark.parametrize("state", [OrderState.WORKING, OrderState.CANCELLING])
def test_an_order_of_which_the_history_says_nothing_by_nine_is_asked_about_once(
    connection: Connection, state: OrderState
) -> None:
    order = at_broker(connection)
    if state is OrderState.CANCELLING:
        order_changes.cancel(connection, order, actor=journal.operator(42), at=MOMENT.now)
        order = again(connection, order)
    asked = close(connection, order, {}, NINE)
    kind = Notice.NEEDS_OPERATOR if state is OrderState.WORKING else Notice.NOT_CHANGED
    assert (asked.state, rings(connection)) == (OrderState.WORKING, [kind])
    assert "does not tell whether it traded" in asked.reason
    assert close(connection, asked, {}, NINE) == asked
    assert close(connection, asked, own_fill(10), NINE).state is OrderState.FILLED


def test_an_order_that_was_asked_about_is_closed_at_the_operators_word(connection: Connection) -> None:
    order = at_broker(connection)
    asked = close(connection, order, {}, NINE)
    order_changes.cancel(connection, asked, actor=journal.operator(42), at=NINE)
    closed = close(connection, again(connection, asked), {}, NINE)
    assert (closed.state, closed.filled_quantity) == (OrderState.CANCELLED, 0)
    assert rings(connection) == [Notice.NEEDS_OPERATOR, Notice.CANCELLED]
    assert last_words(connection).startswith("Closed here at your word.")
    assert controls.fetch(connection, f"past_day.{order.id}") is None


def test_an_order_that_dhan_called_traded_never_lapses(connection: Connection) -> None:
    order = at_broker(connection)
    for _ in range(2):
        order = follow(connection, order, report(order, BrokerState.FILLED, filled_quantity=4), MOMENT)
    assert close(connection, order, own_fill(4)) == order
    assert close(connection, order, own_fill(4), NINE).state is OrderState.PART_FILLED
    assert rings(connection)[-1] is Notice.NEEDS_OPERATOR


async def test_an_order_is_followed_from_the_broker_to_its_fill(floor: Floor) -> None:
    order = await floor.sent()
    assert order.state is OrderState.WORKING
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    filled = floor.now(order)
    assert (filled.state, filled.filled_quantity) == (OrderState.FILLED, 10)


async def test_an_order_placed_by_hand_is_never_touched(floor: Floor) -> None:
    theirs = floor.dhan.placed(correlationId=None, orderType="LIMIT", price=1000)
    order = await floor.sent()
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    with floor.database.snapshot() as connection:
        assert [known.id for known in orders.recent(connection, 9)] == [order.id]
    assert floor.dhan.order(theirs)["orderStatus"] == "PENDING"


async def test_an_after_market_order_waits_in_the_evenings_book_and_fills_the_next_day(floor: Floor) -> None:
    floor.clock.instant = EVENING
    await floor.sign_in()
    order = await floor.sent(
        as_amo=True,
        mode=Mode.AMO,
        product=Product.DELIVERY,
        reaches_exchange_at=india("2026-11-26 09:45"),
        expires_at=india("2026-11-26 08:59"),
    )
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()
    waiting = floor.now(order)
    assert (waiting.state, waiting.confirmed) == (OrderState.WORKING, True)
    floor.clock.instant = india("2026-11-26 09:46")
    await floor.sign_in()
    await floor.follow_book()
    assert floor.now(order).state is OrderState.FILLED


async def test_a_fill_that_nobody_watched_is_found_in_the_history_the_next_morning(floor: Floor) -> None:
    order = await floor.sent()
    floor.clock.instant = NEXT_MORNING
    await floor.sign_in()
    await floor.follow_book()
    filled = floor.now(order)
    assert (filled.state, filled.filled_quantity) == (OrderState.FILLED, 10)
    assert filled.average_price is not None


async def test_a_history_that_cannot_be_read_holds_nothing_up(floor: Floor) -> None:
    order = await floor.sent()
    floor.clock.instant = NEXT_MORNING
    await floor.sign_in()
    no_data = {"errorType": "Data_Error", "errorCode": "DH-907", "errorMessage": "No data present"}
    floor.dhan.script("trades", "status", status=400, body=no_data)
    await floor.follow_book()
    assert floor.now(order).state is OrderState.WORKING
    await floor.follow_book()
    assert floor.now(order).state is OrderState.FILLED


async def test_a_history_that_is_late_is_asked_again_but_not_at_every_look(floor: Floor) -> None:
    order = await floor.sent()
    floor.clock.instant = NEXT_MORNING
    await floor.sign_in()
    floor.dhan.script("trades", "status", status=200, body=[])
    reconciler = Reconciler(database=floor.database, broker=floor.broker, clock=floor.clock)
    for _ in range(2):
        await reconciler.follow_book()
        assert floor.now(order).state is OrderState.WORKING
    floor.clock.pass_time(seconds=60)
    await reconciler.follow_book()
    assert floor.now(order).state is OrderState.FILLED
