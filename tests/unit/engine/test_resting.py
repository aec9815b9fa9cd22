"""Market orders that rest at the exchange, since Dhan sends them as limits inside a protecting range."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from core.broker.port import BrokerState
from core.domain.alert import AmoTime, OrderType, Validity
from core.domain.notice import Notice
from core.domain.order import OrderState
from core.engine.adopt import follow
from tests.unit.engine.rows import MOMENT, at_broker, last_words, later, report, rings


def test_an_ioc_order_is_never_said_to_rest(connection: Connection) -> None:
    order = at_broker(connection, validity=Validity.IOC)
    resting = report(order, BrokerState.WORKING, price=Decimal(1500))
    order = follow(connection, order, resting, MOMENT)
    assert follow(connection, order, resting, later(60)) == order


@pytest.mark.parametrize("closes", [False, True], ids=["entry", "exit"])
def test_a_market_order_that_rests_as_a_protected_limit_rings_once_and_says_at_what_price(
    connection: Connection, closes: bool
) -> None:
    order = at_broker(connection, closes=closes)
    book = report(order, BrokerState.WORKING, price=Decimal("1419.60"))
    resting = follow(connection, follow(connection, order, book, MOMENT), book, later(3))
    assert resting.reason.startswith(
        "Not filled: Dhan protects market orders and keeps this one as a limit at ₹1,419.60."
    )
    assert follow(connection, resting, book, later(9)) == resting
    assert (rings(connection), last_words(connection)) == ([Notice.RESTING], resting.reason)


def test_a_market_order_whose_row_has_no_price_is_said_to_rest_too(connection: Connection) -> None:
    order = at_broker(connection)
    book = report(order, BrokerState.WORKING)
    resting = follow(connection, follow(connection, order, book, MOMENT), book, later(3))
    assert "keeps this one as a limit of its own." in resting.reason
    assert rings(connection) == [Notice.RESTING]


def test_the_rest_of_a_market_order_that_filled_in_part_is_said_to_rest_once(connection: Connection) -> None:
    order = at_broker(connection)
    for filled, seconds in ((4, 0), (4, 3), (7, 4), (7, 60)):
        piece = report(
            order,
            BrokerState.PART_FILLED,
            filled_quantity=filled,
            average_price=Decimal(1412),
            price=Decimal("1419.60"),
        )
        order = follow(connection, order, piece, later(seconds))
        if seconds == 3:
            assert order.reason.startswith(
                "4 of 10 filled: Dhan protects market orders and keeps the rest of this one as a limit at ₹1,419.60."
            )
    assert rings(connection) == [Notice.PART_FILLED, Notice.RESTING, Notice.PART_FILLED]
    assert (order.state, order.filled_quantity) == (OrderState.PART_FILLED, 7)


def test_a_market_order_that_changed_its_status_meanwhile_is_said_to_rest(connection: Connection) -> None:
    order = at_broker(connection)
    order = follow(connection, order, report(order, BrokerState.WORKING, status="OPEN"), MOMENT)
    follow(connection, order, report(order, BrokerState.WORKING, status="PENDING"), later(3))
    assert rings(connection) == [Notice.RESTING]


def test_a_market_order_that_most_likely_fills_at_once_is_not_said_to_rest(connection: Connection) -> None:
    order = at_broker(connection)
    book = report(order, BrokerState.WORKING, price=Decimal("1419.60"))
    there = follow(connection, order, book, MOMENT)
    assert there.reason == "Dhan says WORKING."
    assert follow(connection, there, book, later(2)) == there


def test_an_after_market_order_is_not_said_to_rest_before_the_exchange_has_it(connection: Connection) -> None:
    order = at_broker(connection, reaches_exchange_at=MOMENT.now + timedelta(hours=15))
    book = report(order, BrokerState.WORKING, price=Decimal("1419.60"))
    there = follow(connection, order, book, MOMENT)
    assert follow(connection, there, book, later(60)) == there


def test_a_market_order_of_the_pre_open_is_not_said_to_rest_before_the_session(connection: Connection) -> None:
    pre_open = {"as_amo": True, "amo_time": AmoTime.PRE_OPEN, "reaches_exchange_at": MOMENT.now}
    order = at_broker(connection, **pre_open)
    book = report(order, BrokerState.WORKING, price=Decimal("1419.60"))
    there = follow(connection, order, book, later(-60))
    assert follow(connection, there, book, later(15 * 60)) == there
    follow(connection, there, book, later(15 * 60 + 3))
    assert rings(connection) == [Notice.RESTING]


def test_a_market_order_in_the_closing_auction_is_never_said_to_rest(connection: Connection) -> None:
    """It matches once, at the auction's end, and what is left then has ended."""
    order = at_broker(connection, into_auction=True)
    book = report(order, BrokerState.WORKING)
    there = follow(connection, order, book, MOMENT)
    assert follow(connection, there, book, later(60)) == there


