"""Believing the broker: orders found under our name, and orders followed through its book."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from core import controls, journal
from core.broker.port import BrokerState
from core.clock import Moment
from core.controls import Hold
from core.db import attempts
from core.domain.alert import Product, Side, Validity
from core.domain.attempt import AttemptState
from core.domain.notice import Notice
from core.domain.order import MOVES, OrderState
from core.engine.adopt import adopt, follow
from core.engine.reconcile import follow_all
from core.engine.resolve import doubt_unfinished
from tests.builders import NOON, an_order
from tests.unit.engine.rows import (
    MOMENT,
    WALL,
    again,
    an_attempt,
    at_broker,
    in_doubt,
    last_words,
    later,
    report,
    rings,
)

ENDINGS = {
    BrokerState.FILLED: (OrderState.FILLED, Notice.FILLED),
    BrokerState.REJECTED: (OrderState.REJECTED, Notice.REJECTED),
    BrokerState.CANCELLED: (OrderState.CANCELLED, Notice.CANCELLED),
    BrokerState.LAPSED: (OrderState.LAPSED, Notice.LAPSED),
}


@pytest.mark.parametrize("state", ENDINGS)
def test_an_ending_in_the_book_ends_the_order_and_rings(connection: Connection, state: BrokerState) -> None:
    order = at_broker(connection)
    ended, notice = ENDINGS[state]
    assert follow(connection, order, report(order, state), MOMENT).state is ended
    assert rings(connection) == [notice]


def test_the_books_first_confirmation_is_noted_and_rings_nothing(connection: Connection) -> None:
    order = at_broker(connection)
    assert follow(connection, order, report(order, BrokerState.RECEIVED), MOMENT) == order
    confirmed = follow(connection, order, report(order, BrokerState.WORKING), MOMENT)
    assert (confirmed.state, confirmed.confirmed) == (OrderState.WORKING, True)
    assert rings(connection) == []


def test_a_book_that_says_the_same_again_changes_nothing(connection: Connection) -> None:
    order = at_broker(connection)
    part = report(order, BrokerState.PART_FILLED, filled_quantity=4, average_price=Decimal(1412))
    seen = follow(connection, order, part, MOMENT)
    assert follow(connection, seen, part, MOMENT).version == seen.version
    assert rings(connection) == [Notice.PART_FILLED]


def test_a_partial_fill_is_told_at_every_step(connection: Connection) -> None:
    order = at_broker(connection)
    for filled in (4, 7):
        piece = report(order, BrokerState.PART_FILLED, filled_quantity=filled, average_price=Decimal(1412))
        order = follow(connection, order, piece, MOMENT)
        assert (order.state, order.filled_quantity) == (OrderState.PART_FILLED, filled)
        assert last_words(connection) == f"{filled} of 10 filled at ₹1,412.00."
    assert rings(connection) == [Notice.PART_FILLED] * 2


def test_a_fill_shows_its_price(connection: Connection) -> None:
    order = at_broker(connection)
    filled = follow(connection, order, report(order, BrokerState.FILLED), MOMENT)
    assert (filled.filled_quantity, filled.average_price) == (10, Decimal("1412.50"))
    assert filled.reason == "Filled: 10 at ₹1,412.50."


@pytest.mark.parametrize("filled", [0, 4])
def test_an_order_called_traded_is_not_filled_before_the_book_shows_all_of_it(
    connection: Connection, filled: int
) -> None:
    order = at_broker(connection)
    order = follow(connection, order, report(order, BrokerState.FILLED, filled_quantity=filled), MOMENT)
    assert (order.state.is_final, order.filled_quantity) == (False, filled)
    assert Notice.FILLED not in rings(connection)
    order = follow(connection, order, report(order, BrokerState.FILLED), MOMENT)
    assert (order.state, order.filled_quantity, order.reason) == (OrderState.FILLED, 10, "Filled: 10 at ₹1,412.50.")
    assert rings(connection)[-1] is Notice.FILLED
    assert controls.holds(connection) == {}


def test_a_card_does_not_say_filled_of_nothing(connection: Connection) -> None:
    order = at_broker(connection)
    short = report(order, BrokerState.FILLED, status="TRADED", filled_quantity=0)
    assert follow(connection, order, short, MOMENT).reason == (
        "Dhan calls it TRADED, but its book shows 0 of 10 filled so far."
    )


def test_a_traded_order_whose_fill_does_not_come_is_told_once(connection: Connection) -> None:
    order = at_broker(connection)
    short = report(order, BrokerState.FILLED, status="TRADED", filled_quantity=4)
    for seconds in (0, 1, 30):
        order = follow(connection, order, short, later(seconds))
    assert rings(connection) == [Notice.PART_FILLED]
    for seconds in (31, 32, 600):
        order = follow(connection, order, short, later(seconds))
    assert rings(connection) == [Notice.PART_FILLED, Notice.FILL_NOT_SHOWN]
    assert last_words(connection) == order.reason
    assert order.reason.startswith("Dhan calls it TRADED, but its book still shows 4 of 10 filled. ")
    assert "52261125" in order.reason


def test_a_jump_of_the_paper_clock_makes_no_fill_late(connection: Connection) -> None:
    order = at_broker(connection)
    short = report(order, BrokerState.FILLED, status="TRADED", filled_quantity=4)
    for seconds in (0, 1):
        order = follow(connection, order, short, later(seconds))
    jumped = Moment(now=later(3600).now, wall=later(2).wall)
    assert follow(connection, order, short, jumped) == order


def test_what_was_noted_of_an_order_is_gone_when_it_has_ended(connection: Connection) -> None:
    order, other = at_broker(connection), an_order(connection, state=OrderState.WORKING, broker_order_id="52261126")
    for short in (order, other):
        for _ in range(2):
            follow(connection, again(connection, short), report(short, BrokerState.FILLED, filled_quantity=4), MOMENT)
    assert controls.fetch(connection, f"short_fill.{order.id}") is not None
    follow(connection, again(connection, order), report(order, BrokerState.FILLED), MOMENT)
    assert controls.fetch(connection, f"short_fill.{order.id}") is None
    assert controls.fetch(connection, f"short_fill.{other.id}") is not None


def test_a_smaller_order_is_filled_when_all_that_is_left_of_it_is(connection: Connection) -> None:
    order = at_broker(connection)
    smaller = report(order, BrokerState.FILLED, quantity=6, filled_quantity=6)
    assert follow(connection, order, smaller, MOMENT).state is OrderState.FILLED


@pytest.mark.fault("BR-23")
def test_a_fill_count_that_goes_backwards_is_an_alarm_once_and_stops_nothing(connection: Connection) -> None:
    order = at_broker(connection)
    for filled in (7, 4, 3, 7, 4):
        piece = report(order, BrokerState.PART_FILLED, filled_quantity=filled)
        order = follow(connection, order, piece, MOMENT)
    assert rings(connection) == [Notice.PART_FILLED, Notice.CONFLICT]
    assert "showed 7 of it filled, and shows 4 now" in last_words(connection)
    assert (order.filled_quantity, controls.holds(connection)) == (7, {})


@pytest.mark.fault("BR-23")
def test_an_older_row_changes_neither_the_fill_nor_its_price(connection: Connection) -> None:
    order = at_broker(connection)
    newer = report(order, BrokerState.PART_FILLED, filled_quantity=7, average_price=Decimal(1410))
    older = report(order, BrokerState.CANCELLED, filled_quantity=4, average_price=Decimal(1400))
    order = follow(connection, follow(connection, order, newer, MOMENT), older, MOMENT)
    assert (order.state, order.filled_quantity, order.average_price) == (OrderState.CANCELLED, 7, Decimal(1410))


def test_a_book_that_goes_backwards_takes_no_fill_away(connection: Connection) -> None:
    order = at_broker(connection)
    seen = follow(connection, order, report(order, BrokerState.PART_FILLED, filled_quantity=7), MOMENT)
    for stale in (
        report(order, BrokerState.PART_FILLED, filled_quantity=4),
        report(order, BrokerState.WORKING),
        report(order, BrokerState.RECEIVED),
    ):
        seen = follow(connection, seen, stale, MOMENT)
        assert (seen.state, seen.filled_quantity) == (OrderState.PART_FILLED, 7)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(BrokerState), st.integers(0, 10)), max_size=8))
def test_whatever_the_book_says_fills_only_grow_and_moves_are_legal(
    connection: Connection, steps: list[tuple[BrokerState, int]]
) -> None:
    order = at_broker_again(connection)
    for state, filled in steps:
        after = follow(connection, order, report(order, state, filled_quantity=filled), MOMENT)
        assert after.state is not OrderState.FILLED or after.filled_quantity == after.quantity
        assert order.filled_quantity <= after.filled_quantity <= order.quantity
        assert after.state is order.state or after.state in MOVES[order.state]
        assert order.confirmed <= after.confirmed
        order = after


def at_broker_again(connection: Connection) -> Any:
    """Like `at_broker`, without an attempt, whose name would be taken the second time."""
    return an_order(connection, state=OrderState.WORKING, broker_order_id="52261125")


def test_a_cancelled_order_keeps_what_was_filled_before(connection: Connection) -> None:
    order = at_broker(connection)
    cancelled = follow(connection, order, report(order, BrokerState.CANCELLED, filled_quantity=4), MOMENT)
    assert (cancelled.state, cancelled.filled_quantity) == (OrderState.CANCELLED, 4)
    assert last_words(connection) == "Cancelled at the exchange with 4 of 10 filled."


def test_an_order_that_lapsed_says_how_much_was_filled(connection: Connection) -> None:
    order = at_broker(connection, state=OrderState.PART_FILLED, filled_quantity=4)
    lapsed = follow(connection, order, report(order, BrokerState.LAPSED), MOMENT)
    assert (lapsed.state, lapsed.filled_quantity) == (OrderState.LAPSED, 4)
    assert last_words(connection) == "Its validity ran out with 4 of 10 filled."


@pytest.mark.parametrize("state", [BrokerState.LAPSED, BrokerState.CANCELLED])
@pytest.mark.parametrize(
    ("filled", "words"),
    [
        (3, "Filled 3 of 10 at ₹1,000.00, the rest was cancelled at once since it was IOC."),
        (0, "Nothing of 10 could be filled at once, so it was cancelled, since it was IOC."),
    ],
)
def test_the_rest_of_an_ioc_order_was_cancelled_because_it_was_ioc(
    connection: Connection, state: BrokerState, filled: int, words: str
) -> None:
    order = at_broker(connection, validity=Validity.IOC)
    average = Decimal(1000) if filled else None
    ended = follow(connection, order, report(order, state, filled_quantity=filled, average_price=average), MOMENT)
    assert (ended.state, ended.filled_quantity) == (OrderState(state.value), filled)
    assert last_words(connection) == words
    assert len(rings(connection)) == 1


def test_an_ioc_order_that_the_operator_cancels_was_cancelled_by_the_operator(connection: Connection) -> None:
    order = at_broker(connection, state=OrderState.CANCELLING, validity=Validity.IOC)
    follow(connection, order, report(order, BrokerState.CANCELLED), MOMENT)
    assert last_words(connection) == "Cancelled at the exchange with 0 of 10 filled."


def test_a_late_rejection_carries_the_exchanges_reason(connection: Connection) -> None:
    order = at_broker(connection)
    follow(connection, order, report(order, BrokerState.REJECTED, words="RMS:1:You have insufficient funds."), MOMENT)
    assert "You have insufficient funds." in last_words(connection)


def test_a_status_that_nobody_knows_ends_nothing(connection: Connection) -> None:
    order = at_broker(connection)
    assert follow(connection, order, report(order, BrokerState.OTHER, status="MODIFIED"), MOMENT) == order


def test_fills_under_a_status_that_nobody_knows_count_like_any_other(connection: Connection) -> None:
    order = at_broker(connection)
    for filled, state in ((4, OrderState.PART_FILLED), (10, OrderState.FILLED)):
        odd = report(order, BrokerState.OTHER, status="MODIFIED", filled_quantity=filled)
        order = follow(connection, order, odd, MOMENT)
        assert (order.state, order.filled_quantity, order.confirmed) == (state, filled, True)
    assert rings(connection) == [Notice.PART_FILLED, Notice.FILLED]


@pytest.mark.parametrize(("filled", "state"), [(4, OrderState.CANCELLING), (10, OrderState.FILLED)])
def test_an_odd_status_leaves_a_cancellation_open_unless_there_is_nothing_left_to_cancel(
    connection: Connection, filled: int, state: OrderState
) -> None:
    order = at_broker(connection, state=OrderState.CANCELLING)
    odd = report(order, BrokerState.OTHER, status="MODIFIED", filled_quantity=filled)
    assert follow(connection, order, odd, MOMENT).state is state


def test_a_finished_order_is_never_followed_elsewhere(connection: Connection) -> None:
    order = at_broker(connection, state=OrderState.CANCELLED)
    assert follow(connection, order, report(order, BrokerState.FILLED), MOMENT) == order


def test_a_late_rejection_is_told_in_dhans_words_and_in_ours(connection: Connection) -> None:
    order = at_broker(connection)
    words = {"words": "RMS:1:You have insufficient funds.", "advice": "There is not enough money. Add funds."}
    rejected = follow(connection, order, report(order, BrokerState.REJECTED, **words), MOMENT)
    assert rejected.reason == (
        "Rejected after it was placed. There is not enough money. Add funds. "
        "Dhan said: RMS:1:You have insufficient funds."
    )
    assert rings(connection) == [Notice.REJECTED]


def test_more_filled_than_ordered_is_an_alarm(connection: Connection) -> None:
    order = at_broker(connection)
    follow(connection, order, report(order, BrokerState.FILLED, filled_quantity=15), MOMENT)
    assert Notice.CONFLICT in rings(connection)


def test_an_order_in_doubt_that_is_found_is_ours_and_rings(connection: Connection) -> None:
    order = in_doubt(connection)
    adopt(connection, order, report(order, BrokerState.WORKING), MOMENT)
    found = again(connection, order)
    assert (found.state, found.broker_order_id, found.confirmed) == (OrderState.WORKING, "52261125", True)
    [attempt] = attempts.of_orders(connection, [order.id])
    assert attempt.state is AttemptState.ACCEPTED
    assert rings(connection) == [Notice.FOUND]


def test_an_order_that_is_found_filled_is_filled(connection: Connection) -> None:
    order = in_doubt(connection)
    adopt(connection, order, report(order, BrokerState.FILLED), MOMENT)
    assert again(connection, order).state is OrderState.FILLED
    assert rings(connection) == [Notice.FOUND, Notice.FILLED]


@pytest.mark.parametrize("state", [OrderState.NEEDS_OPERATOR, OrderState.DROPPED])
def test_an_order_given_up_that_appears_after_all_is_an_alarm(connection: Connection, state: OrderState) -> None:
    order = in_doubt(connection, state)
    follow_all(connection, [report(order, BrokerState.WORKING)], MOMENT)
    assert again(connection, order).state is OrderState.WORKING
    assert rings(connection) == [Notice.FOUND]


def test_type_and_price_may_differ_since_dhan_protects_market_orders(connection: Connection) -> None:
    order = in_doubt(connection)
    adopt(connection, order, report(order, BrokerState.WORKING, price=Decimal("1419.60")), MOMENT)
    assert again(connection, order).state is OrderState.WORKING


OTHERS: dict[str, dict[str, Any]] = {
    "security": {"security_id": "11536"},
    "segment": {"segment": "BSE_EQ"},
    "side": {"side": Side.SELL},
    "unreadable side": {"side": None},
    "product": {"product": Product.DELIVERY},
    "quantity": {"quantity": 20},
}


@pytest.mark.parametrize("difference", OTHERS)
@pytest.mark.parametrize("state", [OrderState.UNKNOWN, OrderState.SUBMITTING])
def test_another_order_under_our_name_is_never_adopted_and_stops_the_desk(
    connection: Connection, difference: str, state: OrderState
) -> None:
    order = an_order(connection, state=state)
    an_attempt(connection, order, AttemptState.UNKNOWN)
    found = replace(report(order, BrokerState.FILLED), **OTHERS[difference])
    adopt(connection, order, found, MOMENT)
    asking = again(connection, order)
    assert (asking.state, asking.broker_order_id, asking.filled_quantity) == (OrderState.NEEDS_OPERATOR, None, 0)
    [attempt] = attempts.of_orders(connection, [order.id])
    assert (attempt.state, attempt.next_lookup_at) == (AttemptState.UNKNOWN, None)
    assert list(controls.holds(connection)) == [Hold.PAUSED]
    assert rings(connection) == [Notice.CONFLICT]
    assert found.order_id in last_words(connection)


def test_a_conflict_rings_once_however_often_the_book_shows_it(connection: Connection) -> None:
    order = in_doubt(connection)
    book = [report(order, BrokerState.FILLED, quantity=20)]
    adopt(connection, order, book[0], MOMENT)
    follow_all(connection, book, MOMENT)
    assert rings(connection) == [Notice.CONFLICT]


def test_a_conflict_that_the_operator_answered_stops_the_desk_no_more(connection: Connection) -> None:
    order = in_doubt(connection, OrderState.DROPPED)
    book = [report(order, BrokerState.FILLED, quantity=20)]
    follow_all(connection, book, MOMENT)
    controls.resume(connection, at=NOON, actor=journal.operator(42))
    follow_all(connection, book, MOMENT)
    assert controls.holds(connection) == {}


def test_an_order_that_changed_since_it_was_seen_keeps_its_look_ups(connection: Connection) -> None:
    seen = an_order(connection, state=OrderState.SUBMITTING)
    attempt = an_attempt(connection, seen, AttemptState.OPEN)
    doubt_unfinished(connection, MOMENT)
    adopt(connection, seen, report(seen, BrokerState.WORKING), MOMENT)
    assert again(connection, seen).state is OrderState.UNKNOWN
    assert [due.id for due in attempts.due_for_lookup(connection, WALL)] == [attempt.id]
