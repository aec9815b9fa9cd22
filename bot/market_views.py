"""How the calendar and the rules read in the chat. Every text from outside is escaped here."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from html import escape

from bot.text import day_time, fit
from core.clock import to_india
from core.db.overrides import Change, Override
from core.domain.instrument import SegmentClass
from core.domain.sessions import Calendar, Closed, Day, Span, Trading, Unknown, spoken_day, spoken_time
from core.market_days import in_words

_NAMES = {
    SegmentClass.CASH_WITH_DERIVATIVES: "Shares with derivatives",
    SegmentClass.CASH: "Other shares",
    SegmentClass.EQUITY_DERIVATIVES: "Equity derivatives",
    SegmentClass.CURRENCY: "Currency",
    SegmentClass.COMMODITY: "Commodities",
    SegmentClass.AGRICULTURAL: "Agricultural commodities",
}
_HOLIDAYS_FIRST = 3
_HOLIDAYS_MORE = 12
_DAYS_AHEAD = 120
_MOST_SHOWN = 20
_SATURDAY = 5


def calendar(known: Calendar, changes: Sequence[Override], now: datetime) -> str:
    """Today first, then the next change of hours, the next holidays, and what the operator has changed."""
    today = to_india(now).date()
    lines = [f"<b>Today, {spoken_day(today)} {today.year}</b>", *_today_in_short(known, today)]
    lines += ["", "<b>Next change of hours</b>", *_next_change(known, today)]
    holidays = _closed_ahead(known, today, _HOLIDAYS_FIRST)
    lines += ["", "<b>Next holidays</b>", *holidays]
    if len(holidays) < _HOLIDAYS_FIRST:
        lines += [_end(known)]
    if changes:
        lines += ["", "<b>Changed by hand</b>", *(_override(each) for each in changes[-_MOST_SHOWN:])]
    return fit("\n".join(lines))


def whole_calendar(known: Calendar, changes: Sequence[Override], now: datetime) -> str:
    """All of today's phases, every change of hours to come, more holidays, and where the calendar ends."""
    today = to_india(now).date()
    lines = [f"<b>Today, {spoken_day(today)} {today.year}</b>"]
    for segment_class, name in _NAMES.items():
        lines += [f"<b>{name}</b>", *_phases(known.day(segment_class, today)), ""]
    lines += ["<b>Changes of hours</b>", *(_all_changes(known, today) or ["none known"])]
    lines += ["", "<b>Holidays</b>", *(_closed_ahead(known, today, _HOLIDAYS_MORE) or ["none known"])]
    lines += ["", _end(known)]
    if changes:
        lines += ["", "<b>Changed by hand</b>", *(_override(each) for each in changes[-_MOST_SHOWN:])]
    return fit("\n".join(lines))


def _end(known: Calendar) -> str:
    return f"The calendar ends on {spoken_day(known.covered_until)} {known.covered_until.year}."


def _today_in_short(known: Calendar, today: date) -> Iterator[str]:
    """One line a market; one for all of them when the day is the same for all."""
    told = {name: _in_short(known.day(each, today)) for each, name in _NAMES.items()}
    if len(set(told.values())) == 1:
        yield f"All markets: {next(iter(told.values()))}"
    else:
        yield from (f"{name}: {words}" for name, words in told.items())
    match known.day(SegmentClass.CASH, today), known.next_trading_day(SegmentClass.CASH, today):
        case Trading() as hours, _:
            yield f"After-market orders for shares: {_after_market(hours)}"
        case _, (on, hours):
            yield f"Shares open again {spoken_day(on)} {spoken_time(hours.sessions[0].opens)}"
        case _:
            pass


def _in_short(day: Day) -> str:
    match day:
        case Closed(reason):
            return f"closed, {escape(reason)}"
        case Unknown(reason):
            return f"not known: {escape(reason)}"
        case Trading(closing_auction=auction):
            return _sessions(day) + (f", auction until {spoken_time(auction.span.closes)}" if auction else "")


