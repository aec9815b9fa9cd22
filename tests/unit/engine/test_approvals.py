"""Taps decide only what their card shows, and only in time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from core import approvals, controls, journal, market_days
from core.approvals import Tap
from core.calendar import load_calendar
from core.db import alerts, attempts, orders
from core.db.overrides import Change
from core.domain.alert import AlertState, OrderType, Side
from core.domain.attempt import AttemptState
from core.domain.change import Terms
from core.domain.instrument import Market
from core.domain.order import Mode, Order, OrderState
from core.edits import edit
from core.engine.after_restore import doubt_what_waited
from core.engine.claim import ask_again
from core.errors import Refusal, StaleTap
from core.replan import replan
from tests.builders import NOON, an_alert, an_order
from tests.integration.paper_dhan import india
from tests.unit.engine.changing import RELIANCE
from tests.unit.engine.rows import MOMENT, OPERATOR, again, in_doubt

SHOWN = {
    approvals.approve: OrderState.AWAITING_APPROVAL,
    approvals.cancel: OrderState.QUEUED,
    approvals.send_again: OrderState.NEEDS_OPERATOR,
    approvals.drop: OrderState.NEEDS_OPERATOR,
}


def tap(connection: Connection, order: Order, *, older: int = 0, at: datetime = NOON) -> Tap:
    alert = alerts.get(connection, order.alert_id)
    assert alert
    return Tap(alert_id=alert.id, version=alert.card_version - older, user_id=OPERATOR, at=at)


@pytest.mark.parametrize(("action", "state"), SHOWN.items(), ids=lambda part: getattr(part, "__name__", ""))
def test_a_tap_on_an_older_card_changes_nothing(
    connection: Connection, action: Callable[[Connection, Tap], str], state: OrderState
) -> None:
    order = in_doubt(connection, state)
    with pytest.raises(StaleTap):
        action(connection, tap(connection, order, older=1))
    assert again(connection, order) == order
    action(connection, tap(connection, order))
    assert again(connection, order).state is not state


def test_a_copy_is_executed_by_a_tap_on_the_newest_card_only(connection: Connection) -> None:
    order = an_order(connection)
    copy = an_alert(connection, state=AlertState.REPEAT, repeat_of=order.alert_id)
    with pytest.raises(StaleTap):
        approvals.execute_repeat(connection, tap(connection, order, older=1))
    assert alerts.waiting_repeats(connection, order.alert_id) == [copy.id]
    approvals.execute_repeat(connection, tap(connection, order))
    assert alerts.waiting_repeats(connection, order.alert_id) == []


def test_an_approval_counts_until_just_before_the_window_ends(connection: Connection) -> None:
    order = an_order(connection, state=OrderState.AWAITING_APPROVAL, expires_at=NOON)
    with pytest.raises(Refusal, match="Too late"):
        approvals.approve(connection, tap(connection, order))
    approvals.approve(connection, tap(connection, order, at=NOON - timedelta(microseconds=1)))
    assert again(connection, order).state is OrderState.QUEUED


def test_no_limit_stands_between_the_operator_and_an_exit_that_asks_again(connection: Connection) -> None:
    limits = {"limits": {"day_orders": {"soft": None, "hard": "0"}}}
    controls.put(connection, "policies", limits, at=NOON, actor=journal.operator(OPERATOR))
    entry = an_order(connection, state=OrderState.AWAITING_APPROVAL, side=Side.BUY)
    with pytest.raises(Refusal, match="hard limit"):
        approvals.approve(connection, tap(connection, entry))
    covering = an_order(connection, state=OrderState.AWAITING_APPROVAL, side=Side.BUY, closes=True)
    approvals.approve(connection, tap(connection, covering))
    assert again(connection, covering).state is OrderState.QUEUED


def by_two_above(connection: Connection, most: int) -> None:
    controls.put(connection, "policies", {"two_people": str(most)}, at=NOON, actor=journal.operator(OPERATOR))


def test_a_leg_that_went_into_several_orders_needs_two_people_for_what_it_is_worth_whole(
    connection: Connection,
) -> None:
    by_two_above(connection, 150)
    first = an_order(
        connection, state=OrderState.AWAITING_APPROVAL, order_type=OrderType.LIMIT, price=Decimal(100), quantity=1
    )
    second = an_order(
        connection,
        state=OrderState.AWAITING_APPROVAL,
        order_type=OrderType.LIMIT,
        price=Decimal(100),
        quantity=1,
        alert_id=first.alert_id,
        position=2,
    )
    assert "second approver" in approvals.approve(connection, tap(connection, first))
    assert again(connection, second).state is OrderState.AWAITING_APPROVAL
    other = replace(tap(connection, first), user_id=OPERATOR + 1)
    approvals.approve(connection, other)
    assert again(connection, first).state is again(connection, second).state is OrderState.QUEUED


def large(connection: Connection, **more: Any) -> Order:
    values = {"state": OrderState.AWAITING_APPROVAL, "order_type": OrderType.LIMIT, "price": Decimal(1412)}
    return an_order(connection, **values, **more)


def test_what_asks_again_needs_two_people_again(connection: Connection) -> None:
    by_two_above(connection, 1000)
    order = large(connection)
    for user in (OPERATOR, OPERATOR + 1):
        approvals.approve(connection, replace(tap(connection, order), user_id=user))
    assert again(connection, order).state is OrderState.QUEUED
    ask_again(connection, again(connection, order), "The price moved 9.0 % since the alert.", NOON)
    approvals.approve(connection, replace(tap(connection, order), user_id=OPERATOR + 1))
    assert again(connection, order).state is OrderState.AWAITING_APPROVAL
    approvals.approve(connection, tap(connection, order))
    assert again(connection, order).state is OrderState.QUEUED


def test_what_asked_again_needs_two_people_after_a_restore_too(connection: Connection) -> None:
    by_two_above(connection, 1000)
    order = large(connection)
    for user in (OPERATOR, OPERATOR + 1):
        approvals.approve(connection, replace(tap(connection, order), user_id=user))
    ask_again(connection, again(connection, order), "The price moved 9.0 % since the alert.", NOON)
    doubt_what_waited(connection, MOMENT)
    [attempt] = attempts.of_orders(connection, [order.id])
    attempts.settle(connection, attempt.id, AttemptState.ABSENT, at=MOMENT.wall)
    orders.move(connection, again(connection, order), OrderState.NEEDS_OPERATOR, at=NOON, actor="test", reason="absent")
    assert "second approver" in approvals.send_again(connection, tap(connection, order))
    assert again(connection, order).state is OrderState.NEEDS_OPERATOR


def test_a_yes_to_thursday_is_no_yes_to_friday(connection: Connection) -> None:
    by_two_above(connection, 1000)
    evening, ends = india("2026-11-25 16:00"), india("2026-11-26 08:58")
    times = {"release_at": india("2026-11-25 17:00"), "reaches_exchange_at": india("2026-11-26 09:45")}
    times |= {"window_ends_at": ends, "expires_at": ends}
    order = large(connection, mode=Mode.QUEUE, as_amo=True, **times)
    assert "second approver" in approvals.approve(connection, tap(connection, order, at=evening))
    closed = Change(
        day=ends.date(), market=Market.EQUITY, is_open=False, sessions=(), reason="election", expires_at=ends
    )
    [moved] = replan(connection, market_days.changed(load_calendar(), [closed]), evening)
    assert "Fri 27 Nov 09:45" in moved
    other = replace(tap(connection, order, at=evening), user_id=OPERATOR + 1)
    assert "second approver" in approvals.approve(connection, other)
    assert again(connection, order).state is OrderState.AWAITING_APPROVAL


@pytest.mark.parametrize("last", [OPERATOR, OPERATOR + 1])
def test_two_people_can_approve_an_alert_of_which_one_leg_was_edited_in_between(
    connection: Connection, last: int
) -> None:
    by_two_above(connection, 1000)
    first = large(connection)
    second = large(connection, alert_id=first.alert_id, position=2)
    approvals.approve(connection, tap(connection, first))
    edited, _ = edit(connection, again(connection, second), Terms(quantity=9), RELIANCE, actor="operator 42", at=NOON)
    assert "second approver" in approvals.approve(connection, replace(tap(connection, first), user_id=OPERATOR + 1))
    if last != OPERATOR:
        assert "second approver" in approvals.approve(connection, replace(tap(connection, first), user_id=last))
        return
    assert approvals.approve(connection, tap(connection, first)) == "Approved"
    assert again(connection, edited).state is OrderState.QUEUED


def test_what_nobody_approved_and_a_restore_put_in_doubt_is_not_sent_by_one_person_where_two_are_needed(
    connection: Connection,
) -> None:
    by_two_above(connection, 1)
    order = in_doubt(connection, OrderState.NEEDS_OPERATOR)
    assert order.approved_at is None
    assert "second approver" in approvals.send_again(connection, tap(connection, order))
    assert again(connection, order).state is OrderState.NEEDS_OPERATOR
    approvals.send_again(connection, replace(tap(connection, order), user_id=OPERATOR + 1))
    assert again(connection, order).state is OrderState.QUEUED


@pytest.mark.parametrize(
    ("times", "words"),
    [({"expires_at": NOON}, "Too late"), ({"release_at": None}, "does not know this market")],
)
def test_what_cannot_go_any_more_is_not_said_to_be_sent_again(
    connection: Connection, times: dict[str, Any], words: str
) -> None:
    order = in_doubt(connection, OrderState.NEEDS_OPERATOR, **times)
    with pytest.raises(Refusal, match=words):
        approvals.send_again(connection, tap(connection, order))
    assert again(connection, order).state is OrderState.NEEDS_OPERATOR
    approvals.drop(connection, tap(connection, order))
