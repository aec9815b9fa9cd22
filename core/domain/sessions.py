"""When the exchanges take orders: dated hours per segment class, and days that nobody knows.

A day is trading, closed, or unknown; a day that no list covers is unknown, for "weekday" never means "open".
Times are India's and every span is half-open: a session 09:15–15:30 takes its last order before 15:30:00.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone
from types import MappingProxyType

from core.domain.alert import OrderType
from core.domain.instrument import SegmentClass

INDIA = timezone(timedelta(hours=5, minutes=30), "IST")
"""India has kept one offset, without summer time, for as long as its markets had computers."""

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Span:
    """From `opens` until just before `closes`, on one day."""

    opens: time
    closes: time


@dataclass(frozen=True, slots=True, kw_only=True)
class Auction:
    """One price for all, before or after the continuous session. `entry` says which orders it takes, and when.

    No auction takes stop orders. Where the exchange ends entry at random, `entry` ends at the earliest moment.
    """

    span: Span
    entry: Mapping[OrderType, Span]


@dataclass(frozen=True, slots=True, kw_only=True)
class AmoHours:
    """When the broker takes after-market orders: the morning of a trading day until `morning_closes`, for that day,
    and the evening of a trading day from `evening_opens` (None: from midnight only), for the next trading day."""

    evening_opens: time | None
    morning_closes: time


@dataclass(frozen=True, slots=True, kw_only=True)
class Trading:
    """A trading day's hours. `sessions` are the continuous ones, in order, at least one.

    `post_close` trades at the closing price; the desk sends nothing into it, since Dhan has not said that it takes it.
    `square_off` is when the broker closes intraday positions; None where it did not say. `by_day_only`: never after the
    usual close, whatever else trades then.
    """

    sessions: tuple[Span, ...]
    amo: AmoHours
    pre_open: Auction | None = None
    closing_auction: Auction | None = None
    post_close: Span | None = None
    expiring_index_closes: time | None = None
    square_off: time | None = None
    by_day_only: bool = False

    @property
    def trades_from(self) -> time:
        """The day has no trade before."""
        return self.pre_open.span.opens if self.pre_open else self.sessions[0].opens

    @property
    def amo_morning_closes(self) -> time:
        return min(self.amo.morning_closes, self.sessions[0].opens)

    @property
    def amo_evening_opens(self) -> time | None:
        """Never before the day's last session has ended; None when the evening takes no after-market orders."""
        opens = self.amo.evening_opens
        return opens if opens is None else max(opens, self.sessions[-1].closes)

    def at_special_hours(self, sessions: tuple[Span, ...]) -> "Trading | Closed":
        """The same market on a day with sessions of its own; what hangs on a moved open or close is not known then."""
        if self.by_day_only:
            sessions = _until(self.sessions[-1].closes, sessions)
            if not sessions:
                return Closed("Only an evening session, in which these contracts do not trade")
        opens_as_usual = sessions[0].opens == self.sessions[0].opens
        closes_as_usual = sessions[-1].closes == self.sessions[-1].closes
        return replace(
            self,
            sessions=sessions,
            pre_open=self.pre_open if opens_as_usual else None,
            closing_auction=self.closing_auction if closes_as_usual else None,
            post_close=self.post_close if closes_as_usual else None,
            square_off=self.square_off if closes_as_usual else None,
        )

    def on_index_expiry(self) -> "Trading":
        """These hours for an index contract on its last day, which stops before the others."""
        stop = self.expiring_index_closes
        if stop is None:
            return self
        return replace(self, sessions=_until(stop, self.sessions) or self.sessions)


def _until(stop: time, sessions: tuple[Span, ...]) -> tuple[Span, ...]:
    return tuple(Span(session.opens, min(session.closes, stop)) for session in sessions if session.opens < stop)


@dataclass(frozen=True, slots=True)
class Closed:
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody may trade on a guess: hold and ask. `reason` is a sentence."""

    reason: str


Day = Trading | Closed | Unknown


def _no_hours() -> Mapping[SegmentClass, tuple[tuple[date, Trading], ...]]:
    return MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """What each segment class does on each day; a day that is not in `days` is unknown.

    `covered_until` is the last day of the last list that was accepted. `usual` are each class's hours, whatever the
    day, with the date from which they hold, in order.
    """

    days: Mapping[tuple[SegmentClass, date], Day]
    covered_until: date
    usual: Mapping[SegmentClass, tuple[tuple[date, Trading], ...]] = field(default_factory=_no_hours)

    def day(self, segment_class: SegmentClass, on: date) -> Day:
        known = self.days.get((segment_class, on))
        return Unknown(f"The calendar has no list that covers {spoken_day(on)} {on.year}.") if known is None else known

    def usual_hours(self, segment_class: SegmentClass, on: date) -> Trading | None:
        """The hours that a trading day has then; None before the first ones known."""
        in_force = [hours for valid_from, hours in self.usual.get(segment_class, ()) if valid_from <= on]
        return in_force[-1] if in_force else None

    def is_trading_day(self, segment_class: SegmentClass, on: date) -> bool | None:
        """None: not known."""
        day = self.day(segment_class, on)
        return None if isinstance(day, Unknown) else isinstance(day, Trading)

    def next_trading_day(self, segment_class: SegmentClass, after: date) -> tuple[date, Trading] | Unknown:
        """The first trading day later than `after`, or Unknown when an unknown day comes first."""
        on = after
        while True:
            on += timedelta(days=1)
            match self.day(segment_class, on):
                case Closed():
                    continue
                case Trading() as hours:
                    return on, hours
                case Unknown() as unknown:
                    return unknown


def spoken_day(on: date) -> str:
    """Such as "Tue 1 Dec"; the same in every locale."""
    return f"{WEEKDAYS[on.weekday()]} {on.day} {MONTHS[on.month - 1]}"


def spoken_time(clock: time | datetime) -> str:
    return f"{clock.hour:02}:{clock.minute:02}"


def spoken(at: datetime) -> str:
    """Such as "Tue 1 Dec 09:15", in India time."""
    local = at.astimezone(INDIA)
    return f"{spoken_day(local)} {spoken_time(local)}"
