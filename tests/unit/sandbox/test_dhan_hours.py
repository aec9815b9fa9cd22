"""The stand-in's own hours: sessions that change with the date, holidays, and after-market orders."""

from datetime import date, datetime

import pytest

from core.clock import INDIA
from core.sandbox.dhan.hours import AmoTime, Market, amo_release, is_open, session, takes_amo


def india(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=INDIA)


@pytest.mark.parametrize(
    ("day", "market", "closes"),
    [
        (date(2026, 7, 31), Market.CASH_WITH_DERIVATIVES, "15:30"),
        (date(2026, 11, 25), Market.CASH_WITH_DERIVATIVES, "15:15"),
        (date(2026, 12, 7), Market.CASH_WITH_DERIVATIVES, "15:30"),
        (date(2026, 11, 25), Market.CASH, "15:30"),
        (date(2026, 7, 31), Market.DERIVATIVES, "15:30"),
        (date(2026, 11, 25), Market.DERIVATIVES, "15:40"),
        (date(2026, 12, 7), Market.DERIVATIVES, "15:45"),
    ],
)
def test_the_close_depends_on_the_market_and_the_date(day: date, market: Market, closes: str) -> None:
    hours = session(day, market)
    assert hours is not None
    assert f"{hours.opens:%H:%M}–{hours.closes:%H:%M}" == f"09:15–{closes}"


@pytest.mark.parametrize("day", [date(2026, 11, 24), date(2026, 12, 25), date(2026, 11, 28), date(2026, 11, 29)])
def test_holidays_and_weekends_have_no_session(day: date) -> None:
    assert session(day, Market.CASH) is None


def test_budget_sunday_is_a_full_day_and_muhurat_an_hour() -> None:
    assert is_open(india("2026-02-01 11:00"), Market.CASH)
    assert is_open(india("2026-11-08 18:30"), Market.CASH)
    assert not is_open(india("2026-11-08 11:00"), Market.CASH)


@pytest.mark.parametrize(
    ("at", "taken"),
    [
        ("2026-11-25 15:44:59", False),
        ("2026-11-25 15:45", True),
        ("2026-11-26 08:58:59", True),
        ("2026-11-26 08:59", False),
        ("2026-11-26 12:00", False),
        ("2026-11-28 12:00", True),
        ("2026-11-24 12:00", True),
    ],
)
def test_after_market_orders_are_taken_from_the_evening_to_the_morning(at: str, taken: bool) -> None:
    assert takes_amo(india(at)) is taken


@pytest.mark.parametrize(
    ("at", "amo_time", "released"),
    [
        ("2026-11-25 19:00", AmoTime.OPEN_30, "2026-11-26 09:45"),
        ("2026-11-26 08:30", AmoTime.PRE_OPEN, "2026-11-26 09:00"),
        ("2026-11-27 19:00", AmoTime.OPEN, "2026-11-30 09:15"),
        ("2026-11-28 14:00", AmoTime.OPEN_60, "2026-11-30 10:15"),
        ("2026-11-23 19:00", AmoTime.OPEN, "2026-11-25 09:15"),
    ],
)
def test_an_after_market_order_goes_out_on_the_next_trading_day(at: str, amo_time: AmoTime, released: str) -> None:
    assert amo_release(india(at), amo_time) == india(released)
