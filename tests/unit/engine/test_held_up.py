"""An order that waited for its time, and whose time comes under a hold."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from core import controls, journal, notifications
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


def sign_out(connection: Connection, at: datetime, words: str) -> None:
    controls.set_hold(connection, Hold.SIGNED_OUT, words, at=at, actor="desk")


def test_what_expires_under_a_hold_names_it_on_its_card_in_the_ring_and_in_the_journal(connection: Connection) -> None:
    order = waiting(connection, release_at=NOON)
    sign_out(connection, NOON, "Not signed in at Dhan: it is busy.")
    sign_out(connection, NOON + 3 * HOUR, "Not signed in at Dhan: /login.")
    kill(connection)
    pass_to(connection, NOON + 3 * HOUR)
    ended = again(connection, order)
    assert ended.state is OrderState.EXPIRED
    assert ended.reason.startswith("Its time window passed before it could go out: it was held: ")
    assert "Not signed in at Dhan: /login." in ended.reason
    assert "Stopped by operator 42 with /kill." in ended.reason
    told = journal.latest(connection, order.alert_id)
    assert told is not None
    assert (rings(connection), last_words(connection), told.reason) == ([Notice.EXPIRED], ended.reason, ended.reason)


@pytest.mark.parametrize("hold", [Hold.PAUSED, Hold.STARTING])
def test_a_hold_that_came_after_the_window_or_is_that_of_a_start_is_not_named(
    connection: Connection, hold: Hold
) -> None:
    order = waiting(connection, release_at=NOON)
    since = order.expires_at + SECOND if hold is Hold.PAUSED and order.expires_at else NOON
    controls.set_hold(connection, hold, "It holds.", at=since, actor="desk")
    pass_to(connection, NOON + 3 * HOUR)
    assert again(connection, order).reason == "Its time window passed before it could go out."


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
