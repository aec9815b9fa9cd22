"""What happens by itself: each thing for itself."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, text, update

from core import controls
from core.db.tables import sources
from core.domain.notice import Notice
from core.domain.order import OrderState
from core.engine import held_up
from core.engine.timers import anything_is_due, run_due
from tests.builders import CALENDAR, NOON, an_order
from tests.unit.engine.rows import again, rings

HOUR = timedelta(hours=1)
WAITS = OrderState.AWAITING_APPROVAL


@pytest.mark.sqlite("the bug is a trigger in its words")
def test_a_bug_over_one_thing_that_is_due_costs_no_other(connection: Connection) -> None:
    late = an_order(connection, at=NOON, expires_at=NOON + HOUR)
    held = an_order(connection, at=NOON, release_at=NOON + HOUR, expires_at=NOON + 9 * HOUR)
    controls.kill(connection, at=NOON, actor="operator 42")
    connection.execute(
        text(
            "CREATE TRIGGER a_bug BEFORE UPDATE ON orders WHEN NEW.state = 'expired' "
            "BEGIN SELECT RAISE(ABORT, 'a bug of ours'); END"
        )
    )
    run_due(connection, CALENDAR, NOON + HOUR + held_up.PATIENCE)
    assert again(connection, late).state is OrderState.QUEUED
    assert "it is held" in again(connection, held).reason
    assert rings(connection) == [Notice.HELD]


def test_a_bug_in_the_question_whether_one_thing_is_due_costs_no_other(connection: Connection) -> None:
    late = an_order(connection, at=NOON, expires_at=NOON + HOUR)
    unreadable = {"bars": 3, "bar": "of another version", "market": "equity"}
    connection.execute(update(sources).values(watch=unreadable, watched_since=NOON))
    assert anything_is_due(connection, CALENDAR, NOON), "what is due is asked apart"
    run_due(connection, CALENDAR, NOON + HOUR)
    assert again(connection, late).state is OrderState.EXPIRED


@pytest.mark.sqlite("the bug is a trigger in its words")
def test_a_bug_over_one_order_whose_time_is_over_costs_no_other(connection: Connection) -> None:
    odd, other = (an_order(connection, at=NOON, expires_at=NOON + HOUR) for _ in range(2))
    asked, _reminded = (
        an_order(connection, at=NOON, expires_at=NOON + 9 * HOUR, remind_at=NOON + HOUR, state=WAITS) for _ in range(2)
    )
    connection.execute(
        text(
            f"CREATE TRIGGER a_bug BEFORE UPDATE ON orders WHEN OLD.id IN ({odd.id}, {asked.id}) "
            "BEGIN SELECT RAISE(ABORT, 'a bug of ours'); END"
        )
    )
    run_due(connection, CALENDAR, NOON + HOUR)
    assert [again(connection, order).state for order in (odd, other)] == [OrderState.QUEUED, OrderState.EXPIRED]
    assert rings(connection) == [Notice.EXPIRED, Notice.REMINDER]
