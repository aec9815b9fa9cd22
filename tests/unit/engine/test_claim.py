"""The claim: what keeps a due order back, and what is written down before one may be sent."""

from dataclasses import asdict
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection

from core import approvals, controls, journal
from core.approvals import Tap
from core.controls import Hold
from core.db import alerts, attempts, leases, orders
from core.domain.alert import AlertState, AmoTime, Exchange, OrderType, Validity
from core.domain.attempt import AttemptState, correlation_id
from core.domain.instrument import Segment
from core.domain.notice import Notice
from core.domain.order import Mode, Order, OrderState
from core.engine.claim import LOOK_AGAIN, claim, claim_all
from core.engine.rules import LeaseLost
from tests.builders import NOON, an_alert, an_order
from tests.integration.paper_dhan import india
from tests.unit.engine.rows import (
    CALENDAR,
    OPERATOR,
    WALL,
    again,
    an_attempt,
    claimed,
    in_doubt,
    rings,
    rules_at,
    take_lease,
    tap_on,
    try_claim,
)

WENT_WELL = (OrderState.WORKING, OrderState.PART_FILLED, OrderState.FILLED)
STILL_OPEN = (
    OrderState.AWAITING_APPROVAL,
    OrderState.QUEUED,
    OrderState.SUBMITTING,
    OrderState.UNKNOWN,
    OrderState.NEEDS_OPERATOR,
    OrderState.CANCELLING,
)
WENT_BADLY = tuple(state for state in OrderState if state.is_final and state not in WENT_WELL)


def name_of(connection: Connection, order: Order, number: int) -> str:
    alert = alerts.get(connection, order.alert_id)
    assert alert
    return correlation_id(alert.uid, order.position, number)


def with_earlier_leg(connection: Connection, state: OrderState, *, confirmed: bool = True, filled: int = 0) -> Order:
    """The second leg of an alert whose first leg is in that state."""
    alert_id = an_alert(connection, state=AlertState.DECIDED).id
    an_order(connection, alert_id=alert_id, state=state, confirmed=confirmed, filled_quantity=filled)
    return an_order(connection, alert_id=alert_id)


def test_a_claim_writes_the_attempt_down_under_our_name(connection: Connection) -> None:
    order = an_order(connection)
    found = claimed(connection, order)
    assert found.order.state is OrderState.SUBMITTING
    assert found.request.correlation_id == name_of(connection, order, 1)
    assert found.earlier_names == ()
    attempt = attempts.get(connection, found.attempt_id)
    assert (attempt.state, attempt.number, attempt.posts) == (AttemptState.OPEN, 1, 1)
    assert (attempt.correlation_id, attempt.claimed_at) == (found.request.correlation_id, WALL)


def test_the_attempt_keeps_what_is_asked_of_the_broker(connection: Connection) -> None:
    found = claimed(connection, an_order(connection, quantity=7))
    kept = attempts.get(connection, found.attempt_id).request
    assert kept == {
        name: value if value is None else type(kept[name])(value) for name, value in asdict(found.request).items()
    }
    assert kept["quantity"] == 7


def test_a_regular_order_asks_for_no_after_market_time(connection: Connection) -> None:
    assert claimed(connection, an_order(connection, amo_time=AmoTime.OPEN)).request.amo_time is None


@pytest.mark.parametrize("validity", Validity)
def test_an_order_is_sent_to_last_as_long_as_was_wished(connection: Connection, validity: Validity) -> None:
    assert claimed(connection, an_order(connection, validity=validity)).request.validity is validity


def test_an_after_market_order_asks_for_its_time(connection: Connection) -> None:
    evening = india("2026-11-25 19:00")
    order = an_order(
        connection, at=evening, as_amo=True, mode=Mode.AMO, amo_time=AmoTime.OPEN_60, expires_at=evening + timedelta(1)
    )
    assert claimed(connection, order, evening).request.amo_time is AmoTime.OPEN_60


