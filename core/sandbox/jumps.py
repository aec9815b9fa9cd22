"""Where the paper clock can jump: "Tue 10:30", a date and time, or back to real time."""

import re
from datetime import date, datetime, time, timedelta

from core.clock import INDIA, to_india
from core.domain.instrument import SegmentClass
from core.domain.sessions import Calendar

JUMPS = ("Tue 09:45", "Tue 10:30", "Tue 16:00", "Tue 19:00", "Sat 14:00", "Mon 17:00")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY_AND_TIME = re.compile(r"([a-z]{3})[a-z]*\s+(\d{1,2}):(\d{2})")
_FALLBACK = date(2026, 12, 1)


def find_instant(wish: str, now: datetime, calendar: Calendar) -> datetime:
    """The instant that `wish` means, seen from `now`. Raises ValueError with a sentence for the person who typed it.

    A weekday means the next one ahead that is a trading day; a Saturday or Sunday is taken as it is. Where the calendar
    ends before that, it means the first one from 1 December 2026 on.
    """
    named = _WEEKDAY_AND_TIME.fullmatch(wish.strip().lower())
    if named and named[1] in _DAYS:
        at = _time_of_day(int(named[2]), int(named[3]))
        weekday, local = _DAYS.index(named[1]), to_india(now)
        start = local.date() if at > local.time() else local.date() + timedelta(days=1)
        day = _first(weekday, start, calendar) or _first(weekday, _FALLBACK, calendar)
        if day is None:
            raise ValueError("The calendar does not reach that day; give a date instead.")
        return datetime.combine(day, at, tzinfo=INDIA)
    try:
        instant = datetime.fromisoformat(wish.strip())
    except ValueError:
        raise ValueError(f"“{wish}” is no time; write Tue 10:30 or 2026-12-01 10:30, in India time") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=INDIA)


def _time_of_day(hour: int, minute: int) -> time:
    try:
        return time(hour, minute)
    except ValueError:
        raise ValueError(f"{hour}:{minute:02} is no time of day") from None


def _first(weekday: int, day: date, calendar: Calendar) -> date | None:
    """The first such weekday from `day` on, within the calendar."""
    weekend = weekday >= _DAYS.index("sat")
    while day <= calendar.covered_until:
        if day.weekday() == weekday and (weekend or calendar.is_trading_day(SegmentClass.CASH, day)):
            return day
        day += timedelta(days=1)
    return None
