"""An order that waited for its time, and whose time comes under a hold."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from core import controls, notifications
from core.controls import Hold
from core.db.tables import cards
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine import held_up
from core.engine.timers import anything_is_due, run_due
from tests.builders import CALENDAR, NOON, an_order
from tests.unit.engine.rows import again, last_words, rings

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
TOLD = "Its time has come, and it is held: Stopped by operator 42 with /kill."


def waiting(connection: Connection, **values: Any) -> Order:
    """Queued at noon for one o'clock, with a card that shows that."""
    order = an_order(connection, **{"at": NOON, "release_at": NOON + HOUR, "expires_at": NOON + 2 * HOUR, **values})
    notifications.open_cards(connection, order.alert_id, NOON)
    connection.execute(cards.update().values(due_at=None))
    return order


def kill(connection: Connection) -> None:
    controls.kill(connection, at=NOON, actor="operator 42")


def pass_to(connection: Connection, now: Any) -> None:
    if anything_is_due(connection, CALENDAR, now):
        run_due(connection, CALENDAR, now)


def test_that_it_is_held_is_rung_once_and_drawn_a_minute_after_its_time(connection: Connection) -> None:
    order = waiting(connection)
    kill(connection)
    pass_to(connection, NOON + HOUR + held_up.PATIENCE - SECOND)
    assert (again(connection, order), rings(connection)) == (order, [])
    pass_to(connection, NOON + HOUR + held_up.PATIENCE)
    told = again(connection, order)
    assert (told.state, told.reason, told.release_at) == (OrderState.QUEUED, TOLD, order.release_at)
    assert (rings(connection), last_words(connection)) == ([Notice.HELD], TOLD)
    assert all(connection.execute(select(cards.c.due_at)).scalars())
    pass_to(connection, NOON + HOUR + 3 * held_up.PATIENCE)
    assert rings(connection) == [Notice.HELD]


@pytest.mark.parametrize(
    "values",
    [{"release_at": NOON}, {"release_at": NOON + 2 * HOUR, "expires_at": NOON + 3 * HOUR}]
    + [{"state": state} for state in (OrderState.AWAITING_APPROVAL, OrderState.WORKING)],
    ids=["came under the hold", "later", "asked about", "at the broker"],
)
def test_of_others_nothing_is_told(connection: Connection, values: dict[str, Any]) -> None:
    order = waiting(connection, **values)
    kill(connection)
    pass_to(connection, NOON + HOUR + held_up.PATIENCE)
    assert (again(connection, order), rings(connection)) == (order, [])


@pytest.mark.parametrize("holds", [[], [Hold.STARTING]], ids=["none", "that of a start"])
def test_where_nothing_holds_for_long_nothing_is_told(connection: Connection, holds: list[Hold]) -> None:
    order = waiting(connection)
    for hold in holds:
        controls.set_hold(connection, hold, "The desk has just started.", at=NOON, actor="desk")
    pass_to(connection, NOON + HOUR + held_up.PATIENCE)
    assert (again(connection, order), rings(connection)) == (order, [])


def test_many_are_told_by_and_by_each_once(connection: Connection) -> None:
    for _ in range(held_up.MOST + 5):
        waiting(connection)
    kill(connection)
    for passed in (1, 2, 3):
        pass_to(connection, NOON + HOUR + passed * held_up.PATIENCE)
    assert rings(connection) == [Notice.HELD] * (held_up.MOST + 5)