def _phases(day: Day) -> list[str]:
    """One line a phase."""
    return list(_parts(day)) if isinstance(day, Trading) else [escape(day.reason)]


def _parts(hours: Trading) -> Iterator[str]:
    yield f"open {_sessions(hours)}"
    for name, span in (
        ("pre-open", hours.pre_open and hours.pre_open.span),
        ("closing auction", hours.closing_auction and hours.closing_auction.span),
        ("post-close", hours.post_close),
    ):
        if span is not None:
            yield f"{name} {_span(span)}"
    yield f"after-market orders {_after_market(hours)}"
    if hours.square_off is not None:
        yield f"intraday squared off {spoken_time(hours.square_off)}"


def _after_market(hours: Trading) -> str:
    evening = hours.amo_evening_opens
    opens = f"from {spoken_time(evening)}" if evening is not None else "from midnight"
    return f"{opens} until {spoken_time(hours.amo_morning_closes)}"


def _sessions(hours: Trading) -> str:
    return ", ".join(_span(span) for span in hours.sessions)


def _span(span: Span) -> str:
    return f"{spoken_time(span.opens)}–{spoken_time(span.closes)}"


def _changes_ahead(known: Calendar, today: date) -> list[tuple[date, str]]:
    """The day from which a market has other hours, and which; the next first."""
    ahead = [
        (since, f"{_NAMES[each]}: {_sessions(hours)}")
        for each, rows in known.usual.items()
        for since, hours in rows
        if since > today
    ]
    return sorted(ahead)


def _next_change(known: Calendar, today: date) -> list[str]:
    ahead = _changes_ahead(known, today)
    if not ahead:
        return ["none known"]
    next_day = ahead[0][0]
    return [f"From {spoken_day(next_day)} {next_day.year}", *(words for since, words in ahead if since == next_day)]


def _all_changes(known: Calendar, today: date) -> list[str]:
    return [f"{spoken_day(since)} {since.year}, {words}" for since, words in _changes_ahead(known, today)]


def _closed_ahead(known: Calendar, today: date, most: int) -> list[str]:
    lines: list[str] = []
    for count in range(1, _DAYS_AHEAD):
        on = today + timedelta(days=count)
        if on > known.covered_until or len(lines) == most:
            break
        found = {"shares": known.day(SegmentClass.CASH, on), "commodities": known.day(SegmentClass.COMMODITY, on)}
        unusual = {each: day for each, day in found.items() if not isinstance(day, Trading)}
        if unusual and (on.weekday() < _SATURDAY or any(isinstance(day, Unknown) for day in unusual.values())):
            whose = "" if len(unusual) == len(found) else f", {next(iter(unusual))}"
            lines.append(f"{spoken_day(on)}{whose}: {_phases(next(iter(unusual.values())))[0]}")
    return lines


def _override(override: Override) -> str:
    ends = day_time(override.change.expires_at)
    return f"{override.id}. {escape(in_words(override.change))} By {escape(override.set_by)}, until {ends}."


def proposal(changes: Sequence[Change]) -> str:
    """What would be changed, before the tap."""
    words = [escape(in_words(change)) for change in changes[:_MOST_SHOWN]]
    more = len(changes) - len(words)
    lines = ["<b>Change the calendar?</b>", *words, *([f"… and {more} more days."] if more else [])]
    if len(changes) == 1:
        lines += [f"Until {day_time(changes[0].expires_at)}; what waits is planned anew."]
    return fit("\n".join(lines))


def changed(told: Sequence[str]) -> str:
    """What was changed, and what moved by it."""
    what, *moved = told
    return fit("\n".join([escape(what), "", *(escape(words) for words in moved or ["Nothing that waits has moved."])]))


def lines(title: str, told: Sequence[str]) -> str:
    return fit("\n".join([f"<b>{title}</b>", *(escape(line) for line in told)]))
