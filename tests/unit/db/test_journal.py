"""What happened and what the operator sees commit together, and the story is told in order."""

from dataclasses import replace

import pytest
from sqlalchemy import Connection, insert, select

from core import journal, notifications
from core.db import alerts
from core.db.engine import Database
from core.db.tables import cards, operators
from tests.builders import NOON, FrozenClock, an_alert, an_order


def line(alert_id: int | None, kind: str, clock: FrozenClock, order_id: int | None = None) -> journal.Event:
    return journal.Event(at=clock.now(), alert_id=alert_id, order_id=order_id, actor=journal.DESK, kind=kind)


def test_an_event_makes_a_new_version_of_its_alerts_cards_due(connection: Connection, clock: FrozenClock) -> None:
    connection.execute(insert(operators).values(user_id=1, chat_id=1, role="admin"))
    alert, other = an_alert(connection), an_alert(connection)
    for each in (alert, other):
        notifications.open_cards(connection, each.id, NOON)
    connection.execute(cards.update().values(due_at=None, failures=4))
    clock.advance(5)
    journal.append(connection, line(alert.id, "note", clock))
    assert [found.card_version for found in alerts.some(connection, [alert.id, other.id])] == [2, 1]
    rows = connection.execute(select(cards.c.alert_id, cards.c.due_at, cards.c.failures)).all()
    assert {row.alert_id: (row.due_at, row.failures) for row in rows} == {
        alert.id: (clock.now(), 0),
        other.id: (None, 4),
    }


def test_an_event_and_its_card_version_are_undone_together(database: Database, clock: FrozenClock) -> None:
    with database.transaction() as connection:
        alert = an_alert(connection)

    def tell_then_fail() -> None:
        with database.transaction() as connection:
            journal.append(connection, line(alert.id, "note", clock))
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        tell_then_fail()
    with database.snapshot() as connection:
        assert journal.story(connection, alert.id) == []
        assert alerts.get(connection, alert.id) == alert


def test_the_story_is_told_in_the_order_it_happened_even_when_the_clock_is_moved_back(
    connection: Connection, clock: FrozenClock
) -> None:
    order = an_order(connection)
    for kind, seconds in (("first", 0), ("second", 60), ("third", -3600)):
        clock.advance(seconds)
        journal.append(connection, line(order.alert_id, kind, clock, order.id))
    journal.append(connection, line(an_alert(connection).id, "of another alert", clock))
    story = journal.story(connection, order.alert_id)
    assert [event.kind for event in story] == ["order", "first", "second", "third"]
    assert [event.id for event in story] == sorted(event.id for event in story)


def test_an_event_comes_back_as_it_was_written(connection: Connection, clock: FrozenClock) -> None:
    order = an_order(connection)
    written = journal.Event(
        at=clock.now(),
        alert_id=order.alert_id,
        order_id=order.id,
        actor=journal.operator(42),
        kind="move",
        before="queued",
        after="declined",
        reason="No.",
        data={"price": "12.50"},
    )
    journal.append(connection, written)
    found = journal.story(connection, order.alert_id)[-1]
    assert replace(found, id=0) == written
    assert found.actor == "operator 42"


def test_an_event_of_no_alert_touches_no_card(connection: Connection, clock: FrozenClock) -> None:
    alert = an_alert(connection)
    journal.append(connection, line(None, "paused", clock))
    assert alerts.get(connection, alert.id) == alert