def test_without_a_lease_nothing_is_claimed(connection: Connection) -> None:
    order = an_order(connection)
    with pytest.raises(LeaseLost):
        claim(connection, order, epoch=1, now=NOON, wall=WALL, calendar=CALENDAR)
    assert again(connection, order) == order


def test_a_lease_that_ran_out_is_good_for_a_claim_as_long_as_nobody_took_it(connection: Connection) -> None:
    order, epoch = an_order(connection), take_lease(connection)
    late = WALL + leases.LASTS
    assert claim(connection, order, epoch=epoch, now=NOON, wall=late, calendar=CALENDAR)
    assert leases.acquire(connection, holder="another desk", nudge_port=2, at=late) is None


def test_the_epoch_of_an_older_desk_is_no_lease(connection: Connection) -> None:
    order, epoch = an_order(connection), take_lease(connection)
    later = WALL + leases.LASTS
    assert leases.acquire(connection, holder="another desk", nudge_port=2, at=later) == epoch + 1
    with pytest.raises(LeaseLost):
        claim(connection, order, epoch=epoch, now=NOON, wall=later, calendar=CALENDAR)
    assert again(connection, order) == order


@pytest.mark.parametrize("hold", Hold)
def test_every_hold_keeps_an_order_in_the_queue(connection: Connection, hold: Hold) -> None:
    order = an_order(connection)
    controls.set_hold(connection, hold, "Because.", at=NOON, actor=journal.DESK)
    assert try_claim(connection, order) is None
    assert again(connection, order).state is OrderState.QUEUED
    controls.lift_hold(connection, hold, at=NOON, actor=journal.DESK)
    assert try_claim(connection, order) is not None


@pytest.mark.parametrize("state", [state for state in OrderState if state is not OrderState.QUEUED])
def test_only_a_queued_order_is_claimed(connection: Connection, state: OrderState) -> None:
    assert try_claim(connection, an_order(connection, state=state)) is None


def test_an_order_that_changed_since_it_was_seen_is_not_claimed(connection: Connection) -> None:
    seen = an_order(connection)
    orders.note(connection, seen, at=NOON, actor=journal.DESK, reason="Something new.")
    assert try_claim(connection, seen) is None


def test_one_order_is_claimed_once(connection: Connection) -> None:
    order = an_order(connection)
    claimed(connection, order)
    assert try_claim(connection, order) is None
    assert try_claim(connection, again(connection, order)) is None
    assert len(attempts.of_orders(connection, [order.id])) == 1


def test_an_order_whose_window_passed_ends_and_says_so(connection: Connection) -> None:
    order = an_order(connection, expires_at=NOON)
    assert try_claim(connection, order) is None
    assert again(connection, order).state is OrderState.EXPIRED
    assert rings(connection) == [Notice.EXPIRED]


@pytest.mark.parametrize(
    ("at", "as_amo", "words"),
    [
        ("2026-11-25 15:14:59", False, "The market is closed until Thu 26 Nov 09:15."),
        ("2026-11-28 11:00", False, "The market is closed until Mon 30 Nov 09:15."),
        ("2026-11-25 12:00", True, "The after-market window is closed until Wed 25 Nov 17:00."),
        ("2027-03-01 11:00", False, "The calendar has no list that covers Mon 1 Mar 2027."),
    ],
)
def test_outside_its_window_an_order_is_looked_at_again_a_little_later(
    connection: Connection, at: str, as_amo: bool, words: str
) -> None:
    now = india(at)
    order = an_order(connection, at=now, as_amo=as_amo, expires_at=now + timedelta(days=9))
    assert try_claim(connection, order, now) is None
    waiting = again(connection, order)
    assert (waiting.state, waiting.reason) == (OrderState.QUEUED, words)
    assert waiting.retry_at == now + LOOK_AGAIN


def test_waiting_for_a_window_is_told_once_and_not_at_every_look(connection: Connection) -> None:
    now = india("2026-11-28 11:00")
    order = an_order(connection, at=now, expires_at=now + timedelta(days=9))
    try_claim(connection, order, now)
    told = again(connection, order)
    assert try_claim(connection, told, now + timedelta(seconds=1)) is None
    assert again(connection, order).version == told.version


