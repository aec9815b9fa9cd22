"""From the bundled years to a Calendar: every day that a list covers is worked out once, at start."""

from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

from pydantic import ValidationError

from core.calendar.years import AuctionRow, Covers, DayRow, HoursRow, MarketDays, Year
from core.domain.instrument import SegmentClass
from core.domain.sessions import AmoHours, Auction, Calendar, Closed, Day, Span, Trading, Unknown, spoken_day
from core.errors import DeskError

SATURDAY = 5


class BadCalendar(DeskError):
    """A calendar file that cannot be trusted. The text names the file and the key."""


def load_calendar(folder: Traversable | None = None) -> Calendar:
    """All years in `folder` (the bundled ones) as one calendar. Raises BadCalendar."""
    found = (folder or files(__package__ or __name__)).iterdir()
    texts = {file.name: file.read_text("utf-8") for file in found if file.name.endswith(".json")}
    years = {name: _read(name, text) for name, text in sorted(texts.items())}
    if not years:
        raise BadCalendar("There is no calendar file.")
    hours = sorted((row for year in years.values() for row in year.hours), key=lambda row: row.valid_from)
    days: dict[tuple[SegmentClass, date], Day] = {}
    for name, year in years.items():
        for market, listed in year.days.items():
            for segment_class in market.classes:
                usual = _UsualHours(name, segment_class, hours)
                days |= {(segment_class, on): day for on, day in _days(year.year, listed, usual)}
    return Calendar(
        days=MappingProxyType(days),
        covered_until=max(on for _, on in days),
        usual=MappingProxyType({each: _UsualHours("the years", each, hours).rows for each in SegmentClass}),
    )


def _read(name: str, text: str) -> Year:
    try:
        year = Year.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise BadCalendar(f"{name}: {key}: {first['msg']}.") from error
    if name != f"{year.year}.json":
        raise BadCalendar(f"{name}: year: says {year.year}, the file's name says otherwise.")
    return year


class _UsualHours:
    """One class's hours by date; `name` is the file that asks, for the complaint."""

    def __init__(self, name: str, segment_class: SegmentClass, rows: Sequence[HoursRow]) -> None:
        self._name = name
        self._segment_class = segment_class
        self.rows = tuple((row.valid_from, _trading(row)) for row in rows if row.segment_class is segment_class)

    def on(self, day: date) -> Trading:
        in_force = [hours for valid_from, hours in self.rows if valid_from <= day]
        if not in_force:
            raise BadCalendar(f"{self._name}: hours: no row for {self._segment_class} is in force on {day}.")
        return in_force[-1]


def _trading(row: HoursRow) -> Trading:
    return Trading(
        sessions=_spans(row.sessions),
        amo=AmoHours(evening_opens=row.amo.evening_opens, morning_closes=row.amo.morning_closes),
        pre_open=_auction(row.pre_open),
        closing_auction=_auction(row.closing_auction),
        post_close=Span(*row.post_close) if row.post_close else None,
        expiring_index_closes=row.expiring_index_closes,
        square_off=row.square_off.at if row.square_off else None,
        by_day_only=row.by_day_only,
    )


def _spans(rows: Sequence[tuple[time, time]]) -> tuple[Span, ...]:
    return tuple(Span(opens, closes) for opens, closes in rows)


def _auction(row: AuctionRow | None) -> Auction | None:
    if row is None:
        return None
    entry = {order_type: Span(*span) for order_type, span in row.entry.items()}
    return Auction(span=Span(*row.span), entry=MappingProxyType(entry))


def _days(year: int, listed: MarketDays, usual: _UsualHours) -> Iterator[tuple[date, Day]]:
    rows = {row.date: row for row in listed.rows}
    on = date(year, 1, 1)
    while on.year == year:
        if on in rows:
            yield on, _special_day(rows[on], usual)
        elif listed.covers is Covers.WHOLE_YEAR:
            yield on, Closed(f"{on:%A}") if on.weekday() >= SATURDAY else usual.on(on)
        on += timedelta(days=1)


def _special_day(row: DayRow, usual: _UsualHours) -> Day:
    if row.closed is not None:
        return Closed(f"Holiday ({row.closed})")
    if row.open is not None:
        return usual.on(row.date).at_special_hours(_spans(row.open))
    return Unknown(f"The hours of {spoken_day(row.date)} {row.date.year} are not known: {row.unknown}.")
