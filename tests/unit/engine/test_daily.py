"""The readiness card at 08:45 and the day's summary at 18:00: once each, late rather than not, never doubled."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, select

from core.db.tables import events, outbox
from core.domain.alert import AlertState
from core.domain.notice import Notice
from core.domain.order import OrderState
from core.domain.readiness import Cure, Light, Line
from core.engine import daily
from tests.builders import CALENDAR, an_alert, an_order
from tests.integration.paper_dhan import india

LINES = [Line(light=Light.RED, words="Not signed in.", cures=(Cure.LOGIN,))]


def told(connection: Connection, kind: Notice) -> list[dict[str, Any]]:
    found = connection.execute(select(outbox.c.payload).where(outbox.c.kind == kind).order_by(outbox.c.id))
    return [dict(payload) for payload in found.scalars()]


def skipped(connection: Connection) -> list[tuple[str, Any]]:
    query = select(events.c.kind, events.c.data).where(events.c.kind.endswith(" skipped")).order_by(events.c.id)
    return [(row.kind, row.data["day"]) for row in connection.execute(query)]


def look(connection: Connection, at: str) -> None:
    """What a round does at that time."""
    now = india(at)
    if daily.readiness_is_due(connection, now):
        day = daily._latest(now, daily.READINESS_AT)
        may_open = daily.may_trade(connection, CALENDAR, day)
        useful = may_open and day == now.date() and now.time() < daily.READINESS_ENDS
        daily.tell_readiness(connection, LINES if useful else [], now, may_open=may_open)
    if daily.summary_is_due(connection, now):
        daily.tell_day(connection, CALENDAR, now)


def days(connection: Connection, kind: Notice) -> list[str]:
    return [each["looked_at"][:10] if kind is Notice.READINESS else each["day"] for each in told(connection, kind)]


def test_a_trading_day_has_one_card_and_one_summary(connection: Connection) -> None:
    for clock in ("00:10", "08:44", "08:45", "08:46", "12:00", "17:59", "18:00", "18:01", "23:59"):
        look(connection, f"2026-11-25 {clock}")
    assert days(connection, Notice.READINESS) == ["2026-11-25"]
    assert days(connection, Notice.DAY) == ["2026-11-25"]
    assert [each["late"] for each in told(connection, Notice.READINESS)] == [False]


def test_a_new_desk_has_nothing_to_catch_up_on(connection: Connection) -> None:
    look(connection, "2026-11-25 20:00")
    assert told(connection, Notice.READINESS) == told(connection, Notice.DAY) == []
    assert skipped(connection) == []


def test_a_card_missed_while_down_is_told_late(connection: Connection) -> None:
    look(connection, "2026-11-25 07:00")
    look(connection, "2026-11-25 09:40")
    look(connection, "2026-11-25 09:41")
    assert [each["late"] for each in told(connection, Notice.READINESS)] == [True]


def test_a_card_that_is_of_no_use_any_more_is_skipped_for_a_reason(connection: Connection) -> None:
    look(connection, "2026-11-25 07:00")
    look(connection, "2026-11-25 16:00")
    assert told(connection, Notice.READINESS) == []
    assert skipped(connection) == [("readiness card skipped", "2026-11-25")]


def test_yesterdays_summary_is_told_late_and_older_ones_are_skipped(connection: Connection) -> None:
    look(connection, "2026-11-18 19:00")
    look(connection, "2026-11-21 07:00")
    assert [(each["day"], each["late"]) for each in told(connection, Notice.DAY)] == [("2026-11-20", True)]
    assert ("summary of the day skipped", "2026-11-19") in skipped(connection)


def test_a_day_without_trading_is_silent(connection: Connection) -> None:
    look(connection, "2026-11-27 19:00")
    for clock in ("2026-11-28 09:00", "2026-11-28 19:00", "2026-11-29 19:00"):
        look(connection, clock)
    assert told(connection, Notice.READINESS) == told(connection, Notice.DAY) == []
    assert skipped(connection) == []


def test_a_clock_that_is_set_back_repeats_nothing(connection: Connection) -> None:
    for clock in ("2026-11-25 08:00", "2026-11-25 19:00", "2026-11-25 08:50", "2026-11-25 19:00"):
        look(connection, clock)
    assert len(told(connection, Notice.DAY)) == 1


def test_the_summary_counts_and_gives_reasons(connection: Connection) -> None:
    look(connection, "2026-11-25 08:00")
    an_order(connection, state=OrderState.REJECTED, reason="Not enough money.")
    an_order(connection, state=OrderState.FILLED, filled_quantity=10)
    an_order(connection, state=OrderState.QUEUED)
    look(connection, "2026-11-25 18:00")
    [facts] = told(connection, Notice.DAY)
    assert (facts["alerts"], facts["waiting"], facts["pnl"]) == (3, 1, None)
    assert [row["words"] for row in facts["failed"]] == ["Not enough money."]
    assert len(facts["filled"]) == 1


def test_the_summary_leaves_out_nothing_that_was_refused_or_cancelled(connection: Connection) -> None:
    look(connection, "2026-11-25 08:00")
    an_alert(connection, state=AlertState.REFUSED)
    an_order(connection, state=OrderState.REFUSED, reason="Above the limit.")
    an_order(connection, state=OrderState.CANCELLED, reason="Cancelled at the exchange.")
    an_order(connection, state=OrderState.CANCELLED, filled_quantity=4, reason="The rest was cancelled.")
    an_order(connection, state=OrderState.LAPSED, filled_quantity=3, reason="The rest lapsed.")
    an_order(connection, state=OrderState.DECLINED, reason="Cancelled by you.")
    look(connection, "2026-11-25 18:00")
    [facts] = told(connection, Notice.DAY)
    assert (facts["alerts"], facts["refused"]) == (6, 1)
    assert [row["words"] for row in facts["failed"]] == ["Above the limit."]
    assert [row["words"] for row in facts["cancelled"]] == ["Cancelled at the exchange.", "Cancelled by you."]
    assert [row["filled"] for row in facts["filled"]] == [4, 3]


def test_the_summary_names_what_is_in_doubt_and_what_dhan_still_has(connection: Connection) -> None:
    look(connection, "2026-11-25 08:00")
    for state in (OrderState.UNKNOWN, OrderState.NEEDS_OPERATOR, OrderState.WORKING):
        an_order(connection, state=state)
    an_order(connection, state=OrderState.PART_FILLED, filled_quantity=4)
    look(connection, "2026-11-25 18:00")
    [facts] = told(connection, Notice.DAY)
    assert [row["state"] for row in facts["doubtful"]] == ["unknown", "needs_operator"]
    assert [row["state"] for row in facts["at_dhan"]] == ["working"]
    assert [row["state"] for row in facts["filled"]] == ["part_filled"]
    assert facts["waiting"] == 0


@pytest.mark.parametrize("day", [date(2026, 11, 25), date(2026, 11, 28)])
def test_only_days_that_are_known_to_be_closed_are_left_out(connection: Connection, day: date) -> None:
    assert daily.may_trade(connection, CALENDAR, day) is (day.weekday() < 5)
    assert daily.may_trade(connection, CALENDAR, date(2040, 1, 3))
