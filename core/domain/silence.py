"""A stopped TradingView alert looks like silence: it is measured in bars of the time that its market is open."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from core.domain.instrument import Market
from core.domain.sessions import INDIA, Calendar, Span, Trading

MOST_DAYS_BACK = 400


class Bar(StrEnum):
    """A chart's bar; its length in minutes, but for the day, which is one trading day."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M10 = "10m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    D1 = "1d"

    @property
    def length(self) -> timedelta | None:
        """None for the day."""
        number, unit = int(self[:-1]), self[-1]
        return None if unit == "d" else timedelta(minutes=number * (60 if unit == "h" else 1))


@dataclass(frozen=True, kw_only=True)
class Watch:
    """A source is silent when it says nothing for so many bars of that market's hours."""

    bars: int
    bar: Bar
    market: Market = Market.EQUITY

    @property
    def words(self) -> str:
        plural = "s" if self.bars > 1 else ""
        return f"{self.bars} bar{plural} of {self.bar}" + ("" if self.market is Market.EQUITY else f", {self.market}")

    @property
    def row(self) -> Mapping[str, Any]:
        return {"bars": self.bars, "bar": self.bar.value, "market": self.market.value}


def watch_of(row: Mapping[str, Any]) -> Watch:
    return Watch(bars=row["bars"], bar=Bar(row["bar"]), market=Market(row["market"]))


def is_silent(watch: Watch, calendar: Calendar, heard_at: datetime, now: datetime) -> bool:
    """Whether all the bars have passed since it was heard. A day whose hours nobody knows does not count."""
    length = watch.bar.length
    if length is None:
        return _closes_between(watch, calendar, heard_at, now) >= watch.bars
    return _open_between(watch, calendar, heard_at, now) >= watch.bars * length


def _open_between(watch: Watch, calendar: Calendar, since: datetime, until: datetime) -> timedelta:
    """How long the market's sessions were open in that time."""
    spans = [_at(day, span) for day, hours in _days(watch, calendar, since, until) for span in hours.sessions]
    overlaps = (min(closes, until) - max(opens, since) for opens, closes in spans)
    return sum((each for each in overlaps if each > timedelta(0)), timedelta(0))


def _closes_between(watch: Watch, calendar: Calendar, since: datetime, until: datetime) -> int:
    """How many trading days ended in that time."""
    ends = (_at(day, hours.sessions[-1])[1] for day, hours in _days(watch, calendar, since, until))
    return sum(since < end <= until for end in ends)


def _days(watch: Watch, calendar: Calendar, since: datetime, until: datetime) -> list[tuple[date, Trading]]:
    last = until.astimezone(INDIA).date()
    first = max(since.astimezone(INDIA).date(), last - timedelta(days=MOST_DAYS_BACK))
    days = (first + timedelta(days=count) for count in range((last - first).days + 1))
    found = ((day, calendar.day(watch.market.classes[0], day)) for day in days)
    return [(day, hours) for day, hours in found if isinstance(hours, Trading)]


def _at(day: date, span: Span) -> tuple[datetime, datetime]:
    return datetime.combine(day, span.opens, INDIA), datetime.combine(day, span.closes, INDIA)