def test_a_stop_order_is_not_sent_into_the_closing_auction(connection: Connection) -> None:
    now = india("2026-11-25 15:21")
    order = an_order(connection, at=now, order_type=OrderType.STOP_LIMIT)
    assert try_claim(connection, order, now) is None


@pytest.mark.parametrize("state", STILL_OPEN)
def test_a_later_leg_waits_while_an_earlier_one_is_open(connection: Connection, state: OrderState) -> None:
    leg = with_earlier_leg(connection, state)
    assert leg.id not in [order.id for order in orders.due(connection, NOON, 9)]
    assert try_claim(connection, leg) is None
    assert again(connection, leg) == leg


def test_a_later_leg_is_not_due_before_the_earlier_one_passed_the_brokers_checks(connection: Connection) -> None:
    leg = with_earlier_leg(connection, OrderState.WORKING, confirmed=False)
    assert orders.due(connection, NOON, 9) == []
    first = orders.of_alert(connection, leg.alert_id)[0]
    orders.note(connection, first, at=NOON, actor=journal.DHAN, reason="Dhan says PENDING.", confirmed=True)
    assert [order.id for order in orders.due(connection, NOON, 9)] == [leg.id]


@pytest.mark.parametrize("state", WENT_WELL)
def test_a_later_leg_goes_after_an_earlier_one_that_went_well(connection: Connection, state: OrderState) -> None:
    assert try_claim(connection, with_earlier_leg(connection, state)) is not None


@pytest.mark.parametrize("state", [OrderState.CANCELLING, OrderState.CANCELLED])
def test_a_later_leg_goes_after_one_that_was_filled_in_part_before_it_was_cancelled(
    connection: Connection, state: OrderState
) -> None:
    assert try_claim(connection, with_earlier_leg(connection, state, filled=4)) is not None


@pytest.mark.parametrize("state", WENT_BADLY)
def test_a_later_leg_asks_after_an_earlier_one_that_went_badly(connection: Connection, state: OrderState) -> None:
    leg = with_earlier_leg(connection, state)
    assert try_claim(connection, leg) is None
    asking = again(connection, leg)
    assert asking.state is OrderState.AWAITING_APPROVAL
    assert asking.reason == f"Leg 1 ended {state}: this leg goes only if you approve it again."
    assert rings(connection) == [Notice.NEEDS_OPERATOR]


def test_a_later_leg_that_was_approved_after_the_failure_of_an_earlier_one_goes(connection: Connection) -> None:
    leg = with_earlier_leg(connection, OrderState.REJECTED)
    try_claim(connection, leg)
    alert = alerts.get(connection, leg.alert_id)
    assert alert
    approvals.approve(connection, Tap(alert_id=alert.id, version=alert.card_version, user_id=OPERATOR, at=NOON))
    assert try_claim(connection, again(connection, leg)) is not None


def test_a_later_leg_asks_about_the_one_that_failed_last_since_it_was_approved(connection: Connection) -> None:
    leg = with_earlier_leg(connection, OrderState.REJECTED)
    second = an_order(connection, alert_id=leg.alert_id, state=OrderState.WORKING)
    third = an_order(connection, alert_id=leg.alert_id, state=OrderState.AWAITING_APPROVAL)
    orders.move(connection, leg, OrderState.DECLINED, at=NOON, actor="operator 42", reason="")
    approvals.approve(connection, tap_on(connection, third))
    orders.move(connection, second, OrderState.REJECTED, at=NOON, actor=journal.DHAN, reason="")
    assert try_claim(connection, again(connection, third)) is None
    assert again(connection, third).reason.startswith("Leg 3 ended rejected: ")


