"""Orders move from where they were seen, or not at all, and each move leaves its event."""

import asyncio
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from core import journal
from core.db import orders
from core.db.engine import Database
from core.domain.order import IllegalMove, Order, OrderState
from tests.builders import NOON, address_of, an_order, fresh_database

LATER = NOON + timedelta(minutes=1)


def moved(connection: Connection, order: Order, to: OrderState, actor: str = journal.DESK) -> Order | None:
    return orders.move(connection, order, to, at=LATER, actor=actor, reason="because")


def test_a_move_changes_the_row_and_tells_the_story(connection: Connection) -> None:
    order = an_order(connection, state=OrderState.QUEUED)
    after = orders.move(
        connection, order, OrderState.SUBMITTING, at=LATER, actor=journal.DESK, reason="Goes out.", retry_at=LATER
    )
    assert after is not None
    assert (after.state, after.version, after.reason, after.retry_at) == (OrderState.SUBMITTING, 2, "Goes out.", LATER)
    assert after.updated_at == LATER
    event = journal.story(connection, order.alert_id)[-1]
    assert (event.before, event.after, event.order_id) == ("queued", "submitting", order.id)
    assert (event.actor, event.reason, event.at) == ("desk", "Goes out.", LATER)


def test_the_second_of_two_who_saw_the_same_order_moves_nothing(connection: Connection) -> None:
    order = an_order(connection, state=OrderState.AWAITING_APPROVAL)
    assert moved(connection, order, OrderState.QUEUED, "operator 1")
    told = len(journal.story(connection, order.alert_id))
    assert moved(connection, order, OrderState.DECLINED, "operator 2") is None
    assert orders.get(connection, order.id).state is OrderState.QUEUED
    assert len(journal.story(connection, order.alert_id)) == told


async def test_of_two_processes_that_move_one_order_one_wins(tmp_path: Path) -> None:
    with closing(fresh_database(tmp_path)) as one, closing(Database(address_of(one))) as other:
        order = await one.write(lambda c: an_order(c, state=OrderState.AWAITING_APPROVAL))
        outcomes = await asyncio.gather(
            one.write(lambda c: moved(c, order, OrderState.QUEUED)),
            other.write(lambda c: moved(c, order, OrderState.DECLINED)),
        )
        winner = [outcome for outcome in outcomes if outcome]
        assert len(winner) == 1
        assert await one.read(lambda c: orders.get(c, order.id)) == winner[0]


def test_an_order_seen_before_a_note_was_made_is_stale(connection: Connection) -> None:
    order = an_order(connection, state=OrderState.WORKING)
    noted = orders.note(connection, order, at=LATER, actor=journal.DHAN, reason="Three of ten.", filled_quantity=3)
    assert noted is not None
    assert (noted.state, noted.version, noted.filled_quantity) == (OrderState.WORKING, 2, 3)
    assert moved(connection, order, OrderState.FILLED) is None
    assert orders.note(connection, order, at=LATER, actor=journal.DHAN, reason="Four.", filled_quantity=4) is None
    assert orders.get(connection, order.id) == noted


def test_a_move_that_the_table_forbids_is_a_bug_and_changes_nothing(connection: Connection) -> None:
    order = an_order(connection, state=OrderState.FILLED)
    with pytest.raises(IllegalMove):
        moved(connection, order, OrderState.QUEUED)
    assert orders.get(connection, order.id) == order


def test_there_is_no_order_that_nobody_stored(connection: Connection) -> None:
    with pytest.raises(LookupError, match="no order 7"):
        orders.get(connection, 7)


def due_now(connection: Connection) -> list[int]:
    return [order.id for order in orders.due(connection, NOON, limit=10)]


def test_queued_orders_are_due_at_their_time_oldest_first(connection: Connection) -> None:
    second = an_order(connection, release_at=NOON)
    first = an_order(connection, release_at=NOON - timedelta(seconds=1))
    an_order(connection, release_at=NOON + timedelta(microseconds=1))
    an_order(connection, state=OrderState.AWAITING_APPROVAL)
    assert due_now(connection) == [first.id, second.id]


def test_a_postponed_order_is_due_again_at_its_new_time(connection: Connection) -> None:
    order = an_order(connection)
    orders.postpone(connection, order, LATER)
    assert due_now(connection) == []
    assert [found.id for found in orders.due(connection, LATER, limit=10)] == [order.id]


@pytest.mark.parametrize(
    ("state", "confirmed", "waits"),
    [
        (OrderState.QUEUED, False, True),
        (OrderState.AWAITING_APPROVAL, False, True),
        (OrderState.SUBMITTING, False, True),
        (OrderState.UNKNOWN, False, True),
        (OrderState.NEEDS_OPERATOR, False, True),
        (OrderState.WORKING, False, True),
        (OrderState.WORKING, True, False),
        (OrderState.PART_FILLED, False, False),
        (OrderState.FILLED, False, False),
        (OrderState.DROPPED, False, False),
    ],
)
def test_a_later_leg_waits_for_the_earlier_one_to_stand_in_the_brokers_book(
    connection: Connection, state: OrderState, confirmed: bool, waits: bool
) -> None:
    first = an_order(connection, state=state, confirmed=confirmed, release_at=LATER)
    second = an_order(connection, alert_id=first.alert_id)
    unrelated = an_order(connection)
    assert due_now(connection) == ([unrelated.id] if waits else [second.id, unrelated.id])


def test_orders_that_wait_past_their_window_are_overdue(connection: Connection) -> None:
    waiting = [
        an_order(connection, state=state, expires_at=NOON)
        for state in (OrderState.QUEUED, OrderState.AWAITING_APPROVAL)
    ]
    an_order(connection, expires_at=LATER)
    an_order(connection, state=OrderState.UNKNOWN, expires_at=NOON)
    assert {order.id for order in orders.overdue(connection, NOON)} == {order.id for order in waiting}


def test_legs_are_read_in_leg_order(connection: Connection) -> None:
    first = an_order(connection, position=2)
    an_order(connection, alert_id=first.alert_id, position=1)
    assert [order.label for order in orders.of_alert(connection, first.alert_id)] == ["1.1", "1.2"]
