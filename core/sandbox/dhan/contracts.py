"""Futures and options as the exchanges list them on a day.

Stock and NSE index contracts expire on the last Tuesday of the month, NIFTY options also on every other Tuesday, SENSEX
on Thursdays; an expiry on a holiday moves to the trading day before it (NSE and BSE circulars, since 1 Sep 2025).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from core.sandbox.dhan.hours import last_full_day
from core.sandbox.dhan.security import Security

_TUESDAY, _THURSDAY = 1, 3
_EPOCH = date(2024, 1, 1)


@dataclass(frozen=True)
class Index:
    exchange: str
    id: str
    symbol: str
    display: str
    price: Decimal
    lot: int = 1
    strike_step: int = 0
    weekday: int = _TUESDAY
    weekly: bool = False


INDICES = (
    Index("NSE", "13", "NIFTY", "Nifty 50", Decimal(26000), 65, 50, weekly=True),
    Index("NSE", "25", "BANKNIFTY", "Nifty Bank", Decimal(59000), 30, 100),
    Index("NSE", "27", "FINNIFTY", "Nifty Fin Service", Decimal(27500)),
    Index("NSE", "21", "INDIA VIX", "India VIX", Decimal("13.5")),
    Index("BSE", "51", "SENSEX", "Sensex", Decimal(85000), 20, 100, _THURSDAY, weekly=True),
)


def derivatives(day: date, shares: Iterable[Security]) -> Iterator[Security]:
    """Index and stock futures, index options. Ids are fixed by contract, so they mean the same on every day."""
    for number, index in enumerate(index for index in INDICES if index.strike_step):
        months = monthly_expiries(day, index.weekday)
        for code, expiry in enumerate(months):
            yield _contract(index, expiry, "M", code, slot=number)
        weeks = weekly_expiries(day, index.weekday) if index.weekly else months[:1]
        for expiry in weeks:
            yield from _options(index, expiry, "M" if expiry in months else "W", slot=10 + number * 50)
    stocks = [share for share in shares if share.exchange == "NSE" and share.has_derivatives]
    for number, share in enumerate(stocks):
        for code, expiry in enumerate(monthly_expiries(day, _TUESDAY)):
            yield _contract(share, expiry, "M", code, slot=200 + number)


def _options(index: Index, expiry: date, flag: str, slot: int) -> Iterator[Security]:
    middle = int(index.price) // index.strike_step * index.strike_step
    for place in range(-10, 11):
        for side in ("CE", "PE"):
            strike = Decimal(middle + place * index.strike_step)
            number = slot + (place + 10) * 2 + (side == "PE")
            yield _contract(index, expiry, flag, 0, slot=number, strike=strike, option_type=side)


def _contract(
    of: Index | Security,
    expiry: date,
    flag: str,
    code: int,
    *,
    slot: int,
    strike: Decimal | None = None,
    option_type: str | None = None,
) -> Security:
    stock = isinstance(of, Security)
    kind = ("FUT" if strike is None else "OPT") + ("STK" if stock else "IDX")
    tail = "FUT" if strike is None else f"{strike}-{option_type}"
    side = "FUT" if strike is None else f"{strike} {'CALL' if option_type == 'CE' else 'PUT'}"
    when = f"{expiry:%b}" if strike is None else f"{expiry:%d %b}"
    return Security(
        exchange=of.exchange,
        segment="D",
        id=str(((expiry - _EPOCH).days * 1000) + slot),
        kind=kind,
        symbol=f"{of.symbol}-{expiry:%b%Y}-{tail}",
        display=f"{of.symbol} {when.upper()} {side}",
        exchange_type="FUT" if strike is None else "OP",
        lot=of.lot,
        tick=of.tick if isinstance(of, Security) else Decimal("0.1" if strike is None else "0.05"),
        price=of.price,
        underlying=of.symbol,
        expiry=expiry,
        expiry_flag=flag,
        expiry_code=code,
        strike=strike,
        option_type=option_type,
    )


def monthly_expiries(day: date, weekday: int) -> list[date]:
    """The near, next and far month's expiry on or after the day."""
    first = day.replace(day=1)
    expiries: list[date] = []
    for _ in range(4):
        following = (first + timedelta(days=32)).replace(day=1)
        last = following - timedelta(days=1)
        expiries.append(last_full_day(last - timedelta(days=(last.weekday() - weekday) % 7)))
        first = following
    return [expiry for expiry in expiries if expiry >= day][:3]


def weekly_expiries(day: date, weekday: int) -> list[date]:
    """The next four weekly expiries on or after the day."""
    first = day + timedelta(days=(weekday - day.weekday()) % 7)
    expiries = [last_full_day(first + timedelta(weeks=week)) for week in range(5)]
    return [expiry for expiry in expiries if expiry >= day][:4]
