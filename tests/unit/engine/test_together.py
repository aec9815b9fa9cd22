"""One book tells of several orders at once: each is moved, told and journalled as if it had come alone."""

from decimal import Decimal

from sqlalchemy import Connection, select

from core import controls, journal
from core.broker.port import BrokerState
from core.db.tables import outbox
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine import marks
from core.engine.marks import Mark
from core.engine.reconcile import follow_all
from tests.builders import an_order
from tests.unit.engine.rows import MOMENT, again, report


def several(connection: Connection, count: int) -> list[Order]:
    """Orders that Dhan has as 900, 901 and so on, for 10 shares, 11 and so on."""
    return [
        an_order(connection, broker_order_id=f"90{number}", quantity=10 + number, state=OrderState.WORKING)
        for number in range(count)
    ]


def told(connection: Connection) -> list[tuple[int, Notice, int]]:
    """Of which alert rang what, with how much filled, in the order in which it rang."""
    rows = connection.execute(select(outbox.c.alert_id, outbox.c.kind, outbox.c.payload).order_by(outbox.c.id))
    return [(row.alert_id, row.kind, row.payload["filled"]) for row in rows]


def test_each_order_goes_where_its_own_row_says_and_rings_in_the_order_of_the_orders(connection: Connection) -> None:
    filled, rejected, partly, resting, also_filled = book_of = several(connection, 5)
    book = [
        report(also_filled, BrokerState.FILLED, correlation_id="", average_price=Decimal("7.05")),
        report(resting, BrokerState.WORKING, correlation_id="", price=Decimal(1400)),
        report(partly, BrokerState.PART_FILLED, correlation_id="", filled_quantity=4, average_price=Decimal(1412)),
        report(rejected, BrokerState.REJECTED, correlation_id="", words="RMS: margin"),
        report(filled, BrokerState.FILLED, correlation_id=""),
    ]
    follow_all(connection, book, MOMENT)
    now = [again(connection, order) for order in book_of]
    assert [(order.state, order.filled_quantity, order.average_price) for order in now] == [
        (OrderState.FILLED, 10, Decimal("1412.50")),
        (OrderState.REJECTED, 0, None),
        (OrderState.PART_FILLED, 4, Decimal(1412)),
        (OrderState.WORKING, 0, None),
        (OrderState.FILLED, 14, Decimal("7.05")),
    ]
    assert now[3].confirmed
    assert told(connection) == [
        (filled.alert_id, Notice.FILLED, 10),
        (rejected.alert_id, Notice.REJECTED, 0),
        (partly.alert_id, Notice.PART_FILLED, 4),
        (also_filled.alert_id, Notice.FILLED, 14),
    ]


def test_the_story_of_each_order_says_how_much_was_filled(connection: Connection) -> None:
    one, other = several(connection, 2)
    book = [report(order, BrokerState.FILLED, correlation_id="") for order in (one, other)]
    follow_all(connection, book, MOMENT)
    for order in (one, other):
        last = journal.story(connection, order.alert_id)[-1]
        assert (last.order_id, last.kind, last.after) == (order.id, "move", OrderState.FILLED)
        assert last.data == {"filled": order.quantity, "average": "1412.50"}
        assert last.reason == f"Filled: {order.quantity} at ₹1,412.50."


def test_what_was_noted_of_an_order_goes_with_its_end_and_of_others_it_stays(connection: Connection) -> None:
    ended, resting = several(connection, 2)
    for order in (ended, resting):
        marks.put(connection, order, Mark.RESTS, {"words": "so"}, at=MOMENT.now)
    book = [report(ended, BrokerState.CANCELLED, correlation_id=""), report(resting, BrokerState.WORKING)]
    follow_all(connection, book, MOMENT)
    assert marks.fetch(connection, ended, Mark.RESTS) is None
    assert marks.fetch(connection, resting, Mark.RESTS) is not None


def test_an_alarm_about_one_does_not_keep_the_others_from_being_followed(connection: Connection) -> None:
    too_much, well = several(connection, 2)
    book = [
        report(too_much, BrokerState.FILLED, correlation_id="", filled_quantity=11),
        report(well, BrokerState.FILLED, correlation_id=""),
    ]
    follow_all(connection, book, MOMENT)
    assert [again(connection, order).state for order in (too_much, well)] == [OrderState.FILLED] * 2
    assert Notice.CONFLICT in [kind for _, kind, _ in told(connection)]
    assert "Dhan filled 11 of an order for 10" in next(iter(controls.holds(connection).values()))
