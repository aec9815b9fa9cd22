"""When the desk makes sure, before a market opens, that orders will get through."""

from datetime import date, datetime, time, timedelta

from core.domain.instrument import SegmentClass
from core.domain.sessions import INDIA, Calendar, Trading

LEADS = tuple(timedelta(minutes=minutes) for minutes in (30, 10, 2))
REMIND_AT = time(8, 30)
_FRESH_FROM = time(8, 15)


def checks(calendar: Calendar, day: date) -> list[datetime]:
    """When to look: some minutes before each session and each after-market window that opens on that day."""
    opening = {opens for hours in _hours(calendar, day) for opens in _openings(hours)}
    return sorted(datetime.combine(day, opens, INDIA) - lead for opens in opening for lead in LEADS)


def needed_through(calendar: Calendar, now: datetime) -> datetime | None:
    """Before a share market's open: until when a sign-in should last, so that none is needed in the session."""
    local = now.astimezone(INDIA)
    hours = calendar.day(SegmentClass.CASH, local.date())
    if not isinstance(hours, Trading) or not _FRESH_FROM <= local.time() < hours.sessions[0].opens:
        return None
    return datetime.combine(local.date(), hours.sessions[-1].closes, INDIA)


def is_reminding_time(calendar: Calendar, now: datetime) -> bool:
    """From 08:30 until the open, on a trading day."""
    return now.astimezone(INDIA).time() >= REMIND_AT and needed_through(calendar, now) is not None


def _hours(calendar: Calendar, day: date) -> list[Trading]:
    days = [calendar.day(segment_class, day) for segment_class in SegmentClass]
    return [hours for hours in days if isinstance(hours, Trading)]


def _openings(hours: Trading) -> list[time]:
    opens = [session.opens for session in hours.sessions]
    return opens if hours.amo_evening_opens is None else [*opens, hours.amo_evening_opens]
