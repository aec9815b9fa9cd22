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
}
_CLOSED_AHEAD = 6
_DAYS_AHEAD = 120
_MOST_SHOWN = 20
_SATURDAY = 5


def calendar(known: Calendar, changes: Sequence[Override], now: datetime) -> str:
    """Today's hours, the next change of them, the coming holidays, and what the operator has changed."""
    today = to_india(now).date()
    lines = [f"<b>{spoken_day(today)} {today.year}</b>", *_today(known, today)]
    lines += ["", "<b>Next changes of hours</b>", *(_changes_ahead(known, today) or ["none known"])]
    lines += ["", "<b>Closed or unknown</b>", *(_closed_ahead(known, today) or ["nothing known"])]
    lines += ["", f"The calendar ends on {spoken_day(known.covered_until)} {known.covered_until.year}."]
    if changes:
        lines += ["", "<b>Changed by hand</b>", *(_override(each) for each in changes[-_MOST_SHOWN:])]
    return fit("\n".join(lines))


def _today(known: Calendar, today: date) -> Iterator[str]:
    for segment_class, name in _NAMES.items():
        yield f"{name}: {_hours(known.day(segment_class, today))}"


def _hours(day: Day) -> str:
    match day:
        case Closed(reason) | Unknown(reason):
            return escape(reason)
        case Trading():
            return ", ".join(_parts(day))


def _parts(hours: Trading) -> Iterator[str]:
    yield _sessions(hours)
    for name, span in (
        ("pre-open", hours.pre_open and hours.pre_open.span),
        ("closing auction", hours.closing_auction and hours.closing_auction.span),
        ("post-close", hours.post_close),
    ):
        if span is not None:
            yield f"{name} {_span(span)}"
    evening = hours.amo_evening_opens
    opens = f"from {spoken_time(evening)}" if evening is not None else "from midnight"
    yield f"AMO {opens} until {spoken_time(hours.amo_morning_closes)}"
    if hours.square_off is not None:
        yield f"intraday closed {spoken_time(hours.square_off)}"


def _sessions(hours: Trading) -> str:
    return ", ".join(_span(span) for span in hours.sessions)


def _span(span: Span) -> str:
    return f"{spoken_time(span.opens)}–{spoken_time(span.closes)}"


def _changes_ahead(known: Calendar, today: date) -> list[str]:
    ahead = [
        (since, f"{spoken_day(since)} {since.year}, {_NAMES[each]}: {_sessions(hours)}")
        for each, rows in known.usual.items()
        for since, hours in rows
        if since > today
    ]
    return [words for _, words in sorted(ahead)]


def _closed_ahead(known: Calendar, today: date) -> list[str]:
    lines: list[str] = []
    for count in range(1, _DAYS_AHEAD):
        on = today + timedelta(days=count)
        if on > known.covered_until or len(lines) == _CLOSED_AHEAD:
            break
        found = {each: known.day(each, on) for each in (SegmentClass.CASH, SegmentClass.COMMODITY)}
        unusual = {each: day for each, day in found.items() if not isinstance(day, Trading)}
        if unusual and (on.weekday() < _SATURDAY or any(isinstance(day, Unknown) for day in unusual.values())):
            whose = "" if len(unusual) == len(found) else f" ({', '.join(_NAMES[each] for each in unusual)})"
            lines.append(f"{spoken_day(on)}: {_hours(next(iter(unusual.values())))}{whose}")
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
