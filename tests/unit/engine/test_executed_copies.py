"""The tap that executes an identical alert, and what the desk still asks about it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from core import approvals, controls, journal
from core.approvals import Tap
from core.broker.dhan.instruments import InstrumentList
from core.db import orders
from core.domain.alert import AlertState
from core.domain.order import Order, OrderState
from core.engine.decide import Decider
from tests.builders import an_alert
from tests.integration.paper_dhan import india
from tests.unit.alerts.alert_samples import SHARE, body
from tests.unit.engine.rows import OPERATOR, rules_at

NOON, SATURDAY = india("2026-11-25 12:00"), india("2026-11-28 14:00")
ASKED, QUEUED = OrderState.AWAITING_APPROVAL, OrderState.QUEUED


@pytest.fixture
def decider(listed: InstrumentList) -> Decider:
    return Decider(resolve=listed.resolve)


def set_policies(connection: Connection, **words: Any) -> None:
    controls.put(connection, "policies", words, at=NOON, actor=journal.operator(OPERATOR))


def execute(
    connection: Connection,
    decider: Decider,
    *,
    came: datetime,
    tapped: datetime,
    decided: datetime | None = None,
    **meta: Any,
) -> Order:
    """The order of a copy that came, waited for the tap, and was decided then."""
    first = an_alert(connection, state=AlertState.DECIDED)
    waits = {"state": AlertState.REPEAT, "repeat_of": first.id}
    copy = an_alert(connection, body=body(SHARE, **meta).decode(), received_at=came, **waits)
    tap = Tap(alert_id=first.id, version=first.card_version, user_id=OPERATOR, at=tapped)
    assert approvals.execute_repeat(connection, tap) == f"Taken too, as {copy.id}: its card says what becomes of it"
    assert decider.decide(connection, rules_at(connection, decided or tapped)) == 1
    [order] = orders.of_alert(connection, copy.id)
    return order


@pytest.mark.parametrize(
    ("policy", "came", "minutes"), [("always", NOON, 1), ("queued", NOON, 14), ("queued", SATURDAY, 600)]
)
def test_it_is_its_approval(
    connection: Connection, decider: Decider, policy: str, came: datetime, minutes: int
) -> None:
    set_policies(connection, approval=policy)
    tapped = came + timedelta(minutes=minutes)
    order = execute(connection, decider, came=came, tapped=tapped)
    assert (order.state, order.approved_at) == (QUEUED, tapped)
    [told] = [event for event in journal.story(connection, order.alert_id) if event.kind == "repeat_executed"]
    assert (told.actor, told.at) == (journal.operator(OPERATOR), tapped)


def test_a_copy_older_than_a_question_may_be_asks(connection: Connection, decider: Decider) -> None:
    order = execute(connection, decider, came=NOON, tapped=NOON + timedelta(minutes=16))
    assert (order.state, order.reason) == (ASKED, "The alert is 16 minutes old: the market may have moved.")
    assert order.approved_at is None


@pytest.mark.parametrize(
    ("came", "tapped"),
    [
        ("2026-11-25 12:00", "2026-11-25 16:00"),
        ("2026-11-25 12:00", "2026-11-25 17:12"),
        ("2026-11-25 15:14", "2026-11-25 15:30"),
        ("2026-11-25 15:14", "2026-11-25 15:16"),
        ("2026-11-28 14:00", "2026-11-30 18:00"),
        ("2026-11-28 14:00", "2026-12-05 14:00"),
    ],
    ids=["after the close", "after hours", "across", "soon across", "after its window", "in another week"],
)
def test_a_tap_after_the_time_at_which_the_copy_would_have_gone_approves_nothing(
    connection: Connection, decider: Decider, came: str, tapped: str
) -> None:
    set_policies(connection, approval="always")
    order = execute(connection, decider, came=india(came), tapped=india(tapped))
    assert (order.state, order.approved_at) == (ASKED, None)


def test_what_goes_out_without_being_asked_about_is_not_called_approved_by_such_a_tap(
    connection: Connection, decider: Decider
) -> None:
    set_policies(connection, approval="never")
    order = execute(connection, decider, came=NOON, tapped=NOON + timedelta(hours=4))
    assert (order.state, order.approved_at) == (QUEUED, None)


def test_a_copy_that_the_desk_comes_to_long_after_the_tap_asks(connection: Connection, decider: Decider) -> None:
    order = execute(connection, decider, came=NOON, tapped=NOON, decided=NOON + timedelta(minutes=10))
    assert order.state is ASKED


@pytest.mark.parametrize(
    ("fired", "words"),
    [("11:30", "The alert is 31 minutes old: the market may have moved."), ("12:30", "lies in the future")],
)
def test_a_copy_that_had_grown_old_on_its_way_here_asks(
    connection: Connection, decider: Decider, fired: str, words: str
) -> None:
    timenow = india(f"2026-11-25 {fired}").isoformat()
    order = execute(connection, decider, came=NOON, tapped=NOON + timedelta(minutes=1), timenow=timenow)
    assert order.state is ASKED
    assert words in order.reason


def test_a_limit_asks_all_the_same(connection: Connection, decider: Decider) -> None:
    set_policies(connection, limits={"order_quantity": {"soft": "9", "hard": None}})
    assert execute(connection, decider, came=NOON, tapped=NOON).state is ASKED


def test_two_people_approve_what_needs_two(connection: Connection, decider: Decider) -> None:
    set_policies(connection, two_people="1000")
    assert execute(connection, decider, came=NOON, tapped=NOON).state is ASKED


def test_an_alert_of_its_own_is_approved_by_no_earlier_tap(connection: Connection, decider: Decider) -> None:
    set_policies(connection, approval="always")
    execute(connection, decider, came=NOON, tapped=NOON)
    own = an_alert(connection, body=body(SHARE).decode(), received_at=NOON)
    decider.decide(connection, rules_at(connection, NOON))
    assert orders.of_alert(connection, own.id)[0].state is ASKED
