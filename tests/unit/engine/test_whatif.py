"""What would become of an alert: the decision, and what would stand in its way."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection

from core import controls
from core.broker.dhan.instruments import InstrumentList
from core.controls import Hold
from core.whatif import foresee
from tests.builders import CALENDAR, NOON
from tests.integration.paper_dhan import india
from tests.unit.alerts.alert_samples import SHARE, body

KILLED, SIGNED_OUT = "Stopped by operator 42 with /kill.", "No sign-in."


def foreseen(connection: Connection, listed: InstrumentList, at: datetime = NOON, **leg: Any) -> list[str]:
    return foresee(connection, body(SHARE | leg), at, resolve=listed.resolve, calendar=CALENDAR)


def test_while_nothing_is_sent_it_says_so_and_why_beside_the_decision(
    connection: Connection, listed: InstrumentList
) -> None:
    controls.kill(connection, at=NOON, actor="operator 42")
    controls.set_hold(connection, Hold.SIGNED_OUT, SIGNED_OUT, at=NOON, actor="desk")
    told = foreseen(connection, listed)
    assert "BUY 10 RELIANCE on NSE: immediate." in told
    assert f"It would be held as long as this lasts: {KILLED} {SIGNED_OUT}" in told
    assert "It would need no tap." in told
    assert "It would go without a tap." not in told


def test_what_a_person_is_asked_about_would_be_held_after_the_yes_too(
    connection: Connection, listed: InstrumentList
) -> None:
    controls.pause(connection, at=NOON, actor="operator 42")
    told = foreseen(connection, listed, india("2026-11-25 16:00"))
    assert "You would be asked first." in told
    assert told[-1] == "It would be held as long as this lasts: Paused by operator 42."


@pytest.mark.parametrize("symbol", ["NOSUCH", "RELIANCE"])
def test_without_a_hold_or_with_no_order_nothing_is_said_of_holds(
    connection: Connection, listed: InstrumentList, symbol: str
) -> None:
    if symbol == "NOSUCH":
        controls.pause(connection, at=NOON, actor="operator 42")
    assert not any("held" in line for line in foreseen(connection, listed, symbol=symbol))


def test_the_time_asked_about_is_told_with_its_year(connection: Connection, listed: InstrumentList) -> None:
    assert foreseen(connection, listed, india("2027-02-01 10:00"))[0] == "If it came Mon 1 Feb 2027 10:00:"
