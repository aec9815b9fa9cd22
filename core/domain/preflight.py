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
    """Before the market's open: until when a sign-in should last, so that none is needed in the session.

    The market is that of shares; on a day without it, whatever else trades.
    """
    local = now.astimezone(INDIA)
    shares = calendar.day(SegmentClass.CASH, local.date())
    trading = [shares] if isinstance(shares, Trading) else _hours(calendar, local.date())
    opens = min((hours.sessions[0].opens for hours in trading), default=time.min)
    if not _FRESH_FROM <= local.time() < opens:
        return None
    return datetime.combine(local.date(), max(hours.sessions[-1].closes for hours in trading), INDIA)


def is_reminding_time(calendar: Calendar, now: datetime) -> bool:
    """From 08:30 until the open, on a day on which any market trades."""
    return now.astimezone(INDIA).time() >= REMIND_AT and needed_through(calendar, now) is not None


def is_holiday(calendar: Calendar, day: date) -> bool:
    """No market trades, for all that is known."""
    return all(calendar.is_trading_day(segment_class, day) is False for segment_class in SegmentClass)


def _hours(calendar: Calendar, day: date) -> list[Trading]:
    days = [calendar.day(segment_class, day) for segment_class in SegmentClass]
    return [hours for hours in days if isinstance(hours, Trading)]


def _openings(hours: Trading) -> list[time]:
    opens = [session.opens for session in hours.sessions]
    return opens if hours.amo_evening_opens is None else [*opens, hours.amo_evening_opens]
