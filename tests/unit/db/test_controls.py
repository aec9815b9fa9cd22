"""Holds stop orders, say why, and leave their trace."""

from sqlalchemy import Connection, select

from core import controls, journal
from core.controls import Hold
from core.db import alerts
from core.db.tables import events
from core.domain.order import OrderState
from tests.builders import NOON, an_order


def told(connection: Connection) -> list[tuple[str, str, str]]:
    rows = connection.execute(select(events).where(events.c.alert_id.is_(None)).order_by(events.c.id))
    return [(row.kind, row.actor, row.reason) for row in rows]


def hold(connection: Connection, which: Hold, reason: str) -> bool:
    return controls.set_hold(connection, which, reason, at=NOON, actor=journal.DESK)


def test_without_holds_orders_may_go_out(connection: Connection) -> None:
    assert controls.holds(connection) == {}


def test_holds_add_up_and_are_lifted_one_by_one(connection: Connection) -> None:
    assert hold(connection, Hold.SIGNED_OUT, "Signed out.")
    assert hold(connection, Hold.INVALID_IP, "Wrong address.")
    assert controls.holds(connection) == {Hold.SIGNED_OUT: "Signed out.", Hold.INVALID_IP: "Wrong address."}
    assert controls.lift_hold(connection, Hold.SIGNED_OUT, at=NOON, actor=journal.DESK)
    assert controls.holds(connection) == {Hold.INVALID_IP: "Wrong address."}


def test_the_same_hold_in_the_same_words_is_told_once(connection: Connection) -> None:
    assert hold(connection, Hold.SIGNED_OUT, "Signed out.")
    assert not hold(connection, Hold.SIGNED_OUT, "Signed out.")
    assert told(connection) == [("signed_out hold set", "desk", "Signed out.")]


def test_a_hold_whose_reason_changed_says_the_new_one(connection: Connection) -> None:
    hold(connection, Hold.SIGNED_OUT, "Signed out.")
    assert hold(connection, Hold.SIGNED_OUT, "The PIN is wrong.")
    assert controls.holds(connection) == {Hold.SIGNED_OUT: "The PIN is wrong."}
    assert len(told(connection)) == 2


def test_lifting_what_is_not_held_changes_and_tells_nothing(connection: Connection) -> None:
    assert not controls.lift_hold(connection, Hold.PAUSED, at=NOON, actor=journal.DESK)
    assert told(connection) == []


def test_a_stop_switch_that_is_on_keeps_its_first_reason(connection: Connection) -> None:
    hold(connection, Hold.PAUSED, "Paused by the desk: Dhan has 2 orders for this one.")
    assert not controls.pause(connection, at=NOON, actor=journal.operator(42))
    assert controls.holds(connection) == {Hold.PAUSED: "Paused by the desk: Dhan has 2 orders for this one."}


def test_the_stop_switch_names_who_threw_it(connection: Connection) -> None:
    actor = journal.operator(42)
    assert controls.pause(connection, at=NOON, actor=actor)
    assert controls.holds(connection) == {Hold.PAUSED: "Paused by operator 42."}
    assert not controls.pause(connection, at=NOON, actor=actor)
    assert controls.resume(connection, at=NOON, actor=actor)
    assert not controls.resume(connection, at=NOON, actor=actor)
    assert [(kind, who) for kind, who, _ in told(connection)] == [
        ("paused hold set", "operator 42"),
        ("paused hold lifted", "operator 42"),
    ]


def test_resuming_lifts_no_other_hold(connection: Connection) -> None:
    hold(connection, Hold.NOT_LIVE, "Not confirmed.")
    controls.pause(connection, at=NOON, actor=journal.COMMAND_LINE)
    controls.resume(connection, at=NOON, actor=journal.COMMAND_LINE)
    assert set(controls.holds(connection)) == {Hold.NOT_LIVE}


def test_resuming_lifts_the_pause_alone_while_dhans_switch_is_known_to_be_on(connection: Connection) -> None:
    actor = journal.operator(42)
    controls.pause(connection, at=NOON, actor=actor)
    assert controls.resume(connection, at=NOON, actor=actor, kill_switch_is_on=True)
    assert controls.holds(connection) == {Hold.KILL_SWITCH: controls.KILL_SWITCH_IS_ON}
    assert not controls.resume(connection, at=NOON, actor=actor, kill_switch_is_on=True)
    assert controls.resume(connection, at=NOON, actor=actor)
    assert controls.holds(connection) == {}


def test_the_cards_of_orders_that_would_go_out_now_say_that_they_are_held(connection: Connection) -> None:
    due, filled = an_order(connection), an_order(connection, state=OrderState.FILLED)
    before = {alert.id: alert.card_version for alert in alerts.some(connection, [due.alert_id, filled.alert_id])}
    controls.pause(connection, at=NOON, actor=journal.COMMAND_LINE)
    after = {alert.id: alert.card_version for alert in alerts.some(connection, [due.alert_id, filled.alert_id])}
    assert after == {due.alert_id: before[due.alert_id] + 1, filled.alert_id: before[filled.alert_id]}


def test_an_operator_setting_is_kept_until_it_is_set_again(connection: Connection) -> None:
    assert controls.fetch(connection, "approval") is None
    controls.put(connection, "approval", {"policy": "always"}, at=NOON, actor="operator 42")
    controls.put(connection, "approval", {"policy": "never"}, at=NOON, actor="operator 42")
    assert controls.fetch(connection, "approval") == {"policy": "never"}
    assert controls.holds(connection) == {}
