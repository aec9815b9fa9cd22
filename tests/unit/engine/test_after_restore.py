"""A database put back from a backup: what went out after the backup is found at Dhan, and nothing goes out twice."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from core import approvals, controls, journal
from core.clock import Moment, SystemClock
from core.controls import Hold
from core.db import alerts, attempts
from core.db.driver import sqlite_driver
from core.db.tables import alerts as alert_rows
from core.db.tables import attempts as attempt_rows
from core.db.tables import outbox
from core.domain.alert import AlertState
from core.domain.attempt import AttemptState, correlation_id
from core.domain.order import Order, OrderState
from core.engine.after_restore import doubt_what_waited
from tests.builders import an_alert
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import an_attempt, tap_on

pytestmark = pytest.mark.sqlite("a copy of its file is put back")


@pytest.fixture
def rewind(floor: Floor, tmp_path: Path) -> Callable[[], Callable[[], None]]:
    """Keep the database as it is now; what is returned puts it back, as `munshi restore` does."""

    def keep() -> Callable[[], None]:
        kept = sqlite_driver().connect(":memory:")
        file = sqlite_driver().connect(tmp_path / "munshi.db")
        file.backup(kept)
        file.close()

        def put_back() -> None:
            live = sqlite_driver().connect(tmp_path / "munshi.db")
            kept.backup(live)
            live.close()
            kept.close()
            moment = Moment(now=floor.clock.now(), wall=SystemClock().now())
            with floor.database.transaction() as connection:
                doubt_what_waited(connection, moment)

        return put_back

    return keep


Rewind = Callable[[], Callable[[], None]]


def lift_pause(floor: Floor) -> None:
    with floor.database.transaction() as connection:
        controls.resume(connection, at=floor.clock.now(), actor="test")


def tap(floor: Floor, order: Order, act: Callable[..., str]) -> str:
    with floor.database.transaction() as connection:
        return act(connection, tap_on(connection, order, floor.clock.now()))


def told(floor: Floor) -> str:
    with floor.database.snapshot() as connection:
        return "\n".join(row["words"] for row in connection.execute(select(outbox.c.payload)).scalars())


async def prove_absent(floor: Floor, order: Order) -> None:
    for _ in range(3):
        now = SystemClock().now()
        with floor.database.transaction() as connection:
            mine = attempt_rows.c.order_id == order.id
            long_ago = {"claimed_at": now - timedelta(minutes=2), "next_lookup_at": now}
            connection.execute(update(attempt_rows).where(mine).values(long_ago))
        await floor.look_up()


def test_what_waited_is_said_to_be_in_doubt_and_not_to_have_been_sent(floor: Floor, rewind: Rewind) -> None:
    waiting = floor.order(state=OrderState.AWAITING_APPROVAL)
    rewind()()
    with floor.database.snapshot() as connection:
        [step] = [
            e for e in journal.story(connection, waiting.alert_id) if e.actor == journal.COMMAND_LINE and e.order_id
        ]
    assert (step.before, step.after) == (OrderState.AWAITING_APPROVAL, OrderState.UNKNOWN)


async def test_many_that_came_after_the_backup_leave_room_for_what_to_do(floor: Floor, rewind: Rewind) -> None:
    restore = rewind()
    for _ in range(8):
        floor.order()
    await floor.send()
    restore()
    await floor.follow_book()
    [words] = [line for line in told(floor).splitlines() if line.startswith("Dhan has orders under this desk's names")]
    assert "look at them in Dhan's app. They are BUY" in words
    assert words.endswith(" and 4 more.")
    assert len(words) <= 600, "no more are shown in the chat"


async def test_what_went_out_after_the_backup_is_found_and_not_sent_again(floor: Floor, rewind: Rewind) -> None:
    queued = floor.order()
    waiting = floor.order(state=OrderState.AWAITING_APPROVAL)
    restore = rewind()
    tap(floor, waiting, approvals.approve)
    await floor.send()
    assert floor.dhan.ledger()["placements"] == 2
    restore()
    lift_pause(floor)
    await floor.send()
    await floor.look_up()
    assert {floor.now(order).state for order in (queued, waiting)} == {OrderState.WORKING}
    assert {floor.now(order).broker_order_id for order in (queued, waiting)} == {
        row["orderId"] for row in floor.dhan.book()
    }
    assert floor.dhan.ledger()["placements"] == 2


async def test_what_did_not_go_out_is_asked_about_and_goes_once_at_a_tap(floor: Floor, rewind: Rewind) -> None:
    queued = floor.order()
    rewind()()
    lift_pause(floor)
    await floor.send()
    assert floor.dhan.ledger()["placements"] == 0
    await prove_absent(floor, queued)
    assert floor.now(queued).state is OrderState.NEEDS_OPERATOR
    tap(floor, queued, approvals.send_again)
    await floor.send()
    assert floor.now(queued).state is OrderState.WORKING
    assert floor.dhan.ledger()["placements"] == 1


async def test_nothing_goes_out_before_the_operator_resumes(floor: Floor, rewind: Rewind) -> None:
    rewind()()
    later = floor.order()
    await floor.send()
    assert floor.now(later).state is OrderState.QUEUED
    with floor.database.snapshot() as connection:
        assert "put back as of" in controls.holds(connection)[Hold.PAUSED]
    assert "Check /queue" in told(floor)
    lift_pause(floor)
    await floor.send()
    assert floor.now(later).state is OrderState.WORKING


@pytest.mark.parametrize("tries", [2, 3])
async def test_a_later_try_than_the_backup_can_know_is_found_in_the_book(
    floor: Floor, rewind: Rewind, tries: int
) -> None:
    queued = floor.order()
    restore = rewind()
    with floor.database.transaction() as connection:
        uid = alerts.origins(connection, [queued.alert_id])[queued.alert_id][0]
    floor.dhan.placed(correlationId=correlation_id(uid, queued.position, tries))
    restore()
    await floor.follow_book()
    assert floor.now(queued).state is OrderState.WORKING
    assert "does not know" not in told(floor)


async def test_a_resend_looks_for_its_own_name_first_since_the_backup_may_lack_that_try(
    floor: Floor, rewind: Rewind
) -> None:
    """Asked about in the backup, sent at a tap after it: the same tap once more must not send it twice."""
    order = floor.order(state=OrderState.NEEDS_OPERATOR)
    with floor.database.transaction() as connection:
        name = correlation_id(alerts.origins(connection, [order.alert_id])[order.alert_id][0], order.position, 1)
        an_attempt(connection, order, AttemptState.ABSENT, name=name)
    restore = rewind()
    tap(floor, order, approvals.send_again)
    await floor.send()
    assert floor.now(order).state is OrderState.WORKING
    restore()
    lift_pause(floor)
    tap(floor, order, approvals.send_again)
    await floor.send()
    assert floor.now(order).state is OrderState.WORKING
    assert floor.dhan.ledger()["placements"] == 1


async def test_a_repeat_that_was_executed_after_the_backup_is_found_when_it_is_tapped_again(
    floor: Floor, rewind: Rewind
) -> None:
    """It had no order in the backup: its first try is looked for, too."""
    with floor.database.transaction() as connection:
        repeat = an_alert(connection, state=AlertState.REPEAT)
    restore = rewind()
    await floor.sent(alert_id=repeat.id)
    restore()
    lift_pause(floor)
    again = await floor.sent(alert_id=repeat.id)
    assert again.state is OrderState.WORKING
    assert floor.dhan.ledger()["placements"] == 1


async def test_orders_of_alerts_that_the_backup_lacks_are_told_once_and_left_alone(
    floor: Floor, rewind: Rewind
) -> None:
    restore = rewind()
    lost = await floor.sent()
    floor.dhan.place(correlationId="by-hand")
    restore()
    await floor.follow_book()
    await floor.follow_book()
    words = told(floor)
    assert words.count("its database does not know") == 1
    assert f"order {lost.broker_order_id}" in words
    assert "by-hand" not in words
    assert floor.dhan.ledger()["placements"] == 2


async def test_an_alert_that_was_not_decided_yet_is_told_and_not_carried_out(floor: Floor, rewind: Rewind) -> None:
    with floor.database.transaction() as connection:
        alert = an_alert(connection)
    rewind()()
    with floor.database.snapshot() as connection:
        found = alerts.get(connection, alert.id)
    assert found
    assert found.state is AlertState.REFUSED
    assert f"Alert {alert.id}: The database was put back" in told(floor)


async def test_a_day_later_no_lookup_can_tell_and_the_order_is_never_sent_again(floor: Floor, rewind: Rewind) -> None:
    queued = floor.order()
    restore = rewind()
    await floor.send()
    floor.clock.pass_time(days=1)
    restore()
    await floor.sign_in()
    lift_pause(floor)
    await floor.look_up()
    assert floor.now(queued).state is OrderState.NEEDS_OPERATOR
    assert "no look-up can tell any more" in floor.now(queued).reason


async def test_no_button_of_a_later_card_fits_a_card_of_the_backup(floor: Floor, rewind: Rewind) -> None:
    order = floor.order(state=OrderState.AWAITING_APPROVAL)
    restore = rewind()
    with floor.database.snapshot() as connection:
        kept = alerts.get(connection, order.alert_id)
    restore()
    with floor.database.snapshot() as connection:
        newer = connection.execute(select(alert_rows.c.card_version)).scalar_one()
    assert kept
    assert newer > kept.card_version + 500


async def test_a_name_of_ours_at_dhan_on_something_else_stops_the_desk(floor: Floor, rewind: Rewind) -> None:
    queued = floor.order()
    restore = rewind()
    with floor.database.transaction() as connection:
        uid = alerts.origins(connection, [queued.alert_id])[queued.alert_id][0]
    floor.dhan.place(correlationId=correlation_id(uid, 1, 1), quantity=11)
    restore()
    await floor.look_up()
    assert floor.now(queued).state is OrderState.NEEDS_OPERATOR
    with floor.database.snapshot() as connection:
        assert attempts.last_of(connection, queued.id).state is AttemptState.UNKNOWN  # type: ignore[union-attr]
