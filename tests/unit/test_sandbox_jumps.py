"""Where the paper clock jumps to."""

from datetime import datetime

import pytest

from core.clock import INDIA
from core.sandbox.jumps import JUMPS, find_instant
from tests.builders import CALENDAR


def india(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=INDIA)


@pytest.mark.parametrize(
    ("now", "wish", "then"),
    [
        ("2026-11-25 15:00", "Tue 10:30", "2026-12-01 10:30"),
        ("2026-12-01 09:00", "Tue 10:30", "2026-12-01 10:30"),
        ("2026-12-01 10:30", "Tue 10:30", "2026-12-08 10:30"),
        ("2026-12-01 10:31", "sat 14:00", "2026-12-05 14:00"),
        ("2026-12-05 14:00", "Monday 17:00", "2026-12-07 17:00"),
    ],
)
def test_a_weekday_is_the_next_one_ahead(now: str, wish: str, then: str) -> None:
    assert find_instant(wish, india(now), CALENDAR) == india(then)


def test_a_holiday_is_no_trading_day() -> None:
    assert find_instant("Tue 10:30", india("2026-11-23 12:00"), CALENDAR) == india("2026-12-01 10:30")
    assert find_instant("Fri 10:00", india("2026-12-24 12:00"), CALENDAR) == india("2026-12-04 10:00")


def test_past_the_calendars_end_it_goes_back_to_december() -> None:
    for wish in JUMPS:
        landed = find_instant(wish, india("2026-12-31 23:00"), CALENDAR)
        assert india("2026-12-01 00:00") <= landed < india("2026-12-09 00:00")


def test_a_date_is_taken_as_india_time() -> None:
    now = india("2026-12-01 09:00")
    assert find_instant("2026-12-07 15:20", now, CALENDAR) == india("2026-12-07 15:20")
    assert find_instant("2026-12-07T09:50:00+00:00", now, CALENDAR) == india("2026-12-07 15:20")


@pytest.mark.parametrize("wish", ["", "soon", "Tue 25:00", "Xyz 10:30"])
def test_nonsense_is_explained(wish: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        find_instant(wish, india("2026-12-01 09:00"), CALENDAR)