def test_what_was_said_of_a_change_meanwhile_is_not_overwritten(connection: Connection) -> None:
    order = at_broker(connection, confirmed=True, reason="Not cancelled. Dhan still shows it open.")
    book = report(order, BrokerState.WORKING, price=Decimal("1419.60"))
    assert follow(connection, order, book, later(60)) == order


def test_a_limit_order_that_rests_is_not_called_a_market_order(connection: Connection) -> None:
    order = at_broker(connection, order_type=OrderType.LIMIT, price=Decimal("1419.60"))
    resting = follow(connection, order, report(order, BrokerState.WORKING, price=Decimal("1419.60")), MOMENT)
    assert resting.reason == "Dhan says WORKING, resting at ₹1,419.60."


@pytest.mark.parametrize(
    ("kind", "at_dhan", "limit"),
    [
        (OrderType.STOP_LIMIT, Decimal("1373.10"), ", as a limit of ₹1,373.10"),
        (OrderType.STOP_MARKET, None, ""),
    ],
)
def test_a_stop_at_dhan_is_told_by_its_trigger_price(
    connection: Connection, kind: OrderType, at_dhan: Decimal | None, limit: str
) -> None:
    order = at_broker(connection, order_type=kind, price=at_dhan, trigger_price=Decimal("1375.00"))
    waiting = follow(connection, order, report(order, BrokerState.WORKING, price=at_dhan), MOMENT)
    assert waiting.reason == f"Dhan says WORKING: it is a stop that wakes at ₹1,375.00{limit}."


@pytest.mark.parametrize(
    ("kind", "at_dhan", "where"),
    [
        (OrderType.STOP_LIMIT, Decimal("1373.10"), ", resting at ₹1,373.10"),
        (OrderType.STOP_MARKET, None, ""),
        (OrderType.STOP_MARKET, Decimal("1366.20"), ", resting at ₹1,366.20"),
    ],
)
def test_a_stop_that_has_woken_is_told_by_where_it_rests(
    connection: Connection, kind: OrderType, at_dhan: Decimal | None, where: str
) -> None:
    """What trades has woken, also while the book does not show yet how much."""
    order = at_broker(connection, order_type=kind, trigger_price=Decimal("1375.00"))
    woken = follow(connection, order, report(order, BrokerState.PART_FILLED, price=at_dhan), MOMENT)
    assert woken.reason == f"Dhan says PART_FILLED{where}."


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_status_that_belongs_to_no_plain_order_leaves_what_was_said_of_a_stop(
    connection: Connection, *, confirmed: bool
) -> None:
    said = {"reason": "Dhan says WORKING: it is a stop that wakes at ₹1,375.00.", "confirmed": confirmed}
    order = at_broker(connection, order_type=OrderType.STOP_MARKET, trigger_price=Decimal("1375.00"), **said)
    seen = report(order, BrokerState.OTHER, status="TRIGGERED", price=Decimal("1366.20"))
    assert follow(connection, order, seen, MOMENT) == order
