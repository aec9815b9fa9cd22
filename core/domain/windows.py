"""The window an order can leave in: the one that is open now, or else the next one to open."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Protocol

from core.domain.alert import OrderType
from core.domain.instrument import SegmentClass
from core.domain.sessions import INDIA, Auction, Calendar, Day, Span, Trading, Unknown, spoken_day

SESSION_MARGIN = timedelta(seconds=2)
"""A regular order leaves at least this long before its session ends, so that it arrives inside it."""

ONE_DAY = timedelta(days=1)
MIDNIGHT = time()
_DAYS_LOOKED_BACK = 7


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open, aware, in India time."""

    opens: datetime
    closes: datetime


@dataclass(frozen=True, slots=True)
class AmoWindow(Window):
    """The after-market orders of this window go to the exchange on `day`, which has these `hours`."""

    day: date
    hours: Trading


@dataclass(frozen=True, slots=True)
class Expired(Unknown):
    """The contract has no session any more; this is known."""


class Traded(Protocol):
    """What the market's hours hang on: an instrument, or an order for one.

    `expiry` is a contract's last day, and `index_expiry` the same of an index contract, which then stops earlier.
    """

    @property
    def segment_class(self) -> SegmentClass: ...

    @property
    def expiry(self) -> date | None: ...

    @property
    def index_expiry(self) -> date | None: ...


@dataclass(frozen=True, slots=True)
class MarketTime:
    """An instant in India as one market sees it; the expiries as in Traded."""

    now: datetime
    today: Day
    segment_class: SegmentClass
    calendar: Calendar
    expiry: date | None
    index_expiry: date | None

    def next_trading_day(self, after: date) -> tuple[date, Trading] | Unknown:
        if self.expiry is not None and after >= self.expiry:
            return _expired(self.expiry)
        found = self.calendar.next_trading_day(self.segment_class, after)
        if isinstance(found, Unknown) or self.expiry is None or found[0] < self.expiry:
            return found
        if found[0] > self.expiry:
            return _expired(self.expiry)
        return found[0], found[1].on_index_expiry() if found[0] == self.index_expiry else found[1]


def _expired(expiry: date) -> Expired:
    return Expired(f"The contract's last session was on {spoken_day(expiry)}.")


def look(now: datetime, traded: Traded, calendar: Calendar) -> MarketTime:
    """Read the market's clock. Beyond the years that Python can count, no day is known either."""
    index_expiry = traded.index_expiry
    expiry = traded.expiry or index_expiry
    try:
        local = now.astimezone(INDIA)
    except OverflowError:
        local = now.replace(tzinfo=INDIA)
    today = calendar.day(traded.segment_class, local.date())
    if expiry is not None and local.date() > expiry:
        today = _expired(expiry)
    elif isinstance(today, Trading) and local.date() == index_expiry:
        today = today.on_index_expiry()
    return MarketTime(local, today, traded.segment_class, calendar, expiry, index_expiry)


def regular_window(moment: MarketTime) -> Window | Unknown:
    """The continuous session, less the margin at its end."""
    today = moment.today
    if isinstance(today, Unknown):
        return today
    if isinstance(today, Trading):
        for session in today.sessions:
            window = _sending(moment.now.date(), session)
            if moment.now < window.closes:
                return window
    found = moment.next_trading_day(moment.now.date())
    return found if isinstance(found, Unknown) else _sending(found[0], found[1].sessions[0])


def auction_window(moment: MarketTime, order_type: OrderType) -> Window | None:
    """While the closing auction runs: when it takes this order; None when it does not, or no more, or nothing runs."""
    today = moment.today
    auction = today.closing_auction if isinstance(today, Trading) else None
    entry = auction.entry.get(order_type) if auction else None
    if auction is None or entry is None or moment.now.time() < auction.span.opens:
        return None
    window = _sending(moment.now.date(), entry)
    return window if moment.now < window.closes else None


def last_auction(segment_class: SegmentClass, calendar: Calendar, now: datetime) -> tuple[date, Auction] | None:
    """The closing auction that began last, of the last few days, and its day; None where there was none."""
    today = now.astimezone(INDIA).date()
    for on in (today - timedelta(days=back) for back in range(_DAYS_LOOKED_BACK)):
        hours = calendar.day(segment_class, on)
        auction = hours.closing_auction if isinstance(hours, Trading) else None
        if auction is not None and at(on, auction.span.opens) <= now:
            return on, auction
    return None


def amo_window(moment: MarketTime) -> AmoWindow | Unknown:
    """The after-market window: a trading day's morning serves that day, its evening serves the next trading day."""
    today, on = moment.today, moment.now.date()
    if isinstance(today, Unknown):
        return today
    if isinstance(today, Trading):
        if moment.now < at(on, today.amo_morning_closes):
            return _morning(on, today)
        if today.amo_evening_opens is not None:
            return _evening(moment, on, today.amo_evening_opens)
    found = moment.next_trading_day(on)
    if isinstance(found, Unknown):
        return found
    following, hours = found
    opens = hours.amo_evening_opens
    return _morning(following, hours) if opens is None else _evening(moment, following, opens)


def at(on: date, clock: time) -> datetime:
    return datetime.combine(on, clock, INDIA)


def _sending(on: date, span: Span) -> Window:
    return Window(at(on, span.opens), at(on, span.closes) - SESSION_MARGIN)


def _morning(on: date, hours: Trading) -> AmoWindow:
    return AmoWindow(at(on, MIDNIGHT), at(on, hours.amo_morning_closes), on, hours)


def _evening(moment: MarketTime, on: date, opens: time) -> AmoWindow | Unknown:
    """The night belongs to one window when the next day trades; else the window ends with the day."""
    found = moment.next_trading_day(on)
    if isinstance(found, Unknown):
        return found
    following, hours = found
    tomorrow = on + ONE_DAY
    closes = at(following, hours.amo_morning_closes) if following == tomorrow else at(tomorrow, MIDNIGHT)
    return AmoWindow(at(on, opens), closes, following, hours)
