"""A holiday list from the net, as a proposal: read, compared with the calendar, applied by nobody but the operator.

Two shapes are published. The exchange's own has a list per segment, with days like "26-Jan-2026":
`{"CM": [{"tradingDate": …, "description": …}], "CD": …}`. The other has one list over all exchanges:
`{"data": [{"date": "2026-01-26", "description": …, "closed_exchanges": ["NSE", …], "open_exchanges": [{"exchange":
"MCX", "start_time": …, "end_time": …}]}]}`, with times in milliseconds since 1970. The first one's commodity list is of
another exchange than MCX, and is left out.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from core.clock import INDIA, to_india
from core.db.overrides import Change
from core.domain.instrument import Market
from core.domain.sessions import Calendar, Span, Trading, Unknown, spoken_day
from core.errors import Unavailable

_SEGMENTS = {"CM": Market.EQUITY, "CD": Market.CURRENCY}
_EXCHANGES = {"NSE": Market.EQUITY, "CDS": Market.CURRENCY, "MCX": Market.COMMODITY}
A_YEARS_LIST = 8
"""So many weekday holidays at least has a list that covers a year; a shorter one is a list still being made."""

_SATURDAY = 5


class BadFeed(Unavailable):
    """The list cannot be read; nothing was changed."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One market's row: closed all day, or open only at `sessions`."""

    market: Market
    day: date
    reason: str
    sessions: tuple[Span, ...] = ()


def read_feed(text: str) -> list[Listed]:
    """The rows of either shape. Raises BadFeed."""
    if text.lstrip().startswith("<"):
        raise BadFeed("The address answered with a web page instead of a holiday list.")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFeed("The holiday list cannot be read: it is no JSON, or was cut off.") from error
    try:
        rows = list(_by_day(body["data"]) if "data" in body else _by_segment(body))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise BadFeed("The holiday list cannot be read: it has neither of the two known shapes.") from error
    if not rows:
        raise BadFeed("The holiday list names no day of a market that this desk knows.")
    return rows


def _by_segment(body: Mapping[str, Any]) -> Iterator[Listed]:
    for name, market in _SEGMENTS.items():
        for row in body.get(name, ()):
            day = datetime.strptime(row["tradingDate"].strip(), "%d-%b-%Y").replace(tzinfo=INDIA).date()
            yield Listed(market=market, day=day, reason=_words(row["description"]))


def _by_day(rows: list[Mapping[str, Any]]) -> Iterator[Listed]:
    for row in rows:
        day, reason = date.fromisoformat(row["date"][:10]), _words(row["description"])
        for name in set(row.get("closed_exchanges") or ()) & _EXCHANGES.keys():
            yield Listed(market=_EXCHANGES[name], day=day, reason=reason)
        for span in row.get("open_exchanges") or ():
            if span["exchange"] in _EXCHANGES:
                sessions = (Span(_clock(span["start_time"]), _clock(span["end_time"])),)
                yield Listed(market=_EXCHANGES[span["exchange"]], day=day, reason=reason, sessions=sessions)


def _clock(milliseconds: Any) -> time:
    return to_india(datetime.fromtimestamp(int(milliseconds) / 1000, UTC)).time()


def _words(description: Any) -> str:
    return " ".join(str(description).split())[:80] or "holiday"


def check_is_current(listed: list[Listed], today: date) -> None:
    """An old list would seem to agree with the calendar. Raises BadFeed."""
    last = max(row.day for row in listed)
    if last < today:
        raise BadFeed(f"The holiday list ends on {spoken_day(last)} {last.year}, which is past: it is an old list.")


def differences(calendar: Calendar, listed: list[Listed], today: date) -> list[Change]:
    """What the list says otherwise than the calendar, from today on, in order of days.

    Of a year that the calendar does not know at all, a whole list tells every day.
    """
    rows = {(row.market, row.day): row for row in listed}
    found = [_change(row) for row in rows.values() if row.day >= today and _differs(calendar, row)]
    for market in Market:
        for year in sorted({row.day.year for row in listed if row.market is market}):
            found += _unlisted_days(calendar, rows, market, year, today)
    return sorted(found, key=lambda change: (change.day, change.market))


def _differs(calendar: Calendar, row: Listed) -> bool:
    days = [calendar.day(each, row.day) for each in row.market.classes]
    if row.sessions:
        return not any(isinstance(day, Trading) and day.sessions == row.sessions for day in days)
    is_weekend = row.day.weekday() >= _SATURDAY
    return any(isinstance(day, Trading) or (isinstance(day, Unknown) and not is_weekend) for day in days)


def _unlisted_days(
    calendar: Calendar, rows: Mapping[tuple[Market, date], Listed], market: Market, year: int, today: date
) -> Iterator[Change]:
    days = [date(year, 1, 1) + timedelta(days=count) for count in range(366)]
    days = [day for day in days if day.year == year]
    known = any(not isinstance(calendar.day(each, day), Unknown) for each in market.classes for day in days)
    holidays = sum((market, day) in rows and day.weekday() < _SATURDAY for day in days)
    if known or holidays < A_YEARS_LIST:
        return
    for day in days:
        if day >= today and (market, day) not in rows:
            is_open = day.weekday() < _SATURDAY
            reason = "not on the holiday list" if is_open else "weekend"
            yield Change(market=market, day=day, is_open=is_open, reason=reason, expires_at=end_of(day))


def _change(row: Listed) -> Change:
    return Change(
        market=row.market,
        day=row.day,
        is_open=bool(row.sessions),
        sessions=row.sessions,
        reason=row.reason,
        expires_at=end_of(row.day),
    )


def end_of(day: date) -> datetime:
    """The midnight after it, in India."""
    return datetime.combine(day + timedelta(days=1), time(), INDIA)
