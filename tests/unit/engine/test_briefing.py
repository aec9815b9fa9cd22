"""What a desk says that is back: how long it was down, and what became of what was in flight."""

from datetime import timedelta

from sqlalchemy import Connection

from core import controls, journal
from core.clock import Moment
from core.controls import Hold
from core.db import orders
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine import briefing
from tests.builders import NOON, an_order
from tests.unit.engine.rows import MOMENT, WALL, last_words, rings

DOWN = WALL - timedelta(minutes=3, seconds=12)


def later(seconds: float) -> Moment:
    return Moment(now=NOON + timedelta(seconds=seconds), wall=WALL + timedelta(seconds=seconds))


def start(connection: Connection) -> None:
    controls.set_hold(connection, Hold.STARTING, "starting", at=NOON, actor=journal.DESK)
    briefing.begin(connection, MOMENT, down_since=DOWN)


def has_read_the_book(connection: Connection) -> None:
    controls.lift_hold(connection, Hold.STARTING, at=NOON, actor=journal.DESK)


def move(connection: Connection, order: Order, to: OrderState) -> None:
    orders.move(connection, order, to, at=NOON, actor=journal.DESK, reason="")


def test_it_waits_for_the_truth_and_tells_it(connection: Connection) -> None:
    found = an_order(connection, state=OrderState.UNKNOWN)
    queued = an_order(connection, state=OrderState.QUEUED)
    start(connection)
    briefing.tell_when_known(connection, later(1))
    assert rings(connection) == []
    move(connection, found, OrderState.WORKING)
    has_read_the_book(connection)
    briefing.tell_when_known(connection, later(2))
    assert rings(connection) == [Notice.DESK_STARTED]
    assert last_words(connection) == (
        f"Down 00:03:12; 2 alerts in flight ({found.alert_id}, {queued.alert_id}): "
        "1 found at Dhan, 1 not sent, still queued."
    )
    briefing.tell_when_known(connection, later(60))
    assert len(rings(connection)) == 1


def test_when_dhan_stays_away_it_says_so_after_a_while(connection: Connection) -> None:
    an_order(connection, state=OrderState.UNKNOWN)
    start(connection)
    briefing.tell_when_known(connection, later(19))
    assert rings(connection) == []
    briefing.tell_when_known(connection, later(20))
    assert "1 still in doubt, being looked up" in last_words(connection)


def test_with_nothing_in_flight_it_is_told_at_once_and_not_in_a_loop(connection: Connection) -> None:
    start(connection)
    assert last_words(connection) == "Down 00:03:12; nothing was in flight."
    start(connection)
    assert len(rings(connection)) == 1


def test_a_desk_that_falls_again_tells_it_all_the_next_time(connection: Connection) -> None:
    order = an_order(connection, state=OrderState.UNKNOWN)
    start(connection)
    move(connection, order, OrderState.WORKING)
    briefing.begin(connection, later(10), down_since=WALL + timedelta(seconds=9))
    has_read_the_book(connection)
    briefing.tell_when_known(connection, later(11))
    assert last_words(connection) == f"Down 00:03:22; 1 alert in flight ({order.alert_id}): 1 found at Dhan."
