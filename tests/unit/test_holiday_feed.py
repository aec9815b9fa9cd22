"""A holiday list from the net: both shapes, and what it says otherwise than the calendar."""

import json
from datetime import date, datetime, time
from typing import Any

import pytest

from core.clock import INDIA
from core.domain.instrument import Market, SegmentClass
from core.domain.sessions import Closed, Span, Trading
from core.holiday_feed import BadFeed, differences, read_feed
from core.market_days import changed
from tests.builders import CALENDAR

TODAY = date(2026, 11, 25)
HOLIDAYS = ["2027-01-26", "2027-03-22", "2027-03-26", "2027-04-14", "2027-05-17", "2027-06-16", "2027-09-15"]
HOLIDAYS_2027 = [*HOLIDAYS, "2027-10-29", "2027-11-09"]


def by_segment(*days: str, **more: Any) -> str:
    """As the exchange publishes it."""
    rows = [{"tradingDate": f"{date.fromisoformat(day):%d-%b-%Y}", "description": "Some\r day"} for day in days]
    return json.dumps({"CM": rows, "FO": rows, "COM": [{"tradingDate": "not read", "description": ""}], **more})


def by_day(day: str, closed: list[str], opened: dict[str, tuple[str, str]] | None = None) -> str:
    """As others publish it: one list over all exchanges."""
    spans = [
        {"exchange": name, "start_time": stamp(day, start), "end_time": stamp(day, end)}
        for name, (start, end) in (opened or {}).items()
    ]
    row = {"date": day, "description": "Some day", "closed_exchanges": closed, "open_exchanges": spans}
    return json.dumps({"status": "success", "data": [row]})


def stamp(day: str, clock: str) -> int:
    return int(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=INDIA).timestamp() * 1000)


def compared(text: str, today: date = TODAY) -> list[tuple[date, Market, bool]]:
    found = differences(CALENDAR, read_feed(text), today)
    return [(change.day, change.market, change.is_open) for change in found]


def test_both_shapes_tell_a_new_holiday() -> None:
    holiday = (date(2026, 12, 3), Market.EQUITY, False)
    assert compared(by_segment("2026-12-03")) == [holiday]
    assert compared(by_day("2026-12-03", ["NSE", "BSE", "NFO"])) == [holiday]


def test_what_the_calendar_knows_is_no_difference() -> None:
    assert compared(by_segment("2026-12-25", "2026-12-26")) == []  # Christmas, and a Saturday
    assert compared(by_day("2026-12-24", [], {"NSE": ("09:15", "15:30"), "MCX": ("09:00", "23:55")})) == []


def test_days_that_are_past_are_not_proposed() -> None:
    assert compared(by_segment("2026-11-23")) == []


def test_a_session_on_a_closed_or_unknown_day_is_proposed_with_its_hours() -> None:
    text = by_day("2026-11-08", [], {"NSE": ("18:15", "19:15")})
    [change] = differences(CALENDAR, read_feed(text), date(2026, 11, 1))
    assert (change.is_open, change.sessions) == (True, (Span(time(18, 15), time(19, 15)),))


def test_a_whole_list_of_a_year_that_nobody_knew_tells_every_day_of_it() -> None:
    found = differences(CALENDAR, read_feed(by_segment(*HOLIDAYS_2027)), TODAY)
    assert len(found) == 365
    calendar = changed(CALENDAR, found)
    assert calendar.covered_until == date(2027, 12, 31)
    assert calendar.day(SegmentClass.CASH, date(2027, 1, 26)) == Closed("Closed by the operator (Some day)")
    assert isinstance(calendar.day(SegmentClass.CASH, date(2027, 1, 27)), Trading)
    assert isinstance(calendar.day(SegmentClass.CASH, date(2027, 1, 30)), Closed)


def test_a_list_that_is_still_being_made_tells_only_its_own_days() -> None:
    assert len(differences(CALENDAR, read_feed(by_segment(*HOLIDAYS)), TODAY)) == len(HOLIDAYS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "[]",
        "{}",
        '{"data": 7}',
        '{"data": [{"date": "tomorrow", "description": ""}]}',
        '{"CM": [{"tradingDate": "2026-12-03", "description": ""}]}',
        '{"CM": [{}]}',
        "[" * 100_000,
        '{"data": [{"date": "2026-12-03", "description": "", "open_exchanges": [{"exchange": "NSE"}]}]}',
    ],
)
def test_what_is_no_such_list_is_refused(text: str) -> None:
    with pytest.raises(BadFeed):
        read_feed(text)
