"""What people type behind /calendar, and what the calendar says."""

from datetime import date, time
from typing import Any

import pytest

from bot import market_views
from bot.arguments import DayChange, calendar_usage, clock_usage, read_day_change
from core.db.overrides import Change, Override
from core.domain.instrument import Market
from core.domain.sessions import Span
from core.errors import Refusal
from core.holiday_feed import end_of
from core.whatif import read_moment
from tests.builders import CALENDAR, NOON
from tests.integration.paper_dhan import india

TODAY = date(2026, 11, 25)
MUHURAT = (
    "Sun 8 Nov: The hours of Sun 8 Nov 2026 are not known: Muhurat trading on a Sunday, hour not confirmed "
    "(18:15–19:15 by one source)."
)


def read(words: str) -> DayChange:
    return read_day_change(words.split(), TODAY)


def a_change(**facts: Any) -> DayChange:
    usual = {"day": date(2026, 12, 3), "market": Market.EQUITY, "sessions": (), "until": None, "reason": "election"}
    return DayChange(**usual | facts)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("2026-12-03 election", a_change()),
        ("2026-12-03 Commodity election", a_change(market=Market.COMMODITY)),
        ("today until 14:00 trading halt", a_change(day=TODAY, until=time(14), reason="trading halt")),
        ("tomorrow election", a_change(day=date(2026, 11, 26))),
        ("2026-12-03 18:15-19:15 election", a_change(sessions=(Span(time(18, 15), time(19, 15)),))),
        (
            "2026-12-03 09:15-10:00,11:30-12:30 drill",
            a_change(sessions=(Span(time(9, 15), time(10)), Span(time(11, 30), time(12, 30))), reason="drill"),
        ),
    ],
)
def test_a_day_its_market_its_hours_and_why(words: str, meant: DayChange) -> None:
    assert read(words) == meant


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("", r"Which day\? For example:"),
        ("soon election", "'soon' is no day"),
        ("2026-11-24 election", "is past"),
        ("2028-01-01 election", "too far away"),
        ("2026-12-03", "Say why"),
        ("2026-12-03 equity", "Say why"),
        ("2026-12-03 until 14:00", "Say why"),
        ("2026-12-03 until 25:00 halt", "'25:00' is no time of day"),
        ("2026-12-03 19:15-18:15 election", "open before they close"),
        ("2026-12-03 09:15-13:00,12:00-14:00 election", "one after the other"),
        ("2026-12-03 9-10 election", "'9' is no time of day"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_fault_and_the_usage(words: str, fault: str) -> None:
    with pytest.raises(Refusal, match=fault) as refused:
        read(words)
    assert "/calendar close 2026-12-03 election" in str(refused.value)


@pytest.mark.parametrize("today", [date(2026, 11, 25), date(2026, 12, 30), date(2028, 2, 26)])
def test_every_example_of_a_day_lies_ahead_and_can_be_sent_as_it_stands(today: date) -> None:
    examples = [line.split(maxsplit=2) for line in calendar_usage(today).splitlines()]
    changes = [read_day_change(rest[0].split(), today) for _, verb, *rest in examples if verb in ("open", "close")]
    assert [change.day.weekday() for change in changes] == [3, today.weekday(), 6, 0]
    assert all(change.day >= today for change in changes)
    with pytest.raises(Refusal) as refused:
        read_day_change(["2026-01-01", "election"], today)
    assert str(refused.value).endswith(f"For example:\n{calendar_usage(today)}")


@pytest.mark.parametrize(
    ("now", "example"), [("2026-11-30 23:59", "2026-12-01T16:00"), ("2027-02-28 10:00", "2027-03-01T16:00")]
)
def test_the_example_of_a_time_is_tomorrow(now: str, example: str) -> None:
    with pytest.raises(Refusal, match=rf"^'teatime' is no time; write it like {example}\.$"):
        read_moment("teatime", india(now))


@pytest.mark.parametrize(
    ("now", "day"),
    [("2026-11-28 14:00", "2026-12-01"), ("2026-12-01 09:00", "2026-12-08"), ("2026-12-30 23:00", "2027-01-05")],
)
def test_the_example_for_the_clock_is_a_tuesday_ahead(now: str, day: str) -> None:
    assert clock_usage(india(now)) == f"For example: /clock {day}T10:30, or /clock real"


def test_the_calendar_tells_today_first_then_the_next_change_and_three_holidays() -> None:
    assert market_views.calendar(CALENDAR, [], india("2026-09-30 12:00")).splitlines() == [
        "<b>Today, Wed 30 Sep 2026</b>",
        "Shares with derivatives: 09:15–15:15, auction until 15:35",
        "Other shares: 09:15–15:30",
        "Equity derivatives: 09:15–15:40",
        "Currency: 09:00–17:00",
        "Commodities: 09:00–23:30",
        "Agricultural commodities: 09:00–17:00",
        "After-market orders for shares: from 17:00 until 08:59",
        "",
        "<b>Next change of hours</b>",
        "From Mon 2 Nov 2026",
        "Commodities: 09:00–23:55",
        "",
        "<b>Next holidays</b>",
        "Fri 2 Oct: Holiday (Gandhi Jayanti)",
        "Tue 20 Oct, shares: Holiday (Dussehra)",
        MUHURAT,
    ]


def test_a_closed_day_says_when_shares_open_again() -> None:
    lines = market_views.calendar(CALENDAR, [], india("2026-11-28 12:00")).splitlines()
    assert lines[1:3] == ["All markets: closed, Saturday", "Shares open again Mon 30 Nov 09:15"]
    assert lines[-1] == "The calendar ends on Thu 31 Dec 2026."


def test_more_days_and_hours_are_behind_the_button() -> None:
    lines = market_views.whole_calendar(CALENDAR, [], NOON).splitlines()
    assert lines[1:7] == [
        "<b>Shares with derivatives</b>",
        "open 09:15–15:15",
        "pre-open 09:00–09:15",
        "closing auction 15:15–15:35",
        "post-close 15:50–16:00",
        "after-market orders from 17:00 until 08:59",
    ]
    assert "Mon 7 Dec 2026, Shares with derivatives: 09:15–15:30" in lines
    assert "Fri 25 Dec: Holiday (Christmas)" in lines
    assert "The calendar ends on Thu 31 Dec 2026." in lines


def test_a_change_by_hand_says_who_why_and_until_when() -> None:
    change = Change(
        market=Market.EQUITY, day=date(2026, 12, 3), is_open=False, reason="<b>", expires_at=end_of(date(2026, 12, 3))
    )
    kept = Override(id=3, batch="x", change=change, set_by="operator 42", set_at=NOON)
    text = market_views.calendar(CALENDAR, [kept], NOON)
    assert "3. Thu 3 Dec 2026, equity: closed (&lt;b&gt;). By operator 42, until Fri 4 Dec 00:00." in text


def test_a_long_proposal_is_shown_in_part_and_says_so() -> None:
    change = Change(
        market=Market.EQUITY, day=date(2026, 12, 3), is_open=False, reason="x", expires_at=end_of(date(2026, 12, 3))
    )
    assert "… and 345 more days." in market_views.proposal([change] * 365)