def test_of_two_that_failed_unapproved_the_last_one_is_named(connection: Connection) -> None:
    first = in_doubt(connection, OrderState.NEEDS_OPERATOR)
    an_order(connection, alert_id=first.alert_id, state=OrderState.REJECTED)
    leg = an_order(connection, alert_id=first.alert_id)
    orders.move(connection, first, OrderState.DROPPED, at=NOON, actor="operator 42", reason="")
    assert try_claim(connection, leg) is None
    assert again(connection, leg).reason.startswith("Leg 1 ended dropped: ")


def test_every_state_of_an_earlier_leg_is_decided_about() -> None:
    assert set(WENT_WELL) | set(STILL_OPEN) | set(WENT_BADLY) == set(OrderState)


@pytest.mark.parametrize("state", [AttemptState.OPEN, AttemptState.UNKNOWN])
def test_an_order_with_an_attempt_in_doubt_is_never_sent(connection: Connection, state: AttemptState) -> None:
    order = an_order(connection)
    an_attempt(connection, order, state)
    assert try_claim(connection, order) is None
    assert again(connection, order).state is OrderState.QUEUED


def test_a_try_that_was_provably_not_sent_is_repeated_under_the_same_name(connection: Connection) -> None:
    order = an_order(connection)
    name = name_of(connection, order, 1)
    first = an_attempt(connection, order, AttemptState.NOT_SENT, name=name)
    found = claimed(connection, order)
    assert (found.attempt_id, found.request.correlation_id) == (first.id, name)
    assert found.earlier_names == (name,)
    attempt = attempts.get(connection, first.id)
    assert (attempt.state, attempt.posts, attempt.number) == (AttemptState.OPEN, 2, 1)


def test_after_proven_absence_the_next_try_has_the_next_name(connection: Connection) -> None:
    order = an_order(connection)
    first = an_attempt(connection, order, AttemptState.ABSENT, name=name_of(connection, order, 1))
    found = claimed(connection, order)
    assert found.request.correlation_id == name_of(connection, order, 2)
    assert found.earlier_names == (first.correlation_id,)
    assert [attempt.number for attempt in attempts.of_orders(connection, [order.id])] == [1, 2]


@pytest.mark.parametrize("at", [NOON - timedelta(seconds=1), NOON])
def test_an_order_is_due_from_its_release_on(connection: Connection, at: datetime) -> None:
    an_order(connection)
    assert len(orders.due(connection, at, 9)) == (at >= NOON)


def test_what_is_asked_for_the_second_time_is_written_down_in_place_of_the_first(connection: Connection) -> None:
    order = an_order(connection)
    first = an_attempt(connection, order, AttemptState.NOT_SENT, name=name_of(connection, order, 1))
    orders.note(connection, order, at=NOON, actor="operator 42", reason="Netted.", quantity=4)
    found = claimed(connection, again(connection, order))
    written = attempts.get(connection, first.id).request
    assert (found.request.quantity, written["quantity"]) == (4, 4)


@pytest.mark.parametrize(("wait", "is_due"), [(timedelta(minutes=15), False), (timedelta(hours=1), True)])
def test_a_next_try_further_ahead_than_any_is_put_off_has_come_since_the_clock_was_set_back(
    connection: Connection, wait: timedelta, is_due: bool
) -> None:
    order = an_order(connection, retry_at=NOON + wait)
    assert (orders.due(connection, NOON, 1) == [order]) is is_due


def test_what_cannot_go_yet_makes_room_for_what_can(connection: Connection) -> None:
    """Many wait for a market that is closed; the one whose market is open is read among the first of some look."""
    now = india("2026-11-25 16:00")
    for _ in range(35):
        an_order(connection, release_at=now, expires_at=now + timedelta(hours=3))
    market = {"exchange": Exchange.MCX, "segment": Segment.MCX_COMM, "has_derivatives": False, "symbol": "GOLDM"}
    gold = an_order(connection, release_at=now, expires_at=now + timedelta(hours=3), **market)

    for look in range(6):
        moment = now + timedelta(seconds=look / 4)
        claim_all(connection, orders.due(connection, moment, 8), rules_at(connection, moment))

    assert again(connection, gold).state is OrderState.SUBMITTING
