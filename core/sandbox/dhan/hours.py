"""When the stand-in's exchanges trade, and when the broker takes after-market orders.

Kept apart from the desk's own calendar on purpose: a witness must not share the mistakes of the party it watches.
Sources: NSE/BSE holiday circulars for 2025 and 2026, the closing-auction circular (hours from 3 Aug and 7 Dec 2026).
Days of other years are taken as trading days from Monday to Friday.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from core.clock import INDIA


class Market(StrEnum):
    """Groups of instruments with the same hours."""

    CASH = "cash"
    CASH_WITH_DERIVATIVES = "cash_with_derivatives"
    DERIVATIVES = "derivatives"
    CURRENCY = "currency"
    COMMODITY = "commodity"
    AGRICULTURAL = "agricultural"


class AmoTime(StrEnum):
    PRE_OPEN = "PRE_OPEN"
    OPEN = "OPEN"
    OPEN_30 = "OPEN_30"
    OPEN_60 = "OPEN_60"


@dataclass(frozen=True)
class Session:
    """Continuous trading: from `opens` until just before `closes`, aware, India time."""

    opens: datetime
    closes: datetime


@dataclass(frozen=True)
class Auction:
    """The closing auction: entry from `opens`, until just before the ends for each kind; all match at `matches`.

    The exchange ends the entry of limits, and matches, at a random moment of two minutes: here at its first and last.
    """

    opens: datetime
    market_until: datetime
    limit_until: datetime
    matches: datetime


_HOLIDAYS = """
    2025-02-26 2025-03-14 2025-03-31 2025-04-10 2025-04-14 2025-04-18 2025-05-01 2025-08-15 2025-08-27 2025-10-02
    2025-10-21 2025-10-22 2025-11-05 2025-12-25
    2026-01-15 2026-01-26 2026-03-03 2026-03-26 2026-03-31 2026-04-03 2026-04-14 2026-05-01 2026-05-28 2026-06-26
    2026-09-14 2026-10-02 2026-10-20 2026-11-10 2026-11-24 2026-12-25
"""
_CLOSED = frozenset(date.fromisoformat(day) for day in _HOLIDAYS.split())
_OPEN_WEEKENDS = frozenset({date(2025, 2, 1), date(2026, 2, 1)})
_MUHURAT = {
    date(2025, 10, 21): (time(13, 45), time(14, 45)),
    date(2026, 11, 8): (time(18, 15), time(19, 15)),
}
_AUCTION_STARTS = date(2026, 8, 3)
_AUCTION_MOVES = date(2026, 12, 7)
_SATURDAY = 5
_EVENING_OF_COMMODITIES = {date(2026, 11, 24): time(17, 0)}
"""Days on which only MCX trades, from then on."""
_WINTER = (date(2026, 11, 2), date(2027, 3, 13))
"""MCX closes later then, as the markets abroad do."""
_AMO_FROM = {Market.CURRENCY: time(17, 0), Market.COMMODITY: time(23, 56), Market.AGRICULTURAL: time(23, 56)}
_AMO_UNTIL = {Market.COMMODITY: time(8, 45), Market.AGRICULTURAL: time(8, 45)}
_USUALLY_FROM, _USUALLY_UNTIL = time(15, 45), time(8, 59)
_PRE_OPEN = time(9, 0)
_AFTER_OPEN = {AmoTime.PRE_OPEN: 0, AmoTime.OPEN: 0, AmoTime.OPEN_30: 30, AmoTime.OPEN_60: 60}


def is_full_day(day: date) -> bool:
    """Whether the exchanges hold an ordinary session (not only the Muhurat hour) on this day."""
    return day in _OPEN_WEEKENDS or (day.weekday() < _SATURDAY and day not in _CLOSED)


def session(day: date, market: Market) -> Session | None:
    """The day's continuous session, or None when there is none."""
    if day in _MUHURAT:
        opens, closes = _MUHURAT[day]
    elif is_full_day(day):
        opens, closes = _open(market), _close(day, market)
    elif market is Market.COMMODITY and day in _EVENING_OF_COMMODITIES:
        opens, closes = _EVENING_OF_COMMODITIES[day], _close(day, market)
    else:
        return None
    return Session(datetime.combine(day, opens, INDIA), datetime.combine(day, closes, INDIA))


def closing_auction(day: date, market: Market) -> Auction | None:
    """The day's auction after the session of shares with derivatives, or None when there is none."""
    if market is not Market.CASH_WITH_DERIVATIVES or not is_full_day(day) or day < _AUCTION_STARTS:
        return None
    if day < _AUCTION_MOVES:
        times = time(15, 20), time(15, 25), time(15, 28), time(15, 30)
    else:
        times = time(15, 31), time(15, 36), time(15, 38), time(15, 40)
    return Auction(*(datetime.combine(day, moment, INDIA) for moment in times))


def is_open(instant: datetime, market: Market) -> bool:
    today = session(instant.astimezone(INDIA).date(), market)
    return today is not None and today.opens <= instant < today.closes


def takes_amo(instant: datetime, market: Market = Market.CASH) -> bool:
    """Dhan's exact windows are unpublished: these lie around the sessions, and closed days take orders all day."""
    here = instant.astimezone(INDIA)
    if not is_full_day(here.date()):
        return not is_open(instant, market)
    return here.time() >= _AMO_FROM.get(market, _USUALLY_FROM) or here.time() < _amo_until(market)


def amo_release(instant: datetime, amo_time: AmoTime, market: Market = Market.CASH) -> datetime:
    """When an order taken at `instant` goes to the exchange: this morning, or on the next full trading day."""
    here = instant.astimezone(INDIA)
    day = here.date()
    if not is_full_day(day) or here.time() >= _amo_until(market):
        day = next_full_day(day)
    opens = _PRE_OPEN if amo_time is AmoTime.PRE_OPEN else _open(market)
    return datetime.combine(day, opens, INDIA) + timedelta(minutes=_AFTER_OPEN[amo_time])


def next_full_day(day: date) -> date:
    day += timedelta(days=1)
    while not is_full_day(day):
        day += timedelta(days=1)
    return day


def last_full_day(day: date) -> date:
    """The day itself when it is a full trading day, else the nearest one before it."""
    while not is_full_day(day):
        day -= timedelta(days=1)
    return day


def _amo_until(market: Market) -> time:
    return _AMO_UNTIL.get(market, _USUALLY_UNTIL)


def _open(market: Market) -> time:
    return time(9, 0) if market in (Market.CURRENCY, Market.COMMODITY, Market.AGRICULTURAL) else time(9, 15)


def _close(day: date, market: Market) -> time:
    auction = _AUCTION_STARTS <= day < _AUCTION_MOVES
    match market:
        case Market.CASH:
            return time(15, 30)
        case Market.CASH_WITH_DERIVATIVES:
            return time(15, 15) if auction else time(15, 30)
        case Market.DERIVATIVES:
            if day < _AUCTION_STARTS:
                return time(15, 30)
            return time(15, 40) if auction else time(15, 45)
        case Market.CURRENCY | Market.AGRICULTURAL:
            return time(17, 0)
        case Market.COMMODITY:
            return time(23, 55) if _WINTER[0] <= day < _WINTER[1] else time(23, 30)
